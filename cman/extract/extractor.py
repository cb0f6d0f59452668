"""Entities and relations of text with a trained model, from Python.

from cman import Extractor
extractor = Extractor.load("results/runs/conll04/cman/main/seed1/model")
extractor("Ada Lovelace lives in London.").triples
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from cman.corpora.document import Document
from cman.corpora.tokenize import Span, TextTokenizer
from cman.errors import CmanError, UsageError
from cman.extract.extraction import Extraction
from cman.extract.sentences import Given, Thresholds, documents_of, extraction_of, is_rooted, joined
from cman.features.workers import OfProcess, one_core_each
from cman.kernels import KernelChoice, use_kernels
from cman.machine import available_device
from cman.model.calibration import LIMIT
from cman.model.folder import ModelFolder
from cman.model.predict import Predictor


class Extractor:
    """A trained model that reads text. Several threads take turns; a forked process, a spawned one and one that
    unpickles it each have threads of their own.

    Args:
        folder: the model.
        device: `auto`, `cpu` or `cuda`.
        threads: cores on a CPU; all that this process may use by default.
        threshold: the least confidence of what is given back, from 0 to 1. By default every entity of the best tag
            sequence and every relation above the threshold that the model was trained with (`rel.threshold`).
        entity_threshold, relation_threshold: the same for entities or relations alone, in the place of `threshold`.
        longest_sentence: tokens of a sentence; a longer one is refused. The time for one grows with its square.
        language: of the text, for sentences and tokens; by default the one that the model was trained with.

    Raises:
        UsageError: no such device or language, or a threshold outside of 0 to 1.
    """

    def __init__(
        self,
        folder: ModelFolder,
        device: str = "auto",
        threads: int | None = None,
        threshold: float | None = None,
        language: str | None = None,
        kernels: KernelChoice = "auto",
        *,
        entity_threshold: float | None = None,
        relation_threshold: float | None = None,
        longest_sentence: int | None = None,
    ) -> None:
        given = {
            "threshold": threshold,
            "entity_threshold": entity_threshold,
            "relation_threshold": relation_threshold,
        }
        for name, value in given.items():
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"{name}: found {value}, wanted a number from 0 to 1")
        if folder.settings.ner.given:
            raise UsageError("model: found one that is given entities (ner.given), wanted one that finds them in text; "
                             "`cman predict` reads documents with entities")  # fmt: skip
        self.folder = folder
        self.thresholds = Thresholds(
            threshold if entity_threshold is None else entity_threshold,
            threshold if relation_threshold is None else relation_threshold,
        )
        _with_threshold(folder, self.thresholds.relation)
        self.tokenizer = TextTokenizer(language or folder.language)
        use_kernels(kernels)
        where = torch.device(available_device(device))
        self.predictor = Predictor(self.folder, where, one_core_each(where, threads))
        self._longest = longest_sentence
        self._rooted = is_rooted(folder.vocabulary.tags)
        self._turn: OfProcess[Any] = OfProcess(threading.RLock)

    @classmethod
    def load(
        cls, path: str | Path, *, trust: bool = False, encoder: str | Path | None = None, **options: Any
    ) -> "Extractor":
        """Load a model folder; `options` are the arguments of the class.

        Args:
            trust: follow whatever the folder names outside of itself; see `cman.fetch.outside`.
            encoder: folder of the frozen encoder, where that is another than the model's training knew.

        Raises:
            CmanError: the folder is incomplete, of another format or names what it may not; UsageError: see the class.
        """
        return cls(ModelFolder.load(Path(path), trust, encoder), **options)

    def __call__(self, text: str) -> Extraction:
        """Return the entities and relations of one text."""
        return self.batch([text])[0]

    def batch(self, texts: Iterable[str]) -> list[Extraction]:
        """Return the entities and relations of several texts, which is faster than one after another.

        Raises:
            CmanError: a text cannot be read; the message has its number, from 1.
        """
        return self.read([Given(str(number), text) for number, text in enumerate(texts, start=1)])

    def read(self, givens: Sequence[Given], threshold: float | None = None) -> list[Extraction]:
        """Return the entities and relations of texts or tokens.

        Args:
            threshold: the least confidence, of this call alone, in the place of the extractor's.

        Raises:
            CmanError: a text cannot be read; the message has its number, from 1.
        """
        sentences = []
        for number, given in enumerate(givens, start=1):
            try:
                sentences.append(self.sentences(given))
            except CmanError as error:
                raise CmanError(f"text {number}: {error}") from None
        return self.extractions(givens, sentences, threshold)

    def sentences(self, given: Given, spans: Sequence[Sequence[Span]] | None = None) -> list[Document]:
        """Return the sentences of a text as documents without annotation.

        Args:
            spans: characters of the tokens of each sentence, where they are already known.

        Raises:
            CmanError: see `documents_of`.
        """
        if spans is None:
            with self._turn.get():  # spaCy's vocabulary grows with every text
                spans = self.tokenizer.sentences(given.text) if given.tokens is None else [joined(given.tokens)]
        return documents_of(given, spans, self._rooted, self._longest)

    def extractions(
        self, givens: Sequence[Given], sentences: Sequence[Sequence[Document]], threshold: float | None = None
    ) -> list[Extraction]:
        """Return what the sentences of texts, as `sentences` gave them, hold; see `read`."""
        # Ids of several texts may be equal; those of the sentences that are annotated together may not.
        flat = [replace(each, id=str(index)) for index, each in enumerate(one for text in sentences for one in text)]
        thresholds = self.thresholds if threshold is None else Thresholds(threshold, threshold)
        relations = self.folder.model.relations
        with self._turn.get():
            kept = relations.threshold
            if threshold is not None:
                _with_threshold(self.folder, threshold)
            try:
                annotated = iter(self.predictor.predict(flat))
            finally:
                relations.threshold = kept
        return [
            extraction_of(given, [next(annotated) for _ in text], thresholds)
            for given, text in zip(givens, sentences, strict=True)
        ]

    @property
    def calibrated(self) -> bool:
        """Whether the scores are calibrated: the training had documents to do it on (`cman.model.calibration`)."""
        return self.folder.calibration is not None

    def describe(self) -> dict[str, Any]:
        """Return what the model was trained on: corpus, experiment, division and seed."""
        return dict(self.folder.trained_on)

    @property
    def entity_types(self) -> tuple[str, ...]:
        """The types that the model knows, the artificial root left out."""
        tags = self.folder.vocabulary.tags
        return tuple(tag[2:] for tag in tags if tag.startswith("B-") and not is_rooted([tag]))

    @property
    def relation_types(self) -> tuple[str, ...]:
        """The relation labels that the model knows."""
        return self.folder.vocabulary.relations


def _with_threshold(folder: ModelFolder, threshold: float | None) -> None:
    """Give the model another threshold of relations, in calibrated scores; those of 0 and 1 have no logit."""
    if threshold is not None:
        bounded = min(max(threshold, LIMIT), 1 - LIMIT)
        folder.model.relations.threshold = (
            bounded if folder.calibration is None else folder.calibration.relations.raw(bounded)
        )
