"""A tiny corpus, features for it and small models of it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from small import CONTEXTUAL, small_model

from cman.corpora.document import Document, Entity, Relation
from cman.features.batch import Batch, EncodedDocuments
from cman.features.vocabulary import Vocabulary

SENTENCES = (
    ("Ada Lovelace lives in London .", [("Peop", 0, 2), ("Loc", 4, 5)], [("Live_In", 0, 1)]),
    ("Paris lies in northern France , said Bo .", [("Loc", 0, 1), ("Loc", 4, 5), ("Peop", 7, 8)], [("In", 0, 1)]),
    ("Bo killed Ada in Rome", [("Peop", 0, 1), ("Peop", 2, 3), ("Loc", 4, 5)], [("Kill", 0, 1), ("Live_In", 1, 2)]),
    ("Nothing happened .", [], []),
    ("Cy", [("Peop", 0, 1)], []),
    ("New York City lies in the State New York", [("Loc", 0, 3), ("Loc", 7, 9)], [("In", 0, 1)]),
    ("in Rome Di of Oslo killed Cy", [("Loc", 1, 2), ("Peop", 2, 3), ("Loc", 4, 5), ("Peop", 6, 7)], [
        ("Live_In", 1, 2), ("Kill", 1, 3)]),
    ("Ed lives in Bonn and Fay lives in Kiel", [("Peop", 0, 1), ("Loc", 3, 4), ("Peop", 5, 6), ("Loc", 8, 9)], [
        ("Live_In", 0, 1), ("Live_In", 2, 3)]),
)  # fmt: skip


class RandomFeatures:
    """Contextual features with the reading side of a cache, (tokens, layers, size) float16."""

    def __init__(self, documents: Sequence[Document]) -> None:
        starts = np.cumsum([0, *(len(document.tokens) for document in documents)])
        self._rows = {document.id: int(start) for document, start in zip(documents, starts[:-1], strict=True)}
        self.features = np.random.default_rng(0).normal(size=(int(starts[-1]), *CONTEXTUAL)).astype(np.float16)

    def rows(self, document: Document) -> int:
        return self._rows[document.id]


@pytest.fixture(scope="session")
def corpus() -> list[Document]:
    return [
        Document(
            str(number),
            tuple(text.split()),
            tuple(Entity(*entity) for entity in entities),
            tuple(Relation(*relation) for relation in relations),
        )
        for number, (text, entities, relations) in enumerate(SENTENCES)
    ]


@pytest.fixture(scope="session")
def vocabulary(corpus: list[Document]) -> Vocabulary:
    return Vocabulary.of(corpus)


@pytest.fixture(scope="session")
def encode(corpus: list[Document], vocabulary: Vocabulary) -> Callable[..., EncodedDocuments]:
    """(contextual, anchor, pieces) -> the corpus as ids."""

    def encoded(contextual: bool = True, anchor: str = "last", pieces: Any = None) -> EncodedDocuments:
        cache: Any = RandomFeatures(corpus) if contextual else None
        return EncodedDocuments(corpus, vocabulary, cache, anchor, pieces=pieces)

    return encoded


@pytest.fixture(scope="session")
def batch(encode: Callable[..., EncodedDocuments]) -> Batch:
    """The whole corpus, sentences of 1 to 9 tokens."""
    return encode().batch(range(len(SENTENCES)))


@pytest.fixture(scope="session")
def build(vocabulary: Vocabulary) -> Callable[..., Any]:
    """(changes, vectors) -> a small model of the corpus in evaluation mode, and its settings."""
    return partial(small_model, vocabulary)
