"""The document: tokens, entities and relations of one sentence, as one line of JSON.

    {"id": "1024", "tokens": ["Ada", "sleeps"], "entities": [{"type": "Peop", "start": 0, "end": 1}], "relations": []}

`end` is exclusive; `head` and `tail` of a relation index `entities`. `text` and per-token character `offsets` are
optional and kept when known. A predicted document also has a `score` in [0, 1] on each entity and relation.

Where token 0 stands for the whole that a text describes (DREC), an entity of the type `<root>` lies on it: relations
may have it as an argument, but it was not there to be found and is no entity for scores.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from cman.errors import CmanError, reads
from cman.files import atomic_text, text_lines
from cman.validation import NonEmpty, Score, Whole, checked, refused

ROOT = "<root>"


@dataclass(frozen=True)
class Entity:
    """A typed span of tokens; `start` inclusive, `end` exclusive."""

    type: str
    start: int
    end: int
    score: float | None = None

    @property
    def is_root(self) -> bool:
        """Whether this is the artificial root and not an entity of the text."""
        return self.type == ROOT and (self.start, self.end) == (0, 1)


@dataclass(frozen=True)
class Relation:
    """A typed, directed pair of entities; `head` and `tail` are positions in the document's `entities`."""

    type: str
    head: int
    tail: int
    score: float | None = None


