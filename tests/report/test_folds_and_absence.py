"""Tables II and III: figures over folds, and the table of a corpus that could not be had."""

import csv
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fake_runs import fake_run

from cman.report.tables import write_tables

PUBLISHED = Path(__file__).parents[2] / "config" / "published.yaml"
PAPER = {  # Tables II and III of the paper
    "II": {"Joint Model": (79.50, 63.40), "Neural joint model": (84.60, 71.40), "Multi-head + AT": (86.73, 75.52),
           "Relation-Metric with AT": (87.02, 77.19), "SpERT": (89.25, 79.24), "CMAN (ours)": (90.12, 81.34)},
    "III": {"Attentive LSTM": (79.11, 49.70), "Multi-head": (81.39, 52.26), "Multi-head + AT": (82.04, 53.12),
            "CMAN (ours)": (82.96, 55.66)},
}  # fmt: skip


def make_run(root: Path, corpus: str, experiment: str, split: str, right: int, **changes: Any) -> Path:
    counts = (right, 100, 100)
    return fake_run(root, corpus, experiment, counts, counts, split=split, documents=9, **changes)


def written(runs: list[Path], folder: Path, absent: tuple[str, ...] = ()) -> tuple[str, list[dict[str, str]]]:
    write_tables(runs, PUBLISHED, folder / "tables.tex", folder / "tables.csv", absent)
    with (folder / "tables.csv").open(newline="") as stream:
        return (folder / "tables.tex").read_text(), list(csv.DictReader(stream))


def two_folds(root: Path, corpus: str = "ade", **changes: Any) -> list[Path]:
    return [make_run(root, corpus, "cman", f"fold{fold}", 80 + 4 * fold, **changes) for fold in (0, 1)]


@pytest.mark.parametrize(("number", "corpus"), [("II", "ade"), ("III", "drec")])
def test_the_published_rows_are_those_of_the_paper_with_a_source_each(tmp_path, number, corpus):
    _, rows = written([make_run(tmp_path, "conll04", "cman", "main", 70)], tmp_path, (corpus,))
    found = [row for row in rows if row["table"] == number and row["source"] == "published"]
    assert {row["corpus"] for row in found} == {corpus}
    assert {row["title"]: (float(row["entity_f1"]), float(row["relation_f1"])) for row in found} == PAPER[number]
    assert all(re.search(r"\d{4}", row["note"]) for row in found)


def test_a_table_over_folds_says_which_and_what_its_deviation_is(tmp_path):
    tex, rows = written(two_folds(tmp_path, division="folds by sentence"), tmp_path)
    assert r"Measured: mean over 2 of 10 folds (fold0, fold1) of one seed, $\pm$ sample standard deviation" in tex
    assert "Division: folds by sentence." in tex
    (row,) = [row for row in rows if row["experiment"] == "cman" and row["source"] == "measured"]
    assert (row["table"], row["entity_f1"], row["entity_sd"], row["runs"]) == ("II", "82.00", "2.83", "2")
    assert "2 of 10 folds" in row["note"]


def test_rows_over_different_folds_say_so_in_notes(tmp_path):
    runs = [*two_folds(tmp_path), make_run(tmp_path, "ade", "multihead-at", "fold0", 70)]
    tex, _ = written(runs, tmp_path)
    assert "over folds, see the notes" in tex
    assert "Mean over 1 of 10 folds (fold0) of one seed." in tex
    assert "Mean over 2 of 10 folds (fold0, fold1) of one seed" in tex


def test_a_table_without_folds_speaks_of_seeds(tmp_path):
    tex, _ = written([make_run(tmp_path, "conll04", "cman", "main", 70)], tmp_path)
    assert r"Measured: mean $\pm$ sample standard deviation over n seeds." in tex
    first = tex.partition(r"\begin{\cmanfloat}")[2].partition(r"\end{\cmanfloat}")[0]
    assert "fold" not in first and "Division:" not in tex


@pytest.mark.parametrize("corpus", ["ade-sample", "drec-sample"])
def test_a_sample_corpus_prints_no_published_figure(tmp_path, corpus):
    tex, rows = written([make_run(tmp_path, corpus, "cman", "main", 70)], tmp_path)
    assert "a generated sample corpus" in tex
    assert {row["source"] for row in rows} == {"measured"}
    assert not any(f"{figure:.2f}" in tex for rows in PAPER.values() for pair in rows.values() for figure in pair)


def numbers(tex: str) -> list[str]:
    return re.findall(r"\\label\{tab:(\w*)-", tex)


def test_an_absent_corpus_has_its_tables_of_published_figures_and_dashes(tmp_path):
    tex, rows = written([make_run(tmp_path, "conll04", "cman", "main", 70)], tmp_path, ("drec",))
    assert numbers(tex) == ["I", "III", "IV", "V", "VI", "VII"]
    table = tex.partition(r"\cmannumber{3}")[2].partition(r"\end{\cmanfloat}")[0]
    assert "DREC, beside the figures published in Table III" in table
    assert "Nothing was measured." in table
    assert "82.96 & \\cmandash & 55.66 & \\cmandash & \\cmandash & -- \\\\" in " ".join(table.split())
    measured = [row for row in rows if row["table"] == "III" and row["source"] == "measured"]
    assert [row["experiment"] for row in measured] == ["multihead", "multihead-at", "cman"]
    assert all(row["runs"] == "0" and row["entity_f1"] == "" for row in measured)


def test_an_absent_corpus_may_be_all_there_is(tmp_path):
    tex, _ = written([], tmp_path, ("drec",))
    assert numbers(tex) == ["III", "IV"]


def test_an_absent_corpus_with_runs_of_its_own_shows_them(tmp_path):
    tex, _ = written([make_run(tmp_path, "drec", "cman", "main", 70)], tmp_path, ("drec",))
    assert numbers(tex) == ["III", "IV", "V"] and "70.00" in tex


def test_an_absent_corpus_that_the_paper_does_not_have_has_no_table_and_that_is_said(tmp_path, caplog):
    caplog.set_level("INFO", logger="cman")
    tex, _ = written([make_run(tmp_path, "conll04", "cman", "main", 70)], tmp_path, ("mine",))
    assert numbers(tex) == ["I", "V", "VI", "VII"]
    assert caplog.messages == ["mine: has neither runs nor published figures, and so no table"]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_takes_these_tables(tmp_path):
    runs = [*two_folds(tmp_path, division="by sentence & ± 100%"), *two_folds(tmp_path, "ade-sample")]
    written([*runs, make_run(tmp_path, "conll04", "cman", "main", 70)], tmp_path, ("drec",))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    log = (tmp_path / "tables.log").read_text(errors="replace")
    assert done.returncode == 0, log[-2000:]
    assert "Overfull" not in log
