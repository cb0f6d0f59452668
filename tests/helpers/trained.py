"""Trainings as `cman train` makes them, in the process of the test."""

from pathlib import Path
from typing import Any

from cman.cli.training import run_of
from cman.config.configuration import Configuration
from cman.corpora.document import Document, Entity, Relation
from cman.features.batch import Batch, EncodedDocuments
from cman.features.vocabulary import Vocabulary
from cman.layout import Layout
from cman.training.train import train


def trained(
    configuration: Configuration, layout: Layout, corpus: str, experiment: str, seed: int = 1, **more: Any
) -> Path:
    """Train on one core of the CPU and return the run folder; `more` are `split` and `digest`."""
    run = run_of(configuration, corpus, experiment, more.get("split", "main"), seed, more.get("digest"))
    return train(run, layout, "cpu", 1)


def tiny_batch() -> tuple[Vocabulary, Batch]:
    """Return two sentences of different lengths as a batch, and their vocabulary."""
    documents = [
        Document("1", ("Ada", "lives", "in", "Rome", "."), (Entity("Peop", 0, 1), Entity("Loc", 3, 4)),
                 (Relation("Live_In", 0, 1),)),
        Document("2", ("Bo", "Li", "left"), (Entity("Peop", 0, 2),)),
    ]  # fmt: skip
    vocabulary = Vocabulary.of(documents)
    return vocabulary, EncodedDocuments(documents, vocabulary, None).batch([0, 1])
