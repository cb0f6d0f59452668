"""Frozen encoders of any kind, and the features that they give to documents: on disk for a corpus, or in memory.

An encoder reads each document by itself, so the features of a corpus depend on its tokens, the encoder's files and its
options alone: `index.json` keeps the hashes of all three, and features that have them are never computed again.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.arithmetic import Arithmetic, Precision, refuse_precision
from cman.features.cache import CACHED, FeatureCache, corpus_hash, token_hash
from cman.features.layers import TYPES, Layers, kept, serves
from cman.fetch.inputs import encoder_files, verified
from cman.fetch.models import EncoderSource, file_hashes, model_directory
from cman.files import atomic_path, write_json
from cman.layout import Layout
from cman.manifest import list_files

log = logging.getLogger(__name__)


class FrozenEncoder(Protocol):
    """An encoder on one device."""

    layers: int
    size: int
    arithmetic: Arithmetic

    def identity(self) -> dict[str, Any]:
        """Return what distinguishes this encoder's features from another's: hashes of files, and options."""

    def features(
        self, documents: Sequence[Document], workers: Executor | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (position of the document, (tokens, layers, size) float16), in an order of the encoder's choice."""


def open_encoder(
    encoder: EncoderSource, name: str, device: torch.device, layout: Layout, precision: Precision = "float32"
) -> FrozenEncoder:
    """Return the encoder that a configuration names; `layout` says where downloaded files are.

    Raises:
        CmanError: a file is missing or malformed.
        UsageError: the encoder knows no such precision.
    """
    # Imported here: each kind has libraries of its own, which take seconds to load.
    if encoder.options is not None:
        from cman.features.elmo.encoder import ElmoEncoder

        refuse_precision(precision, f"encoder {name} is an ELMo")
        return ElmoEncoder(encoder, name, device, layout)
    from cman.features.transformer.encoder import TransformerEncoder

    return TransformerEncoder.frozen(encoder, name, device, precision)


def encoder_hashes(encoder: EncoderSource, name: str, layout: Layout) -> dict[str, str]:
    """Return the SHA-256 of an encoder's files as `FrozenEncoder.identity` does, without opening any of them.

    Raises:
        CmanError: a file is missing.
    """
    if encoder.options is None:
        return file_hashes(model_directory(encoder, name))
    return {key: verified(file)[1] for key, file in encoder_files(encoder, name, layout).items()}


class DocumentFeatures:
    """Features of documents that are in memory, with the reading side of `FeatureCache`; ids must be unique."""

    def __init__(
        self,
        encoder: FrozenEncoder,
        documents: Sequence[Document],
        workers: Executor | None = None,
        layers: Layers = "all",
    ) -> None:
        lengths = [len(document.tokens) for document in documents]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        self.kept, self.layers, self.size = layers, encoder.layers, encoder.size
        self.features: np.ndarray = np.zeros(_shape(encoder, int(starts[-1]), layers), dtype=TYPES[layers])
        for index, values in encoder.features(documents, workers):
            self.features[starts[index] : starts[index + 1]] = kept(values, layers)
        self._rows = {document.id: int(start) for document, start in zip(documents, starts[:-1], strict=True)}

    def rows(self, document: Document) -> int:
        """Return the row of a document's first token."""
        return self._rows[document.id]


def is_current(documents: Sequence[Document], encoder: FrozenEncoder, folder: Path, layers: Layers = "all") -> bool:
    """Say whether a folder holds the features that `write_cache` would write, or those with all layers."""
    try:
        cache = FeatureCache(folder)
    except CmanError:  # incomplete or damaged, which writing it again mends
        return False
    same = cache.encoder == encoder.identity() and cache.corpus == corpus_hash(documents)
    return same and serves(cache.kept, layers)


def write_cache(
    documents: Sequence[Document],
    encoder: FrozenEncoder,
    folder: Path,
    workers: Executor | None = None,
    layers: Layers = "all",
) -> None:
    """Write the features of documents as a folder that `FeatureCache` reads; documents of one id must be the same.

    Args:
        layers: what is kept of the encoder's; see `cman.features.layers`.

    Raises:
        CmanError: two different documents have one id, or a feature is no number that float16 holds.
    """
    distinct: dict[str, Document] = {}
    for document in documents:
        if token_hash(distinct.setdefault(document.id, document)) != token_hash(document):
            raise CmanError(f"document {document.id!r} stands in two splits with different tokens")
    unique = list(distinct.values())
    starts = np.concatenate([[0], np.cumsum([len(document.tokens) for document in unique])]).astype(int)
    shape, kind = _shape(encoder, int(starts[-1]), layers), TYPES[layers]
    with atomic_path(folder / "features.npy") as temporary:
        # A file object, because NumPy would append .npy to a name without it.
        with temporary.open("wb") as stream:
            np.lib.format.write_array_header_2_0(stream, {"descr": kind.str, "fortran_order": False, "shape": shape})
            stream.flush()
            offset = stream.tell()
            # Not a file with holes: a disk that fills up while they are written through the map would kill the process.
            os.posix_fallocate(stream.fileno(), 0, offset + kind.itemsize * int(np.prod(shape)))
        features = np.memmap(temporary, dtype=kind, mode="r+", offset=offset, shape=shape)
        for done, (index, values) in enumerate(encoder.features(unique, workers), start=1):
            if not np.isfinite(values).all():
                raise CmanError(f"document {unique[index].id!r}: found a feature that is no number of float16")
            features[starts[index] : starts[index + 1]] = kept(values, layers)
            if done % 500 == 0 or done == len(unique):
                log.info("%d of %d documents embedded", done, len(unique))
        features.flush()
        del features
        # A process that ends between the two files must not leave new features under the index of old ones.
        (folder / "index.json").unlink(missing_ok=True)
    contents = {
        "corpus": corpus_hash(documents),
        "encoder": encoder.identity(),
        "shape": shape,
        "kept": layers,
        "layers": encoder.layers,
        "documents": {
            document.id: {"row": int(start), "tokens": token_hash(document)}
            for document, start in zip(unique, starts[:-1], strict=True)
        },
    }
    write_json(folder / "index.json", contents)
    list_files(folder, CACHED)


def _shape(encoder: FrozenEncoder, tokens: int, layers: Layers) -> tuple[int, int, int]:
    return tokens, encoder.layers if layers == "all" else 1, encoder.size
