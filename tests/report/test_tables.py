"""The paper's tables: what stands in a cell, what is published and what measured, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from perturbed_runs import perturbed, write_run
from table_runs import PUBLISHED, make_run, three_runs, written

from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.errors import CmanError
from cman.report.paper_table import CSV

GOLD = [
    Document(str(number), tuple(f"w{place}" for place in range(8)),
             (Entity("Peop", 0, 2), Entity("Loc", 3, 4), Entity("Org", 5, 7)),
             (Relation("Live_In", 0, 1), Relation("Work_For", 0, 2)))
    for number in range(40)
]  # fmt: skip


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return three_runs(tmp_path / "runs")


def line_of(tex: str, title: str) -> str:
    """What follows the title, which may end in marks and be grey, in the first row that has it."""
    pattern = rf"(?:\\textcolor\{{gray\}}\{{)?{re.escape(title)}\}}?(?:\\textsuperscript\{{[^}}]*\}})? (&.*?) \\\\"
    found = re.search(pattern, tex)
    assert found, title
    return found.group(1)


def line(rows: list[dict[str, str]], experiment: str, source: str = "measured") -> dict[str, str]:
    return next(row for row in rows if row["experiment"] == experiment and row["source"] == source)


def test_a_cell_holds_mean_and_deviation_and_the_row_its_number_of_runs(runs, tmp_path):
    tex, rows = written(runs, tmp_path)
    assert line_of(tex, "CMAN (BiLSTM)") == (  # F1 90 and 92, 70 and 71
        r"& 91.72 & 91.00 {\scriptsize$\pm$\,1.41} & 73.46 & 70.50 {\scriptsize$\pm$\,0.71}"
        r" & 80.75 {\scriptsize$\pm$\,1.06} & 2"
    )
    wanted = {"table": "I", "corpus": "conll04", "experiment": "cman", "title": "CMAN", "source": "measured"}
    wanted |= {"entity_f1": "91.00", "entity_sd": "1.41", "relation_f1": "70.50", "relation_sd": "0.71"}
    wanted |= {"overall_f1": "80.75", "overall_sd": "1.06", "entity_macro_f1": "91.00", "relation_macro_f1": "70.50"}
    wanted |= {"runs": "2", "seeds": "2", "inputs": "characters", "protocol": "epoch chosen on dev"}
    assert line(rows, "cman") == dict.fromkeys(CSV, "") | wanted


def test_a_row_of_one_seed_is_grey_and_never_bold(runs, tmp_path):
    tex, _ = written(runs, tmp_path)
    grey = [rf"\textcolor{{gray}}{{{figure}}}" for figure in ("83.61", "80.00", "61.95", "75.00", "77.50", "1")]
    assert line_of(tex, "Multi-head + AT") == "& " + " & ".join(grey)
    assert "Grey: a single seed" in tex and r"\textbf" not in tex


def compared(tmp_path: Path, **seeds: tuple[float, tuple[int, ...]]) -> tuple[str, list[dict[str, str]]]:
    for part in ("train", "dev", "test"):
        write_documents(tmp_path / "corpora/conll04/main" / f"{part}.jsonl", GOLD)
    runs = [
        write_run(tmp_path / "r", GOLD, perturbed(GOLD, rate, seed), name.replace("_", "-"), seed, corpus="conll04")
        for name, (rate, numbers) in seeds.items()
        for seed in numbers
    ]
    return written(runs, tmp_path)


def test_a_difference_is_of_the_seeds_that_both_have_with_its_interval_and_bold_where_a_test_says_so(tmp_path):
    tex, rows = compared(tmp_path, cman=(0.05, (1, 2, 3)), cman_no_bla=(0.9, (2, 3, 4)), cman_mlp=(0.9, (1,)))
    found = line(rows, "cman-no-bla")
    assert (found["reference"], found["pairs"]) == ("cman", "2")
    low, difference, high = (float(found[f"relation_{name}"]) for name in ("low", "difference", "high"))
    assert low < difference < high < 0 and float(found["relation_p_holm"]) < 0.05
    assert rf"\textbf{{$-${abs(difference):.2f}}} {{\scriptsize[$-${abs(low):.1f}, $-${abs(high):.1f}]}}" in tex
    alone = line(rows, "cman-mlp")
    assert float(alone["relation_p_holm"]) < 0.05
    assert rf"\textcolor{{gray}}{{$-${abs(float(alone['relation_difference'])):.2f}" in tex
    assert "over all 6 tests of this document" in tex  # two comparisons of three tasks, one family for all tables


def test_without_the_prepared_corpus_differences_are_not_tested(runs, tmp_path):
    runs.append(make_run(tmp_path / "runs", "multihead-at", 2, 100, 100))
    tex, rows = written(runs, tmp_path)
    found = line(rows, "multihead-at")
    assert (found["entity_difference"], found["entity_low"], found["entity_p"]) == ("-26.000000", "", "")
    assert "No difference is tested, because the prepared corpus is not at hand" in tex and r"\textbf" not in tex


def test_corpora_with_entities_alone_have_dashes(tmp_path):
    gold = [Document(document.id, document.tokens, document.entities) for document in GOLD]
    write_documents(tmp_path / "corpora/mine/main/test.jsonl", gold)
    runs = [write_run(tmp_path / "r", gold, gold, name, 1, corpus="mine") for name in ("cman", "multihead")]
    tex, rows = written(runs, tmp_path)
    found = line(rows, "cman")
    assert (found["entity_f1"], found["relation_f1"], found["overall_f1"]) == ("100.00", "", "")
    assert "50.00" not in tex and "or not defined" in tex


def test_published_rows_stand_in_the_papers_order_above_the_measured_ones_with_a_source_each(runs, tmp_path):
    tex, rows = written(runs, tmp_path)
    table = [row for row in rows if row["table"] == "I"]
    assert [row["title"] for row in table if row["source"] == "published"] == [
        "Table Representation", "NN CRF", "Global Optimization", "Multi-head", "Multi-head + AT",
        "Relation-Metric with AT", "Multi-turn QA", "SpERT", "CMAN (BiLSTM)", "CMAN of 2020, the conference version",
    ]  # fmt: skip
    assert [row["source"] for row in table] == ["published"] * 10 + ["measured"] * 10  # of the paper 3, added 7
    assert all(re.search(r"\d{4}\.", row["note"]) for row in rows if row["source"] == "published")
    assert r"SpERT\textsuperscript{*," in tex and "* The study uses BERT as its core model." in tex
    assert line_of(tex, "Multi-head").startswith("& 83.04 & -- & 61.04 & --")
    assert "The paper prints 72.04 for relations" in tex
    assert line_of(tex, "CMAN of 2020, the conference version").startswith("& 90.62 & -- & 72.97 & --")


def test_a_dash_is_explained_and_what_nothing_here_repeats_has_none(runs, tmp_path):
    tex, rows = written(runs, tmp_path)
    assert line_of(tex, "CMAN, no contextual inputs") == "& -- & -- & -- & -- & -- & --"
    assert line_of(tex, "NN CRF") == "& 82.10 & & 62.50 & & &"
    assert "A dash: not published, or not run here" in tex
    assert (line(rows, "multihead")["runs"], line(rows, "multihead")["entity_f1"]) == ("0", "")


def test_a_variant_of_ones_own_stands_below_the_paper_and_other_experiments_of_the_paper_do_not(runs, tmp_path, caplog):
    caplog.set_level("INFO", logger="cman")
    for name in ("a-variant", "cman-static", "cman@20"):
        runs.append(make_run(tmp_path / "runs", name, 1, 100, 100))
    _, rows = written(runs, tmp_path)
    measured = [row["experiment"] for row in rows if row["source"] == "measured" and row["table"] == "I"]
    added = ["cman-ijcai", "multihead-contextual", "multihead-matched", "multihead-as-published", "cman-static"]
    added += ["cman-as-printed", "cman-finetuned", "a-variant"]
    assert measured == ["multihead", "multihead-at", "cman", *added]
    assert not any(row["experiment"] == "a-variant" for row in rows if row["table"] != "I")
    assert caplog.messages == ["cman@20 on conll04: in no table of the paper"]


def test_a_sample_corpus_says_so_and_prints_no_published_figure(tmp_path):
    for corpus in ("conll04-sample", "ade-sample", "drec-sample"):
        runs = [
            make_run(tmp_path / "r", name, 1, 100, 100, corpus=corpus, sample=True) for name in ("cman", "multihead-at")
        ]
        tex, rows = written(runs, tmp_path / corpus)
        assert "a generated sample corpus" in tex and {row["source"] for row in rows} == {"measured"}
        assert not any(figure in tex for figure in ("91.72", "73.46", "90.12", "81.34", "82.96", "55.66"))


def test_inputs_and_epochs_are_columns_where_rows_differ_and_stand_in_the_caption_where_not(tmp_path):
    def trained(epochs: int) -> dict[str, Any]:
        training = {"protocol": "fixed", "epochs": epochs, "batch_size": 8, "lr": 0.001, "schedule": "linear"}
        return {"training": training, "dropout": {"inputs": 0.2, "recurrent": 0.1}, "at": {"enabled": epochs > 5}}

    inputs = {"cman": "characters, word_vectors & more", "multihead-at": "characters"}
    runs = [make_run(tmp_path / "r", name, 1, 100, 100, settings=trained(epochs), inputs_title=inputs[name])
            for name, epochs in (("cman", 5), ("multihead-at", 9))]  # fmt: skip
    tex, _ = written(runs, tmp_path)
    assert "Inputs of all measured rows: characters." in tex and "& Inputs & Ep. &" in tex
    assert line_of(tex, "CMAN (BiLSTM)").startswith(r"& \textcolor{gray}{word\_vectors \& more} & \textcolor{gray}{5}")
    assert "Training: batches of 8, learning rate 0.001 (linear), dropout 0.2 and 0.1, adversarial." in tex
    alone, _ = written(runs[:1], tmp_path)
    assert "Epochs: 5." in alone and "& Inputs" not in alone and "dropout 0.2 and 0.1." in alone
    runs.append(make_run(tmp_path / "r", "cman", 2, 100, 100, settings=trained(6), inputs_title=inputs["cman"]))
    with pytest.raises(CmanError, match=r"field epochs: found '6'.*wanted '5'"):
        written(runs, tmp_path)


def test_the_same_runs_in_any_order_give_the_same_bytes(runs, tmp_path):
    written(runs, tmp_path / "one")
    written(runs[::-1], tmp_path / "two")
    for name in ("tables.tex", "tables.csv", "tables.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_json_names_the_runs_behind_each_cell(runs, tmp_path):
    written(runs, tmp_path)
    table = json.loads((tmp_path / "tables.json").read_text())[0]
    assert (table["table"], table["corpus"], table["title"]) == ("I", "conll04", "CoNLL04")
    (row,) = [row for row in table["rows"] if row["experiment"] == "cman"]
    cell = row["cells"]["Entity measured"]
    assert (cell["value"], cell["sd"]) == ("91.00", "1.41")
    behind = [(run["seed"], run["folder"], run["revision"]) for run in cell["runs"]]
    assert behind == [(seed, str(runs[seed - 1]), "0123abc") for seed in (1, 2)]
    assert row["cells"]["Entity published"] == {"value": "91.72", "source": "Zhao et al., IEEE TNNLS 2023."}
    (dash,) = [row for row in table["rows"] if row["experiment"] == "cman-static"]
    assert dash["cells"]["Relation measured"] is None


def ranked(run: Path, value: float, true_positive: int) -> None:
    """Have a run of `make_run` say what its ranking gave."""
    scores = json.loads((run / "scores.json").read_text())
    at = {"true_positive": true_positive, "predicted": 100, "gold": 200}
    scores["ranking"] = {"least": 0.02, "average_precision": value, "dev_threshold": 0.4, "at_dev_threshold": at}
    (run / "scores.json").write_text(json.dumps(scores))


def test_what_needs_a_ranking_stands_beside_f1_where_all_runs_of_a_row_have_one(runs, tmp_path):
    first, second, baseline = runs
    ranked(first, 0.5, 90)
    ranked(baseline, 0.25, 60)
    names = ("relation_f1", "relation_average_precision", "relation_f1_dev_threshold")

    def measured(folder: Path) -> dict[str, tuple[str, ...]]:
        rows = [row for row in written(runs, folder)[1] if row["source"] == "measured" and row["runs"] != "0"]
        return {row["experiment"]: tuple(row[name] for name in names) for row in rows}

    assert measured(tmp_path / "a") == {"cman": ("70.50", "", ""), "multihead-at": ("75.00", "25.00", "40.00")}
    ranked(second, 0.6, 60)
    assert measured(tmp_path / "b")["cman"] == ("70.50", "55.00", "50.00")


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
    assert line_of(tex, "Table Representation").startswith("& -- & & 61.00") and rows[0]["entity_f1"] == ""


# ---- folds, and corpora that could not be had


def two_folds(root: Path, **changes: Any) -> list[Path]:
    named = {"corpus": "ade", "documents": 9} | changes
    return [make_run(root, "cman", 1, 160 + 8 * fold, 160, split=f"fold{fold}", **named) for fold in (0, 1)]


def test_a_table_over_folds_says_which_and_what_its_deviation_is(tmp_path):
    tex, rows = written(two_folds(tmp_path, division="folds by sentence"), tmp_path)
    assert r"Measured: mean over 2 of 10 folds (fold0, fold1) of one seed, $\pm$ sample standard deviation" in tex
    assert "Division: folds by sentence." in tex
    found = line(rows, "cman")
    assert (found["table"], found["entity_f1"], found["entity_sd"], found["runs"]) == ("II", "82.00", "2.83", "2")
    assert "2 of 10 folds" in found["note"]
    runs = [*two_folds(tmp_path / "r"), make_run(tmp_path, "multihead-at", 1, 140, 140, corpus="ade", split="fold0")]
    tex, _ = written(runs, tmp_path)
    assert "over folds, see the notes" in tex and "Mean over 1 of 10 folds (fold0) of one seed." in tex


def numbers(tex: str) -> list[str]:
    return re.findall(r"\\label\{tab:(\w*)-", tex)


def test_an_absent_corpus_has_its_tables_of_published_figures_and_the_reason(runs, tmp_path, caplog):
    caplog.set_level("INFO", logger="cman")
    tex, rows = written(runs, tmp_path, absent=("drec", "mine"))
    assert numbers(tex) == ["I", "III", "IV", "V", "VI", "VII"]
    table = tex.partition(r"\label{tab:III-drec}")[0].rpartition(r"\caption")[2]
    assert "Nothing was measured: DREC is handed out under a signed agreement alone" in table
    measured = [row for row in rows if row["table"] == "III" and row["source"] == "measured"]
    assert [row["experiment"] for row in measured] == ["multihead", "multihead-at", "cman"]
    assert all(row["runs"] == "0" and row["entity_f1"] == "" for row in measured)
    assert caplog.messages == ["mine: has neither runs nor published figures, and so no table"]
    assert numbers(written([], tmp_path, absent=("drec",))[0]) == ["III", "IV"]  # may be all there is
    drec = make_run(tmp_path / "drec", "cman", 1, 140, 140, corpus="drec")
    tex, _ = written([drec], tmp_path, absent=("drec",))
    assert numbers(tex) == ["III", "IV", "V"] and "70.00" in tex


# ---- refused


def test_predictions_that_cannot_be_those_of_the_scores_are_refused(runs, tmp_path):
    path = runs[0] / "predictions.jsonl"
    before = path.read_text()
    first, *others = before.splitlines()
    content = json.loads(first)
    cases = {
        "found 199 entities of the type A": [{**content, "entities": content["entities"][1:], "relations": []}],
        "found 199 relations of the type A, wanted 200": [{**content, "relations": content["relations"][1:]}],
        "line 2: field id: '1' already stands on line 1": [{**content, "id": "1"}],
        "found 2 documents, wanted 3": None,
    }
    for message, change in cases.items():
        lines = [first, *others[1:]] if change is None else [json.dumps(change[0]), *others]
        path.write_text("\n".join(lines) + "\n")
        with pytest.raises(CmanError, match=message):
            written(runs, tmp_path)
    path.unlink()
    with pytest.raises(CmanError, match=r"predictions\.jsonl: cannot be read"):
        written(runs, tmp_path)
    with pytest.raises(CmanError, match="no run was given"):
        written([], tmp_path)


def test_counts_in_all_that_are_not_the_sums_over_types_are_refused(runs, tmp_path):
    path = runs[0] / "scores.json"
    scores = json.loads(path.read_text())
    scores["entities"]["strict"]["all"]["true_positive"] += 1
    path.write_text(json.dumps(scores))
    with pytest.raises(CmanError, match=r"scores\.json: field entities\.strict\.all: found .* the sums over its types"):
        written(runs, tmp_path)
    path.unlink()
    with pytest.raises(CmanError, match=r"seed1/scores\.json: cannot be read"):
        written(runs, tmp_path)


def test_a_table_of_runs_by_different_training_code_says_so(tmp_path):
    for codes, said in (
        (("a", "a"), ""),
        (("a", "b"), "version of the training code."),
        (("a", None), "do not say by"),
    ):
        folder = tmp_path / "-".join(map(str, codes))
        runs = [
            make_run(folder, name, 1, 180, 140, **({} if code is None else {"code": code}))
            for name, code in zip(("cman", "multihead-at"), codes, strict=True)
        ]
        tex = written(runs, folder)[0]
        assert ("training code" in tex) == bool(said) and said in tex
