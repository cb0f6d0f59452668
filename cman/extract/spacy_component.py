"""A spaCy component: `nlp.add_pipe("cman", config={"model": DIR})` sets `doc.ents` and `doc._.relations`.

It reads the pipeline's own tokens, and its sentences if a component before it sets them; else those of the model's
language. Entities that were there already are replaced.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc, Span

from cman.extract.extraction import Extraction
from cman.extract.extractor import Extractor
from cman.extract.sentences import Given

SETTINGS = {"model": None, "threshold": None, "device": "auto", "threads": None, "trust": False}


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
    return CmanComponent(Extractor.load(model, trust=trust, threshold=threshold, device=device, threads=threads))


class CmanComponent:
    """Annotates docs."""

    def __init__(self, extractor: Extractor) -> None:
        self.extractor = extractor
        for extension in ("relations", "entity_scores"):
            if not Doc.has_extension(extension):
                Doc.set_extension(extension, default=[])

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
    for span in spans:
        if span is not None and len(span) and all(span.start >= other.end or span.end <= other.start for other in kept):
            kept.append(span)
    doc.set_ents(kept)
    doc._.entity_scores = [one.score for one, span in zip(extraction.entities, spans, strict=True) if span in kept]
    doc._.relations = []
    for link in extraction.relations:
        head, tail = spans[link.head], spans[link.tail]
        if head is not None and tail is not None and head in kept and tail in kept:
            doc._.relations.append(Relation(link.type, head, tail, link.score))
