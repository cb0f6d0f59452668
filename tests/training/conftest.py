"""A tiny prepared corpus and a configuration whose training takes seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cman.config.configuration import Configuration, parse_configuration
from cman.corpora.prepare import prepare
from cman.corpora.raw import obtain, raw_files
from cman.layout import Layout

SMALL = {
    "contextual.enabled": False,
    "word.dim": 8,
    "char.emb": 8,
    "char.hidden": 4,
    "label.emb": 4,
    "lstm.hidden": 8,
    "attn.heads": 2,
    "rel.hidden": 8,
    "training.epochs": 3,
    "training.lr": 0.005,
    "training.schedule": "linear",
}
EXPERIMENTS = ["cman", "multihead", "multihead-at"]


@pytest.fixture
def configure() -> Callable[..., Configuration]:
    """Return a function that makes a configuration of the tiny corpus with some settings changed."""

    def make(**changes: Any) -> Configuration:
        corpus = {"format": "conll04-sample", "sentences": {"train": 24, "dev": 10, "test": 8}, "seed": 3}
        value = {"corpora": {"tiny": corpus}, "experiments": EXPERIMENTS, "settings": SMALL | changes}
        return parse_configuration(value, "a test")

    return make


@pytest.fixture
def layout(tmp_path: Path, configure: Callable[..., Configuration]) -> Layout:
    """Return a results folder that holds the prepared tiny corpus."""
    layout = Layout(tmp_path / "results")
    corpus = configure().corpus("tiny")
    for name in raw_files(corpus):
        obtain(corpus, name, layout.raw("tiny") / name)
    prepare("tiny", corpus, layout)
    return layout
