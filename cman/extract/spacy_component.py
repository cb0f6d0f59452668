"""A spaCy component: `nlp.add_pipe("cman", config={"model": DIR})` sets `doc.ents` and `doc._.relations`.

It reads the pipeline's own tokens, and its sentences if a component before it sets them; else those of the model's
language. Entities that were there already are replaced.

What a doc keeps is `doc._.cman`, characters, labels and numbers alone, so that it can be serialised and pickled, and so
that components that change tokens afterwards, such as `merge_entities`, move nothing. `doc._.relations` and
`doc._.entity_scores` are made of it when they are asked for. A pipeline that is saved holds the model.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import srsly  # type: ignore[import-untyped]
from spacy.language import Language
from spacy.tokens import Doc, Span

from cman.errors import CmanError
from cman.extract.extraction import Extraction
from cman.extract.extractor import Extractor
from cman.extract.sentences import Given

SETTINGS = {"model": None, "threshold": None, "device": "auto", "threads": None, "trust": False}
MODEL = "model"  # the folder within a saved pipeline's


@dataclass(frozen=True)
class Relation:
    """A relation between two entities of a doc."""

    type: str
    head: Span
    tail: Span
    score: float | None


@Language.factory("cman", default_config=SETTINGS, assigns=["doc.ents", "doc._.relations"])
def make_component(
    nlp: Language, name: str, model: str, threshold: float | None, device: str, threads: int | None, trust: bool
) -> "CmanComponent":
    """Return the component that spaCy's configuration describes; `model` is a model folder."""
    options = {"trust": trust, "threshold": threshold, "device": device, "threads": threads}
    return CmanComponent(Path(model), options)


class CmanComponent:
    """Annotates docs.

    Args:
        source: the model's folder. One that is not there is looked for at the first doc, because spaCy makes the
            component of a saved pipeline by its old configuration before it gives it its files.
        options: keyword arguments of `Extractor.load`.
    """

    def __init__(self, source: Path, options: dict[str, Any] | None = None) -> None:
        self.source, self.options = source, options or {}
        self._extractor: Extractor | None = None
        if source.is_dir():
            self._extractor = Extractor.load(source, **self.options)
        for extension, getter in (("relations", _relations), ("entity_scores", _scores)):
            if not Doc.has_extension(extension):
                Doc.set_extension(extension, getter=getter)
        if not Doc.has_extension("cman"):
            Doc.set_extension("cman", default=None)

    @property
    def extractor(self) -> Extractor:
        """The extractor."""
        if self._extractor is None:
            self._extractor = Extractor.load(self.source, **self.options)
        return self._extractor

    @property
    def labels(self) -> tuple[str, ...]:
        """The entity types that the model knows; none while there is no model."""
        return self.extractor.entity_types if self._extractor is not None or self.source.is_dir() else ()

    @property
    def relation_labels(self) -> tuple[str, ...]:
        """The relations that the model knows."""
        return self.extractor.relation_types

    def __call__(self, doc: Doc) -> Doc:
        """Annotate one doc."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], batch_size: int = 64) -> Iterator[Doc]:
        """Annotate docs, `batch_size` at a time."""
        docs_left = iter(stream)
        while docs := list(islice(docs_left, batch_size)):
            givens = [Given(str(index), doc.text) for index, doc in enumerate(docs)]
            pairs = zip(givens, docs, strict=True)
            sentences = [self.extractor.sentences(given, _spans(doc)) for given, doc in pairs]
            for doc, extraction in zip(docs, self.extractor.extractions(givens, sentences), strict=True):
                _annotate(doc, extraction)
                yield doc

    # ---- what spaCy saves

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the model into a folder."""
        shutil.copytree(self._folder(), Path(path) / MODEL, dirs_exist_ok=True)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "CmanComponent":
        """Read the model from a folder that `to_disk` wrote."""
        self.source = Path(path) / MODEL
        self._extractor = Extractor.load(self.source, **self.options)
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Return the model's files."""
        folder = self._folder()
        files = {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
        content: bytes = srsly.msgpack_dumps(files)
        return content

    def from_bytes(self, content: bytes, *, exclude: Iterable[str] = ()) -> "CmanComponent":
        """Read the model's files, which are kept in a temporary folder as long as this component lives."""
        self._kept = tempfile.TemporaryDirectory(prefix="cman-")
        self.source = Path(self._kept.name)
        for name, part in srsly.msgpack_loads(content).items():
            target = (self.source / name).resolve()
            if not target.is_relative_to(self.source.resolve()):
                raise CmanError(f"model: found the file name {name!r}, wanted one within the model's folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(part)
        self._extractor = Extractor.load(self.source, **self.options)
        return self

    def _folder(self) -> Path:
        if not self.source.is_dir():
            raise CmanError(f"{self.source}: found no folder, wanted the model that is to be saved")
        return self.source

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_kept"}


def _relations(doc: Doc) -> list[Relation]:
    """Return the relations between spans of the doc's present tokens."""
    kept = doc._.cman or {"entities": [], "relations": []}
    spans = [doc.char_span(start, end, label, alignment_mode="expand") for start, end, label, _ in kept["entities"]]
    return [Relation(kind, spans[head], spans[tail], score) for kind, head, tail, score in kept["relations"]]


def _scores(doc: Doc) -> list[float | None]:
    return [score for *_, score in (doc._.cman or {"entities": []})["entities"]]


def relation_arcs(doc: Doc) -> dict[str, Any]:
    """Return what `displacy.render(..., style="dep", manual=True)` draws: entities and tokens as words, and arcs."""
    word_of: dict[int, int] = {}
    words: list[dict[str, str]] = []
    starts = {entity.start: entity for entity in doc.ents}
    position = 0
    while position < len(doc):
        entity = starts.get(position)
        word_of[position] = len(words)
        words.append({"text": entity.text if entity else doc[position].text, "tag": entity.label_ if entity else ""})
        position = entity.end if entity else position + 1
    arcs = []
    for link in doc._.relations:
        ends = [word_of[link.head.start], word_of[link.tail.start]]
        direction = "left" if ends[0] > ends[1] else "right"
        arcs.append({"start": min(ends), "end": max(ends), "label": link.type, "dir": direction})
    return {"words": words, "arcs": arcs}


def _spans(doc: Doc) -> list[list[tuple[int, int]]] | None:
    if not doc.has_annotation("SENT_START"):
        return None
    sentences = [[(token.idx, token.idx + len(token)) for token in one if not token.is_space] for one in doc.sents]
    return [sentence for sentence in sentences if sentence]


def _annotate(doc: Doc, extraction: Extraction) -> None:
    # The pipeline's tokens may be wider than the model's: an entity takes in the whole of a token that it touches.
    spans = [doc.char_span(one.start, one.end, label=one.type, alignment_mode="expand") for one in extraction.entities]
    kept: list[Span] = []
    places: dict[int, int] = {}  # index in the extraction -> in the doc
    for index, span in enumerate(spans):
        if span is not None and len(span) and all(span.start >= other.end or span.end <= other.start for other in kept):
            places[index] = len(kept)
            kept.append(span)
    doc.set_ents(kept)
    doc._.cman = {
        "entities": [
            [kept[place].start_char, kept[place].end_char, kept[place].label_, extraction.entities[index].score]
            for index, place in places.items()
        ],
        "relations": [
            [link.type, places[link.head], places[link.tail], link.score]
            for link in extraction.relations
            if link.head in places and link.tail in places
        ],
    }
