"""Runs made up for tests of the tables, and the tables of them."""

import csv
from pathlib import Path
from typing import Any

from fake_runs import fake_run

from cman.report.tables import write_tables

PUBLISHED = Path(__file__).parents[2] / "config" / "published.yaml"
TITLES = {"cman": "CMAN", "multihead": "Multi-head", "multihead-at": "Multi-head + AT"}


def make_run(root: Path, experiment: str, seed: int, entities: int, relations: int, **changes: Any) -> Path:
    """A run with the given true positives among 200 predicted and 200 gold items: F1 is half the true positives."""
    corpus = changes.pop("corpus", "conll04")
    named = {"corpus_title": "CoNLL04", "title": TITLES.get(experiment, experiment), "protocol": "epoch chosen on dev"}
    named |= {"inputs_title": "characters"} | changes
    return fake_run(root, corpus, experiment, (entities, 200, 200), (relations, 200, 200), seed=seed, **named)


def three_runs(root: Path) -> list[Path]:
    """Two seeds of CMAN and one of the baseline."""
    return [
        make_run(root, "cman", 1, 180, 140),
        make_run(root, "cman", 2, 184, 142),
        make_run(root, "multihead-at", 1, 160, 150),
    ]


def written(
    runs: list[Path], folder: Path, published: Path = PUBLISHED, **options: Any
) -> tuple[str, list[dict[str, str]]]:
    """The LaTeX, white space made single blanks, and the lines of the CSV."""
    options = {"corpora": folder / "corpora", "rounds": 200} | options
    write_tables(runs, published, folder / "tables.tex", folder / "tables.csv", **options)
    with (folder / "tables.csv").open(newline="") as stream:
        return " ".join((folder / "tables.tex").read_text().split()), list(csv.DictReader(stream))
