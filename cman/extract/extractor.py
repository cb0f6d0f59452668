"""Entities and relations of text with a trained model, from Python.

from cman import Extractor
extractor = Extractor.load("results/runs/conll04/cman/main/seed1/model")
extractor("Ada Lovelace lives in London.").triples
"""

import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import torch

from cman.corpora.document import Document, spans_in
from cman.corpora.tokenize import Span, TextTokenizer
from cman.errors import CmanError, UsageError
from cman.extract.extraction import Extraction
from cman.extract.hub import NAME, downloaded, uploaded
from cman.extract.sentences import Given, Thresholds, documents_of, extraction_of, is_rooted
from cman.extract.texts import from_one, given_text, several, streamed
from cman.features.arithmetic import Precision
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
        precision: of the frozen encoder: `float32`, `bfloat16`, `int8`, or `auto`, which the processor decides
            and which changes next to nothing; see `cman.features.arithmetic`.
        language: of the text, for sentences and tokens; by default the one that the model was trained with.

    Raises:
        UsageError: no such device, language, precision or kernels, or a number outside of what it may be.
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
        precision: Precision = "auto",
    ) -> None:
        self.thresholds = Thresholds()
        self.thresholds = self._chosen(threshold, entity_threshold, relation_threshold)
        from_one("threads", threads)
        from_one("longest_sentence", longest_sentence)
        if kernels not in get_args(KernelChoice):
            raise UsageError(f"kernels: found {kernels!r}, wanted {' or '.join(get_args(KernelChoice))}")
        if folder.settings.ner.given:
            raise UsageError("model: found one that is given entities (ner.given), wanted one that finds them in text; "
                             "`cman predict` reads documents with entities")  # fmt: skip
        self.folder = folder
        self.source: Path | None = None  # that it was loaded from
        _with_threshold(folder, self.thresholds.relation)
        self.tokenizer = TextTokenizer(language or folder.language)
        use_kernels(kernels)
        where = torch.device(available_device(device))
        self.predictor = Predictor(self.folder, where, one_core_each(where, threads), precision)
        if precision not in ("auto", "float32"):
            _ = self.predictor.encoder  # refuses it, before any text is read
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
        folder = model_folder(path)
        extractor = cls(ModelFolder.load(folder, trust, encoder), **options)
        extractor.source = folder
        return extractor

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **options: Any,
    ) -> "Extractor":
        """Load a model of the Hugging Face hub, such as `someone/model`, or a folder; `options` as for `load`.

        Raises:
            CmanError: the model cannot be had, or see `load`.
        """
        if not Path(name).is_dir():
            name = downloaded(str(name), revision, cache_dir, local_files_only, token)
        return cls.load(name, **options)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model folder as it would be pushed, with its card.

        Raises:
            CmanError: a file stands there.
        """
        if Path(folder).is_file():
            raise CmanError(f"{folder}: found a file, wanted the name of a folder")
        if self.source is None:
            self.folder.save(Path(folder))
        elif self.source.resolve() != Path(folder).resolve():
            shutil.copytree(self.source, folder, dirs_exist_ok=True)

    def push_to_hub(
        self, name: str, *, private: bool = False, token: str | bool | None = None, commit_message: str = "A CMAN model"
    ) -> str:
        """Push the folder that the model was loaded from to the Hugging Face hub and return its address.

        Raises:
            UsageError: it was loaded from none; CmanError: the hub does not take it.
        """
        if self.source is None:
            raise UsageError("push_to_hub: found a model that was loaded from no folder, wanted `Extractor.load`")
        return uploaded(self.source, name, private, token, commit_message)

    def __repr__(self) -> str:
        trained = self.folder.trained_on
        of = f"{trained.get('experiment', 'model')} of {trained.get('corpus', 'an unknown corpus')}"
        types = f"{len(self.entity_types)} entity types, {len(self.relation_types)} relations"
        return f"<Extractor {of}: {types}, {self.tokenizer.language}, {self.predictor.device}>"

    def __call__(
        self,
        text: str,
        *,
        threshold: float | None = None,
        entity_threshold: float | None = None,
        relation_threshold: float | None = None,
    ) -> Extraction:
        """Return the entities and relations of one text; thresholds are those of the class, for this call alone.

        Raises:
            TypeError: not a text; CmanError: it cannot be read; UsageError: a threshold outside of 0 to 1.
        """
        return self.read([given_text(text)], self._chosen(threshold, entity_threshold, relation_threshold))[0]

    def batch(
        self,
        texts: Iterable[str],
        *,
        threshold: float | None = None,
        entity_threshold: float | None = None,
        relation_threshold: float | None = None,
    ) -> list[Extraction]:
        """Return the entities and relations of several texts, which is faster than one after another.

        Raises:
            TypeError: one of them is not a text, or they are one text.
            CmanError: a text cannot be read; the message has its number, from 1.
        """
        givens = [given_text(text, number) for number, text in enumerate(several(texts, "batch"), start=1)]
        return self.read(givens, self._chosen(threshold, entity_threshold, relation_threshold))

    def stream(
        self,
        texts: Iterable[Any],
        *,
        threshold: float | None = None,
        entity_threshold: float | None = None,
        relation_threshold: float | None = None,
    ) -> Iterator[Any]:
        """Yield the extraction of each text, in order, with memory that does not grow with their number.

        An item is a text, or a pair of a text and whatever belongs to it: then the pair of the extraction and that is
        yielded. Texts are read ahead, so that batches are full: some hundred short ones.

        Raises:
            TypeError, CmanError: as `batch`, when it comes to that text; those before it have been yielded.
        """
        thresholds = self._chosen(threshold, entity_threshold, relation_threshold)
        return streamed(self, several(texts, "stream"), thresholds)

    def read(self, givens: Sequence[Given], thresholds: Thresholds | float | None = None) -> list[Extraction]:
        """Return the entities and relations of texts or tokens.

        Args:
            thresholds: of this call alone, in the place of the extractor's; one number is for both.

        Raises:
            CmanError: a text cannot be read; the message has its number, from 1.
        """
        sentences = [self.numbered(given, number) for number, given in enumerate(givens, start=1)]
        return self.extractions(givens, sentences, thresholds)

    def numbered(self, given: Given, number: int) -> list[Document]:
        """Return the sentences of a text as `sentences` does; an error says which of several it is, from 1."""
        try:
            return self.sentences(given)
        except CmanError as error:
            raise CmanError(f"text {number}: {error}") from None

    def _chosen(self, threshold: float | None, entity: float | None, relation: float | None) -> Thresholds:
        """Return the thresholds of a call, where it says none those of the extractor.

        Raises:
            UsageError: one outside of 0 to 1.
        """
        given = {"threshold": threshold, "entity_threshold": entity, "relation_threshold": relation}
        for name, value in given.items():
            number = not isinstance(value, bool) and (isinstance(value, int | float) or hasattr(value, "__float__"))
            if value is not None and not (number and 0 <= value <= 1):
                raise UsageError(f"{name}: found {value!r}, wanted a number from 0 to 1")
        own = self.thresholds if threshold is None else Thresholds(threshold, threshold)
        return Thresholds(own.entity if entity is None else entity, own.relation if relation is None else relation)

    def sentences(self, given: Given, spans: Sequence[Sequence[Span]] | None = None) -> list[Document]:
        """Return the sentences of a text as documents without annotation.

        Args:
            spans: characters of the tokens of each sentence, where they are already known.

        Raises:
            CmanError: see `documents_of`.
        """
        if spans is None:
            with self._turn.get():  # spaCy's vocabulary grows with every text
                own = None if given.tokens is None else [spans_in(given.text, given.tokens) or []]
                spans = self.tokenizer.sentences(given.text) if own is None else own
        return documents_of(given, spans, self._rooted, self._longest)

    def extractions(
        self,
        givens: Sequence[Given],
        sentences: Sequence[Sequence[Document]],
        thresholds: Thresholds | float | None = None,
    ) -> list[Extraction]:
        """Return what the sentences of texts, as `sentences` gave them, hold; see `read`."""
        if thresholds is None:
            thresholds = self.thresholds
        elif not isinstance(thresholds, Thresholds):
            thresholds = self._chosen(thresholds, None, None)
        # Ids of several texts may be equal; those of the sentences that are annotated together may not.
        flat = [replace(each, id=str(index)) for index, each in enumerate(one for text in sentences for one in text)]
        relations = self.folder.model.relations
        with self._turn.get():
            kept = relations.threshold
            try:
                if thresholds.relation != self.thresholds.relation:
                    _with_threshold(self.folder, thresholds.relation)
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


def model_folder(path: str | Path) -> Path:
    """Return the path of a model folder.

    Raises:
        CmanError: there is nothing, or something else.
    """
    folder = Path(path)
    if not str(path) or not folder.exists():
        hub = NAME.fullmatch(str(path).removeprefix("https://huggingface.co/"))
        door = f"; a hub's model is had by Extractor.from_pretrained({hub[0]!r})" if hub else ""
        home = "; ~ is no part of a path: Path(...).expanduser()" if str(path).startswith("~") else ""
        raise CmanError(f"{path or repr(path)}: found no folder, wanted that of a model{home or door}")
    if not (folder / "config.json").is_file():
        found = "a file" if folder.is_file() else "no config.json"
        inside = folder / "model" if folder.is_dir() else folder.parent
        nearby = f", such as {inside}" if (inside / "config.json").is_file() else ""
        raise CmanError(f"{folder}: found {found}, wanted the folder of a model{nearby}")
    return folder


def _with_threshold(folder: ModelFolder, threshold: float | None) -> None:
    """Give the model another threshold of relations, in calibrated scores; those of 0 and 1 have no logit."""
    if threshold is not None:
        bounded = min(max(threshold, LIMIT), 1 - LIMIT)
        folder.model.relations.threshold = (
            bounded if folder.calibration is None else folder.calibration.relations.raw(bounded)
        )
