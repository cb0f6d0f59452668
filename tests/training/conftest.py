"""A tiny prepared corpus and a configuration whose training takes a second."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cman.config.configuration import Configuration, parse_configuration
from cman.corpora.prepare import prepare
from cman.corpora.raw import obtain, raw_files
from cman.layout import Layout
from tests.features.tiny_bert import bert

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


def configuration_with(**changes: Any) -> Configuration:
    corpus = {"format": "conll04-sample", "sentences": {"train": 24, "dev": 10, "test": 8}, "seed": 3}
    value = {"corpora": {"tiny": corpus}, "experiments": EXPERIMENTS, "settings": SMALL | changes}
    return parse_configuration(value, "a test")


@pytest.fixture
def configure() -> Callable[..., Configuration]:
    """Return a function that makes a configuration of the tiny corpus with some settings changed."""
    return configuration_with


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder with the prepared tiny corpus."""
    layout = Layout(tmp_path_factory.mktemp("tiny"))
    corpus = configuration_with().corpus("tiny")
    for name in raw_files(corpus):
        obtain(corpus, name, layout.raw("tiny") / name)
    prepare("tiny", corpus, layout)
    return layout.root


@pytest.fixture
def layout(tmp_path: Path, prepared: Path) -> Layout:
    """Return a results folder of the test's own, with the tiny corpus."""
    return Layout(Path(shutil.copytree(prepared, tmp_path / "results")))


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a transformer of a few numbers."""
    folder = tmp_path_factory.mktemp("encoder") / "bert"
    torch.manual_seed(0)
    bert(folder)
    return folder


@pytest.fixture
def tuned(tiny_encoder: Path) -> Callable[..., Configuration]:
    """Return a function that makes a configuration with that transformer trained and some settings changed."""

    def make(**changes: Any) -> Configuration:
        trained = {"contextual.enabled": True, "contextual.encoder": "tiny", "encoder.trainable": True}
        value = configuration_with().model_dump(mode="json")
        value["experiments"] = ["cman"]
        value["encoders"] = {"tiny": {"path": str(tiny_encoder)}}
        value["settings"] |= trained | changes
        return parse_configuration(value, "a test")

    return make
