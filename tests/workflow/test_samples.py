"""The three sample corpora, each through the reader of the real one, into Tables I, II and III."""

import csv
import json
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

CORPORA = {
    "conll04-sample": {"format": "conll04-sample", "sentences": {"train": 30, "dev": 10, "test": 10}},
    "ade-sample": {"format": "ade-sample", "sentences": 80, "folds_run": [0, 4]},
    "drec-sample": {"format": "drec-sample", "sentences": {"train": 12, "dev": 4, "test": 4}},
    "drec": {"format": "drec"},
}
SETTINGS = {
    "contextual.enabled": False,
    "word.dim": 8,
    "char.emb": 8,
    "char.hidden": 4,
    "lstm.hidden": 8,
    "attn.heads": 2,
    "rel.hidden": 8,
    "at.enabled": False,
    "training.epochs": 1,
    "training.protocol": "train",
}


@pytest.fixture(scope="module")
def finished(new_project) -> tuple[Any, str]:
    """A project in which the workflow ran once from nothing, and what it printed."""
    project = new_project()
    value = {"corpora": CORPORA, "experiments": ["cman"], "settings": SETTINGS, "device": "cpu"}
    (project / "samples.yaml").write_text(yaml.safe_dump(value))
    return project, project.snakemake("--cores", "2", "results/tables.tex", "--configfile", "samples.yaml")


def test_every_sample_corpus_comes_into_the_table_of_the_real_one_without_published_figures(finished):
    project, _ = finished
    with (project / "results/tables.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["corpus"].endswith("-sample")]
    assert [(row["table"], row["corpus"], row["source"], row["runs"]) for row in rows] == [
        ("I", "conll04-sample", "measured", "1"),
        ("II", "ade-sample", "measured", "2"),
        ("III", "drec-sample", "measured", "1"),
        ("IV", "drec-sample", "measured", "1"),
        ("VI", "conll04-sample", "measured", "1"),
        ("VII", "conll04-sample", "measured", "1"),
    ]
    tex = (project / "results/tables.tex").read_text()
    assert tex.count("a generated sample corpus") == 6
    assert tex.count("generated sample corpora") == 1  # Table V
    assert "mean over 2 of 10 folds (fold0, fold4) of one seed" in tex


def test_the_absent_drec_is_said_and_shown_with_dashes(finished):
    project, printed = finished
    assert printed.count("drec: absent, because it has no `path:`") == 1
    assert "DREC, beside the figures published in Table III" in (project / "results/tables.tex").read_text()


def test_a_fold_is_scored_against_everything_that_was_annotated(finished):
    project, _ = finished
    statistics = json.loads((project / "results/corpora/ade-sample/statistics.json").read_text())
    for fold in ("fold0", "fold4"):
        scores = json.loads((project / f"results/runs/ade-sample/cman/{fold}/seed1/scores.json").read_text())
        annotated = statistics["folds"][fold]["splits"]["test"]
        assert scores["documents"] == annotated["sentences"] == 8
        for name in ("entities", "relations"):
            assert scores[name]["strict"]["all"]["gold"] == annotated[name]["all"]


def test_only_the_configured_folds_are_trained_and_nothing_is_left_to_do(finished):
    project, _ = finished
    trained = sorted(path.name for path in (project / "results/runs/ade-sample/cman").iterdir())
    assert trained == ["fold0", "fold4"]
    assert project.planned("results/tables.tex", "--configfile", "samples.yaml") == {}
