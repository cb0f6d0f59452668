"""Annotating sentences with a loaded model: batches of similar length, several at a time on a CPU.

On a CPU each worker thread computes whole batches on one core. Two cores then do nearly twice the work of one, which
PyTorch's own threads within an operation do not reach at this model's sizes, and the result does not depend on how many
there are.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import torch

from cman.config.settings import FineTuning
from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.batch import EncodedDocuments
from cman.features.frozen import DocumentFeatures, FrozenEncoder, open_encoder
from cman.layout import Layout
from cman.model.decode import Dropped, decode_batch
from cman.model.folder import ModelFolder

if TYPE_CHECKING:
    from cman.model.finetuning import TrainableEncoder

T = TypeVar("T")
R = TypeVar("R")

TOKENS_A_BATCH = 1024  # padding included; larger batches fall out of a core's cache
SENTENCES_A_BATCH = 64


class Annotator:
    """Finds entities and relations of sentences.

    Args:
        folder: the model; it is moved to `device`.
        threads: cores to use on a CPU.
    """

    def __init__(self, folder: ModelFolder, device: torch.device, threads: int) -> None:
        self.folder, self.device, self.threads = folder, device, threads
        self.model = folder.model.to(device).eval()
        self._elmo: FrozenEncoder | None = None
        self.transformer: TrainableEncoder | None = None
        self._pool: ThreadPoolExecutor | None = None
        if device.type == "cpu":
            # The number of threads within an operation is set for each thread that calls PyTorch.
            self._pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))

    def annotate(self, sentences: Sequence[Document]) -> list[Document]:
        """Return the sentences with predicted entities and relations, in their order; ids must be unique."""
        if not sentences:
            return []
        folder = self.folder
        self._open_encoder()
        features = None if self._elmo is None else DocumentFeatures(self._elmo, sentences)
        pieces = folder.pieces if self.transformer is None else self.transformer.pieces
        anchor = folder.settings.rel.anchor
        encoded = EncodedDocuments(sentences, folder.vocabulary, features, anchor, annotated=False, pieces=pieces)
        result: list[Document | None] = [None] * len(sentences)
        batches = list(batches_by_length([len(sentence.tokens) for sentence in sentences]))
        for indices, annotated in zip(batches, self.each(partial(self._batch, encoded), batches), strict=True):
            for index, document in zip(indices, annotated, strict=True):
                result[index] = document
        return [document for document in result if document is not None]

    def each(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Return what a function gives for each item, on the worker threads where there are some."""
        return list(map(function, items) if self._pool is None else self._pool.map(function, items))

    def _batch(self, encoded: EncodedDocuments, indices: list[int]) -> list[Document]:
        with torch.inference_mode():
            batch = encoded.batch(indices).to(self.device)
            if self.transformer is not None:
                assert batch.windows is not None
                # Rounded as the cached features that the model was trained with are.
                layers = self.transformer(batch.windows, (batch.words.shape[0], batch.words.shape[1])).half()
                batch = replace(batch, contextual=layers, windows=None)
            prediction = self.model.predict(batch)
            documents = [encoded.documents[index] for index in indices]
            return decode_batch(
                prediction,
                documents,
                batch.lengths,
                self.folder.vocabulary,
                self.model.reported_crf,
                self.folder.settings.rel,
                Dropped(),
            )

    def _open_encoder(self) -> None:
        """Load a frozen encoder when the first text needs it: that takes seconds."""
        folder = self.folder
        if folder.encoder is None or folder.pieces is not None or self.transformer or self._elmo:
            return
        name = folder.settings.contextual.encoder
        torch.set_num_threads(self.threads)
        if folder.encoder.options is not None:
            self._elmo = open_encoder(folder.encoder, name, self.device, Layout())
            return
        from cman.model.finetuning import TrainableEncoder  # transformers takes seconds to load

        # Computed batch by batch beside the model, not beforehand for all sentences: every core is busy to the end.
        self.transformer = TrainableEncoder.open(folder.encoder, name, FineTuning()).to(self.device).eval()
        if (self.transformer.layers, self.transformer.size) != folder.contextual:
            found = (self.transformer.layers, self.transformer.size)
            raise CmanError(
                f"encoders.{name}: found {found} (layers, size), the model was trained on {folder.contextual}"
            )


def batches_by_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield positions, short sentences first, in batches that padding does not make larger than the limits above."""
    batch: list[int] = []
    for position in sorted(range(len(lengths)), key=lambda position: (lengths[position], position)):
        full = len(batch) == SENTENCES_A_BATCH or (len(batch) + 1) * lengths[position] > TOKENS_A_BATCH
        if batch and full:
            yield batch
            batch = []
        batch.append(position)
    if batch:
        yield batch
