"""From a given text to documents of one sentence each, which a model reads, and back to offsets into the text.

Where training documents have an artificial root as token 0 (DREC), each sentence gets one here, too; a relation with
the root is given with an entity `<root>` of no characters at the sentence's start.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cman.corpora.document import ROOT, Document
from cman.corpora.tokenize import Span
from cman.errors import CmanError
from cman.extract.extraction import Extraction, FoundEntity, FoundRelation

ROOT_TOKEN = "ROOT"
LONGEST_TOKEN = 20_000  # characters; the character BiLSTM reads each one, so memory grows with it


class Thresholds(NamedTuple):
    """The least scores of what is given back; None: whatever the model reports."""

    entity: float | None = None
    relation: float | None = None


@dataclass(frozen=True)
class Given:
    """A text to be read, or tokens, one sentence: then the text is that given with them, or they with spaces between.

    `fields` are what else is kept of what was given.
    """

    id: str
    text: str
    tokens: tuple[str, ...] | None = None
    fields: Mapping[str, Any] | None = None


def documents_of(
    given: Given, sentences: Sequence[Sequence[Span]], rooted: bool, longest: int | None = None
) -> list[Document]:
    """Return a document a sentence, with the character offsets of its tokens, of which `sentences` has the spans.

    Raises:
        CmanError: a token is longer than `LONGEST_TOKEN`, or a sentence has more than `longest` tokens.
    """
    result = []
    for number, spans in enumerate(sentences):
        if longest is not None and len(spans) > longest:
            raise CmanError(
                f"found a sentence of {len(spans)} tokens at character {spans[0][0]}, wanted {longest} at most"
            )
        for start, end in spans:
            if end - start > LONGEST_TOKEN:
                raise CmanError(
                    f"found a token of {end - start} characters at character {start}, wanted {LONGEST_TOKEN} at most"
                )
        tokens = tuple(given.text[start:end] for start, end in spans)
        if rooted:
            tokens, spans = (ROOT_TOKEN, *tokens), [(spans[0][0], spans[0][0]), *spans]
        result.append(Document(f"{given.id}.{number}", tokens, text=given.text, offsets=tuple(spans)))
    return result


def extraction_of(given: Given, annotated: Sequence[Document], thresholds: Thresholds) -> Extraction:
    """Return what annotated sentences of a text hold, without what has a lower score than the thresholds.

    A relation of an entity that is left out is left out, too.
    """
    entities: list[FoundEntity] = []
    relations: list[FoundRelation] = []
    sentences = []
    for document in annotated:
        assert document.offsets is not None  # `documents_of` gave them
        sentences.append((document.offsets[0][0], document.offsets[-1][1]))
        in_relation = {end for link in document.relations for end in (link.head, link.tail)}
        kept: dict[int, int] = {}  # index in the document -> index in the extraction
        for index, entity in enumerate(document.entities):
            if entity.is_root and index not in in_relation:
                continue
            if entity.is_root:
                start = end = document.offsets[0][0]
                score = None
            else:
                start, end = document.offsets[entity.start][0], document.offsets[entity.end - 1][1]
                score = entity.score
            if thresholds.entity is None or score is None or score >= thresholds.entity:
                kept[index] = len(entities)
                entities.append(FoundEntity(entity.type, start, end, given.text[start:end], score))
        for link in document.relations:
            sure = thresholds.relation is None or link.score is None or link.score >= thresholds.relation
            if sure and link.head in kept and link.tail in kept:
                relations.append(FoundRelation(link.type, kept[link.head], kept[link.tail], link.score))
    return Extraction(given.id, given.text, tuple(entities), tuple(relations), tuple(sentences), given.fields)


def is_rooted(tags: Sequence[str]) -> bool:
    """Tell whether a model's tag set has the artificial root."""
    return f"B-{ROOT}" in tags
