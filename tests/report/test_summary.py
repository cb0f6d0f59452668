"""What `make tables` ends with: what is there, a model to try, and real figures."""

from pathlib import Path

from table_runs import PUBLISHED, make_run

from cman.report.summary import summary


def test_what_is_there_is_named_and_what_is_not_is_left_out(tmp_path):
    for name in ("report.html", "tables.tex", "runs/conll04-sample/cman/main/seed1/model/config.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    text = summary(tmp_path, PUBLISHED)
    model = tmp_path / "runs/conll04-sample/cman/main/seed1/model"
    assert f"{tmp_path / 'report.html'}" in text and f"cman extract --model {model} --input" in text
    assert "browser.html" not in text and "Table I on real" not in text
    assert summary(Path(tmp_path / "none"), PUBLISHED) == ""


def test_table_one_of_the_real_corpus_comes_from_the_records(tmp_path):
    for experiment, seed in (("cman", 1), ("cman", 2), ("cman@20", 1)):
        make_run(tmp_path / "record", experiment, seed, 100 + 20 * seed, 80)
    lines = summary(tmp_path, PUBLISHED).splitlines()
    assert "Table I on real CoNLL04" in lines[0] and "3 test sentences" in lines[0]
    rows = {line.split("  ")[1]: line.split() for line in lines[1:-1]}
    assert rows["CMAN (measured)"][2:] == ["65.00", "±", "7.07", "40.00", "±", "0.00", "2"]
    assert rows["CMAN (BiLSTM) (published)"][-2:] == ["91.72", "73.46"]
    assert not any("cman@20" in line for line in lines)