@dataclass(frozen=True)
class Document:
    """One sentence with its annotations."""

    id: str
    tokens: tuple[str, ...]
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    text: str | None = None
    offsets: tuple[tuple[int, int], ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the document as the dictionary that stands on one line of a file."""
        value: dict[str, Any] = {"id": self.id, "tokens": list(self.tokens)}
        value["entities"] = [_without_missing_score(entity) for entity in self.entities]
        value["relations"] = [_without_missing_score(relation) for relation in self.relations]
        if self.text is not None:
            value["text"] = self.text
        if self.offsets is not None:
            value["offsets"] = [list(offset) for offset in self.offsets]
        return value


def _without_missing_score(annotation: Entity | Relation) -> dict[str, Any]:
    return {name: value for name, value in vars(annotation).items() if value is not None}


_STRICT = ConfigDict(strict=True, extra="forbid")


@with_config(_STRICT)
class _EntityLine(TypedDict):
    type: NonEmpty
    start: Whole
    end: Whole
    score: NotRequired[Score]


@with_config(_STRICT)
class _RelationLine(TypedDict):
    type: NonEmpty
    head: Whole
    tail: Whole
    score: NotRequired[Score]


@with_config(_STRICT)
class _DocumentLine(TypedDict):
    id: NonEmpty
    tokens: Annotated[list[NonEmpty], Field(min_length=1)]
    entities: list[_EntityLine]
    relations: list[_RelationLine]
    text: NotRequired[NonEmpty]
    offsets: NotRequired[list[Annotated[list[int], Field(min_length=2, max_length=2)]]]


@with_config(_STRICT)
class _RankingLine(TypedDict):
    id: NonEmpty
    relations: list[_RelationLine]


# Dictionaries: they are checked faster than models are made.
_DOCUMENT, _RANKING = TypeAdapter(_DocumentLine), TypeAdapter(_RankingLine)


def parse_relations(value: Any, entities: int, where: str) -> tuple[Relation, ...]:
    """Return the scored relations between so many entities that a line of a ranking holds; errors as for a document."""
    relations = tuple(Relation(**each) for each in checked(_RANKING, value, where)["relations"])
    _check_arguments(relations, entities, where)
    for place, relation in enumerate(relations):
        if relation.score is None:
            raise refused(where, ("relations", place, "score"), None, "a number from 0 to 1")
    return relations


def parse_document(value: Any, where: str) -> Document:
    """Return the document that a parsed JSON value describes.

    Args:
        value: what `json.loads` gave for one line.
        where: the place for error messages, such as `train.jsonl: line 3`.

    Raises:
        CmanError: the first field that is missing, unknown or out of range, named with its path.
    """
    return _document(checked(_DOCUMENT, value, where), where)


def _document(line: _DocumentLine, where: str) -> Document:
    """Return the document of a line whose fields have the right types, if they fit one another."""
    tokens = tuple(line["tokens"])
    entities = tuple([Entity(**entity) for entity in line["entities"]])
    for place, entity in enumerate(entities):
        if entity.start >= len(tokens):
            raise refused(where, ("entities", place, "start"), entity.start, f"an integer from 0 to {len(tokens) - 1}")
        if not entity.start < entity.end <= len(tokens):
            expected = f"an integer from {entity.start + 1} to {len(tokens)}"
            raise refused(where, ("entities", place, "end"), entity.end, expected)
    relations = tuple([Relation(**relation) for relation in line["relations"]])
    _check_arguments(relations, len(entities), where)
    text, offsets = line.get("text"), None
    rooted = any(entity.is_root for entity in entities)
    if "offsets" in line:
        offsets = _offsets(line["offsets"], tokens, text, rooted, where)
    elif text is not None and spans_in(text, tokens[rooted:]) is None:
        raise refused(where, ("text",), text, "the tokens and nothing but blanks between them, or offsets, too")
    return Document(line["id"], tokens, entities, relations, text, offsets)


def spans_in(text: str, tokens: Sequence[str]) -> list[tuple[int, int]] | None:
    """Return the characters of tokens in their text, blanks between them alone; None if they are not the text's own."""
    spans: list[tuple[int, int]] = []
    end = 0
    for token in tokens:
        start = text.find(token, end)
        if start < 0 or text[end:start].strip():
            return None
        end = start + len(token)
        spans.append((start, end))
    return None if text[end:].strip() else spans


def text_of(document: Document) -> tuple[str, Sequence[tuple[int, int]]]:
    """Return the text of a document and the characters of its tokens, joined by spaces where it has no text."""
    if document.text is not None:
        offsets = document.offsets or spans_in(document.text, document.tokens)
        if offsets is not None:
            return document.text, offsets
    spans, start = [], 0
    for token in document.tokens:
        spans.append((start, start + len(token)))
        start += len(token) + 1
    return " ".join(document.tokens), spans


def _check_arguments(relations: Sequence[Relation], entities: int, where: str) -> None:
    for place, relation in enumerate(relations):
        if entities == 0:
            shown = _without_missing_score(relation)
            raise refused(where, ("relations", place), shown, "no relation in a document without entities")
        for name, argument in (("head", relation.head), ("tail", relation.tail)):
            if argument >= entities:
                raise refused(where, ("relations", place, name), argument, f"an integer from 0 to {entities - 1}")


def _offsets(
    pairs: list[list[int]], tokens: Sequence[str], text: str | None, rooted: bool, where: str
) -> tuple[tuple[int, int], ...]:
    """Return the characters of each token, which must be its very own; those of an artificial root are none."""
    if len(pairs) != len(tokens):
        raise refused(where, ("offsets",), pairs, f"one [start, end] pair for each of the {len(tokens)} tokens")
    last = len(text) if text is not None else 2**31
    low = 0
    for number, ((start, end), token) in enumerate(zip(pairs, tokens, strict=True)):
        for side, least in ((0, low), (1, start)):
            if not least <= pairs[number][side] <= last:
                expected = f"an integer from {least} to {last}"
                raise refused(where, ("offsets", number, side), pairs[number][side], expected)
        fits = end - start == len(token) if text is None else text[start:end] == token
        if not fits and not (rooted and number == 0 and start == end):
            expected = f"the characters of the token {token[:40]!r}" + ("" if text is None else " in text")
            raise refused(where, ("offsets", number), pairs[number], expected)
        low = end
    return tuple([(start, end) for start, end in pairs])


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Return number, place (for messages) and text of each line of a file that is not blank."""
    for number, line in text_lines(path):
        if line.strip():
            yield number, f"{path}: line {number}", line


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CmanError(f"{where}: found invalid JSON ({error}), wanted one document a line") from None


def json_lines(path: Path) -> Iterator[tuple[int, str, Any]]:
    """Return number, place (for messages) and value of each line of a file of JSON that is not blank.

    Raises:
        CmanError: the file is missing or not UTF-8, or a line is no JSON.
    """
    for number, where, line in _lines(path):
        yield number, where, _parsed(line, where)


@reads("a document a line")
def read_documents(path: Path, annotated: bool = True) -> list[Document]:
    """Read a JSONL file of documents.

    Args:
        annotated: False reads tokens alone, too: `entities` and `relations` may be missing, and so may `id`, for which
            the number of the line stands.

    Raises:
        CmanError: the file is missing, empty, not UTF-8, or a line is not a valid document; ids must be unique.
    """
    documents: list[Document] = []
    lines: dict[str, int] = {}
    for number, where, line in _lines(path):
        try:  # what is right is parsed and checked at once; what is wrong goes the slower way to its sentence
            document = _document(_DOCUMENT.validate_json(line), where)
        except ValidationError:
            value = _parsed(line, where)
            document = parse_document(value if annotated else _completed(value, number, where), where)
        if document.id in lines:
            raise CmanError(f"{where}: field id: {document.id!r} already stands on line {lines[document.id]}")
        lines[document.id] = number
        documents.append(document)
    if not documents:
        raise CmanError(f"{path}: found no document, wanted at least one")
    return documents


def _completed(value: Any, number: int, where: str) -> Any:
    """Return a parsed line with what tokens without annotation lack."""
    if not isinstance(value, dict):
        return value
    if "tokens" not in value and "text" in value:
        raise CmanError(f"{where}: found text without tokens, wanted tokens; `cman extract` reads text")
    return {"id": str(number), "entities": [], "relations": [], **value}


def write_documents(path: Path, documents: Iterable[Document]) -> None:
    """Write documents as JSONL, one a line, atomically."""
    with atomic_text(path) as stream:
        for document in documents:
            stream.write(json.dumps(document.to_json(), ensure_ascii=False) + "\n")


def without_scores(document: Document, lost: Counter[str]) -> Document:
    """Return a document without scores, for a format that cannot hold them; how many there were is added to `lost`."""
    annotations: list[Entity | Relation] = [*document.entities, *document.relations]
    lost["scores"] += sum(each.score is not None for each in annotations)
    entities = tuple(replace(each, score=None) for each in document.entities)
    relations = tuple(replace(each, score=None) for each in document.relations)
    return replace(document, entities=entities, relations=relations)
