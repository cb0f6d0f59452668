"""Contextual features of a corpus, computed once, kept in a folder and memory-mapped by every training.

`features.npy` is (tokens, layers, size) in float16, one row a token in the order of the documents, or (tokens, 1, size)
where one vector a token is kept (`cman.features.layers`); `index.json` has the hashes of the corpus and of the
encoder's files, the encoder's options, and each document's first row and a hash of its tokens, so that features are
never read for other tokens than those they were computed from.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cman.corpora.document import Document
from cman.errors import CmanError, reads
from cman.features.layers import TYPES, Layers
from cman.files import read_json
from cman.hashes import check_file
from cman.validation import Read, Whole, checked

CACHED = ("features.npy", "index.json")


def token_hash(document: Document) -> str:
    """Return 16 hexadecimal digits that identify a document's tokens."""
    return hashlib.sha256(json.dumps(document.tokens).encode()).hexdigest()[:16]


def corpus_hash(documents: Sequence[Document]) -> str:
    """Return 64 hexadecimal digits that identify the tokens of documents and their order."""
    lines = [[document.id, token_hash(document)] for document in documents]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


class _Rows(Read):
    row: Whole
    tokens: str


class _Index(Read):
    corpus: str | None = None
    encoder: dict[str, Any]
    shape: list[Whole]
    kept: Layers = "all"
    layers: Whole | None = None  # of the encoder, whatever is kept of them
    documents: dict[str, _Rows]


class Features(Protocol):
    """Features of documents, wherever they are kept."""

    @property
    def features(self) -> np.ndarray:
        """All rows, (tokens, layers, size) float16, or what is kept of the layers; see `cman.features.layers`."""

    @property
    def kept(self) -> Layers:
        """What is kept of the layers."""

    @property
    def layers(self) -> int:
        """Number of the encoder's layers, whatever is kept of them."""

    @property
    def size(self) -> int:
        """Size of one layer's vector."""

    def rows(self, document: Document) -> int:
        """Return the row of a document's first token."""


class FeatureCache:
    """A read-only, memory-mapped folder of features.

    Raises:
        CmanError: a file is missing or not what the manifest lists, or the two do not belong together.
    """

    @reads("cached features")
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = checked(_Index, read_json(folder / "index.json"), str(folder / "index.json"))
        check_file(folder / "features.npy")
        try:
            self.features: np.ndarray = np.load(folder / "features.npy", mmap_mode="r")
        except (OSError, ValueError) as error:
            raise CmanError(f"{folder / 'features.npy'}: cannot be read ({error}); wanted cached features") from None
        self.documents, self.encoder, self.corpus = index.documents, index.encoder, index.corpus
        self.kept: Layers = index.kept
        kind, shape, stated = self.features.dtype, self.features.shape, tuple(index.shape)
        if kind != TYPES[self.kept] or len(shape) != 3 or shape != stated or (self.kept != "all" and shape[1] != 1):
            raise CmanError(f"{folder}: features.npy has {kind} of the shape {shape}, index.json {stated}")
        self.layers = int(shape[1]) if index.layers is None else index.layers
        self.size = int(shape[2])

    def rows(self, document: Document) -> int:
        """Return the row of a document's first token.

        Raises:
            CmanError: the document is not in the cache, or its tokens have changed since.
        """
        entry = self.documents.get(document.id)
        if entry is None:
            raise CmanError(f"{self.folder}: has no features of document {document.id!r}; embed the corpus again")
        if entry.tokens != token_hash(document) or entry.row + len(document.tokens) > len(self.features):
            raise CmanError(f"{self.folder}: document {document.id!r} has other tokens now; embed the corpus again")
        return entry.row
