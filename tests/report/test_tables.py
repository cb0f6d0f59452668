"""The paper's tables: what stands in a cell, what is published and what measured, and that LaTeX takes them."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from latex import compiled
from table_runs import PUBLISHED, make_run, three_runs, written

from cman.errors import CmanError
from cman.report.latex import escape
from cman.report.printed import fixed


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return three_runs(tmp_path / "runs")


def line_of(tex: str, title: str) -> str:
    """What follows the title, which may end in marks, in the first row that has it."""
    pattern = re.compile(rf"\\cmantitle\{{{re.escape(title)}(\\cmanmark\{{[^}}]*\}})?\}}(.*)")
    return next(found.group(2).strip() for line in tex.splitlines() if (found := pattern.match(line)))


def test_halves_are_rounded_up_as_by_hand():
    assert [fixed(value) for value in (84.375, 84.374999, 0.005, 100.0, None)] == [
        "84.38",
        "84.37",
        "0.01",
        "100.00",
        "",
    ]
    assert fixed(2.675) == "2.68"  # the nearest binary number lies below the half


def test_special_characters_are_escaped_for_latex():
    assert escape(r"50% & A_1 #2 $x$ {y} ~ ^ \z") == (
        r"50\% \& A\_1 \#2 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}z"
    )
    assert escape("two\nlines") == "two lines"


def test_a_cell_holds_mean_and_deviation_and_the_row_its_number_of_runs(runs, tmp_path):
    tex, _ = written(runs, tmp_path)
    row = line_of(tex, "CMAN (BiLSTM)")
    assert r"\cmanbest{91.00} & \cmansd{1.41}" in row  # F1 90 and 92
    assert r"70.50 & \cmansd{0.71}" in row  # F1 70 and 71
    assert row.endswith(r"& 2 \\")


def test_a_single_run_prints_its_figure_without_a_deviation(runs, tmp_path):
    tex, _ = written(runs, tmp_path)
    assert line_of(tex, "Multi-head + AT") == r"& 83.61 & 80.00 & & 61.95 & \cmanbest{75.00} & & 77.50 & & 1 \\"


def test_the_best_measured_value_of_a_column_is_bold_and_no_published_one(runs, tmp_path):
    tex, _ = written(runs, tmp_path)
    bold = re.findall(r"\\cmanbest\{([\d.]+)\}", tex)
    assert bold == ["75.00", "91.00", "80.75"]  # a published 91.72 is higher than the measured 91.00


def test_equal_printed_values_are_both_bold(tmp_path):
    runs = [make_run(tmp_path / "runs", name, 1, 180, 140) for name in ("cman", "multihead")]
    tex, _ = written(runs, tmp_path)
    assert re.findall(r"\\cmanbest\{([\d.]+)\}", tex) == ["90.00", "70.00", "80.00"] * 2


def test_nothing_is_bold_with_a_single_measured_row(runs, tmp_path):
    tex, _ = written(runs[:2], tmp_path)
    assert not re.search(r"\\cmanbest\{\d", tex)
    assert "Bold:" not in tex


def test_published_rows_stand_in_the_papers_order_above_the_measured_ones(runs, tmp_path):
    _, rows = written(runs, tmp_path)
    assert [row["title"] for row in rows if row["source"] == "published" and row["table"] == "I"] == [
        "Table Representation",
        "NN CRF",
        "Global Optimization",
        "Multi-head",
        "Multi-head + AT",
        "Relation-Metric with AT",
        "Multi-turn QA",
        "SpERT",
        "CMAN (BiLSTM)",
    ]
    table = [row["source"] for row in rows if row["table"] == "I"]
    assert table == ["published"] * 9 + ["measured"] * 8  # three of the paper's, five added ones


def test_the_multi_head_row_prints_its_relation_figure_and_a_footnote_on_the_misprint(runs, tmp_path):
    tex, rows = written(runs, tmp_path)
    assert line_of(tex, "Multi-head").startswith(r"& 83.04 & \cmandash & 61.04 & \cmandash")
    assert "\\cmanmark{4}~Bekoulis et al., 2018. The paper prints 72.04 for relations" in tex
    (row,) = [row for row in rows if row["title"] == "Multi-head" and row["source"] == "published"]
    assert (row["relation_f1"], row["overall_f1"]) == ("61.04", "")
    assert "72.04" in row["note"]


def test_every_published_row_names_its_source_and_bert_rows_carry_a_star(runs, tmp_path):
    tex, rows = written(runs, tmp_path)
    assert r"SpERT\cmanmark{*,8}" in tex
    assert r"\cmanmark{8}~Eberts and Ulges, ECAI 2020." in tex
    assert "* The study uses BERT as its core model." in tex
    assert all(re.search(r"\d{4}\.", row["note"]) for row in rows if row["source"] == "published")


def test_an_experiment_of_the_paper_without_a_run_prints_as_dashes(runs, tmp_path):
    tex, rows = written(runs, tmp_path)
    assert line_of(tex, "Multi-head") == r"& 83.04 & \cmandash & 61.04 & \cmandash & \cmandash & -- \\"
    assert line_of(tex, "CMAN, no contextual inputs") == r"& -- & \cmandash & -- & \cmandash & \cmandash & -- \\"
    (row,) = [row for row in rows if row["source"] == "measured" and row["experiment"] == "multihead"]
    assert (row["runs"], row["entity_f1"]) == ("0", "")


def test_a_variant_of_ones_own_stands_below_the_paper_and_other_experiments_of_the_paper_do_not(runs, tmp_path):
    runs.append(make_run(tmp_path / "runs", "a-variant", 1, 100, 100))
    runs.append(make_run(tmp_path / "runs", "cman-static", 1, 100, 100))
    runs.append(make_run(tmp_path / "runs", "cman@20", 1, 100, 100))
    _, rows = written(runs, tmp_path)
    measured = [row["experiment"] for row in rows if row["source"] == "measured" and row["table"] == "I"]
    added = ["multihead-contextual", "multihead-matched", "cman-static", "cman-ijcai", "cman-finetuned", "a-variant"]
    assert measured == ["multihead", "multihead-at", "cman", *added]
    assert not any(row["experiment"] in ("a-variant", "cman@20") for row in rows if row["table"] != "I")


def test_a_sample_corpus_says_so_and_prints_no_published_figure(tmp_path):
    sample = {"corpus": "conll04-sample", "sample": True}
    runs = [make_run(tmp_path / "runs", name, 1, 100, 100, **sample) for name in ("cman", "multihead")]
    tex, rows = written(runs, tmp_path)
    assert "sample corpus" in tex
    assert {row["source"] for row in rows} == {"measured"}
    published = yaml.safe_load(PUBLISHED.read_text())["tables"][0]["rows"]
    for row in published:
        assert f"{row['entity_f1']:.2f}" not in tex
        assert f"{row['relation_f1']:.2f}" not in tex
    assert "72.04" not in tex


def test_a_real_corpus_and_its_sample_get_a_table_each(runs, tmp_path):
    runs.append(make_run(tmp_path / "runs", "cman", 1, 100, 100, corpus="conll04-sample", sample=True))
    tex, rows = written(runs, tmp_path)
    labels = re.findall(r"\\label\{tab:(.*?)\}", tex)
    assert labels[:2] == ["I-conll04", "I-conll04-sample"]
    assert {row["corpus"] for row in rows} == {"conll04", "conll04-sample"}


def test_inputs_and_protocol_stand_in_the_caption_when_all_rows_share_them(runs, tmp_path):
    tex, _ = written(runs, tmp_path)
    assert "Protocol: epoch chosen on dev." in tex
    assert tex.count("Inputs: characters.") == 3  # Tables I, VI and VII


def test_inputs_that_differ_between_rows_become_footnotes(runs, tmp_path):
    runs.append(make_run(tmp_path / "runs", "multihead", 1, 100, 100, inputs_title="word_vectors & more"))
    tex, _ = written(runs, tmp_path)
    assert "Inputs: see the notes." in tex
    assert r"\cmantitle{Multi-head\cmanmark{4,a}}" in tex
    assert r"\cmanmark{a}~Inputs: word\_vectors \& more." in tex
    assert r"\cmantitle{CMAN (BiLSTM)\cmanmark{9,b}}" in tex


def test_the_csv_holds_the_figures_of_the_row_with_two_decimals(runs, tmp_path):
    _, rows = written(runs, tmp_path)
    row, *_ = [row for row in rows if row["source"] == "measured" and row["experiment"] == "cman"]
    assert row == {
        "table": "I",
        "corpus": "conll04",
        "experiment": "cman",
        "title": "CMAN",
        "source": "measured",
        "entity_f1": "91.00",
        "entity_sd": "1.41",
        "relation_f1": "70.50",
        "relation_sd": "0.71",
        "overall_f1": "80.75",
        "overall_sd": "1.06",
        "entity_macro_f1": "91.00",
        "relation_macro_f1": "70.50",
        "runs": "2",
        "protocol": "epoch chosen on dev",
        "note": "Inputs: characters.",
    }


def test_the_same_runs_in_any_order_give_the_same_bytes(runs, tmp_path):
    written(runs, tmp_path / "one")
    written(runs[::-1], tmp_path / "two")
    for name in ("tables.tex", "tables.csv", "tables.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_json_names_the_runs_behind_each_cell(runs, tmp_path):
    written(runs, tmp_path)
    table = json.loads((tmp_path / "tables.json").read_text())[0]
    assert (table["table"], table["corpus"]) == ("I", "conll04")
    (row,) = [row for row in table["rows"] if row["experiment"] == "cman"]
    cell = row["cells"]["Entity measured"]
    assert (cell["value"], cell["sd"]) == ("91.00", "1.41")
    assert [(run["seed"], run["folder"], run["revision"]) for run in cell["runs"]] == [
        (1, str(runs[0]), "0123abc"),
        (2, str(runs[1]), "0123abc"),
    ]
    assert row["cells"]["Entity published"] == {"value": "91.72", "source": "Zhao et al., IEEE TNNLS 2023."}
    (dash,) = [row for row in table["rows"] if row["experiment"] == "cman-static"]
    assert dash["cells"]["Relation measured"] is None


def test_an_experiment_that_no_table_shows_is_named(runs, tmp_path, caplog):
    caplog.set_level("INFO", logger="cman")
    runs.append(make_run(tmp_path / "runs", "cman-predicted", 1, 100, 100))
    written(runs, tmp_path)
    assert caplog.messages == ["cman-predicted on conll04: in no table of the paper"]


def test_rows_that_were_trained_otherwise_say_so_in_notes(tmp_path):
    def trained(epochs):
        training = {"protocol": "fixed", "epochs": epochs, "batch_size": 8, "lr": 0.001, "schedule": "linear"}
        return {"training": training, "dropout": {"inputs": 0.2, "recurrent": 0.1}, "at": {"enabled": epochs > 5}}

    runs = [make_run(tmp_path / "runs", name, 1, 100, 100, settings=trained(epochs))
            for name, epochs in (("cman", 5), ("multihead-at", 9))]  # fmt: skip
    tex, _ = written(runs, tmp_path)
    assert "Training: see the notes." in tex
    assert "Training: 9 epochs, batches of 8, learning rate 0.001 (linear), dropout 0.2 and 0.1, adversarial." in tex
    alone, _ = written(runs[:1], tmp_path)
    assert "Training: 5 epochs, batches of 8, learning rate 0.001 (linear), dropout 0.2 and 0.1." in alone
    runs.append(make_run(tmp_path / "runs", "cman", 2, 100, 100, settings=trained(6)))
    with pytest.raises(CmanError, match=r"field training: found '6 epochs.*wanted '5 epochs"):
        written(runs, tmp_path)


def test_a_corpus_that_the_paper_does_not_have_gets_a_table_of_its_own(tmp_path):
    run = make_run(tmp_path / "runs", "cman", 1, 100, 100, corpus="mine", corpus_title="mine")
    tex, rows = written([run], tmp_path)
    assert [(row["table"], row["source"], row["entity_f1"]) for row in rows] == [("", "measured", "50.00")]
    assert "Zhao" not in tex


def test_a_figure_that_nobody_published_prints_as_a_dash(runs, tmp_path):
    content = yaml.safe_load(PUBLISHED.read_text())
    content["tables"][0]["rows"][0]["entity_f1"] = None
    (tmp_path / "published.yaml").write_text(yaml.safe_dump(content))
    tex, rows = written(runs, tmp_path, tmp_path / "published.yaml")
    assert line_of(tex, "Table Representation").startswith(r"& -- & \cmandash & 61.00")
    assert rows[0]["entity_f1"] == ""


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
@pytest.mark.parametrize(
    "document",
    [
        pytest.param(None, id="alone"),
        pytest.param(r"\documentclass[a4paper]{article}\usepackage{booktabs}", id="in a document"),
        pytest.param(r"\documentclass[a4paper]{article}", id="in a document without booktabs"),
        pytest.param(
            r"\documentclass[twocolumn]{article}\usepackage[a4paper,margin=15mm]{geometry}", id="in a narrow column"
        ),
    ],
)
def test_latex_takes_the_tables_alone_and_inside_a_document(runs, tmp_path, document):
    hard = {"title": r'50% & A_1 #2 $x$ {y} ~ ^ \z <|> "q" ±', "inputs_title": "Schütze_vectors & 100%"}
    runs.append(make_run(tmp_path / "runs", "variant", 1, 100, 100, **hard))
    runs.append(make_run(tmp_path / "runs", "cman", 1, 100, 100, corpus="conll04-sample", sample=True, **hard))
    written(runs, tmp_path)
    compiled(tmp_path, "tables", document)
