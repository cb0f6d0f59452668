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
from typing import Any, NoReturn

from cman.errors import CmanError, reads
from cman.files import atomic_text, read_text

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


class _Field:
    """A value of a parsed line that knows its own place, so that every complaint can name it."""

    def __init__(self, value: Any, where: str, name: str = "") -> None:
        self.value, self.where, self.name = value, where, name

    def fail(self, wanted: str) -> NoReturn:
        found = json.dumps(self.value)
        shown = found if len(found) <= 60 else found[:57] + "..."
        raise CmanError(f"{self.where}: field {self.name or 'document'}: found {shown}, wanted {wanted}")

    def __getitem__(self, key: str | int) -> "_Field":
        name = f"{self.name}[{key}]" if isinstance(key, int) else f"{self.name}.{key}".lstrip(".")
        return _Field(self.value[key], self.where, name)

    def closed(self, required: tuple[str, ...], optional: tuple[str, ...]) -> "_Field":
        if not isinstance(self.value, dict):
            self.fail("an object")
        for key in required:
            if key not in self.value:
                raise CmanError(f"{self.where}: field {self.name or 'document'}: {key!r} is missing")
        for key in self.value:
            if key not in required + optional:
                raise CmanError(f"{self.where}: field {self.name or 'document'}: unknown key {key!r}")
        return self

    def items(self) -> Iterator["_Field"]:
        if not isinstance(self.value, list):
            self.fail("a list")
        return (self[position] for position in range(len(self.value)))

    def string(self) -> str:
        if not isinstance(self.value, str) or not self.value:
            self.fail("a non-empty string")
        if any("\ud800" <= char <= "\udfff" for char in self.value):
            self.fail("text without lone surrogates, which no UTF-8 file can hold")
        return self.value

    def integer(self, low: int, high: int) -> int:
        if type(self.value) is not int or not low <= self.value <= high:
            self.fail(f"an integer from {low} to {high}")
        return self.value

    def score(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or not 0 <= self.value <= 1:
            self.fail("a number from 0 to 1")
        return float(self.value)


def _entity(field: _Field, tokens: int) -> Entity:
    field.closed(("type", "start", "end"), ("score",))
    start = field["start"].integer(0, tokens - 1)
    score = field["score"].score() if "score" in field.value else None
    return Entity(field["type"].string(), start, field["end"].integer(start + 1, tokens), score)


def _relation(field: _Field, entities: int) -> Relation:
    field.closed(("type", "head", "tail"), ("score",))
    if entities == 0:
        field.fail("no relation in a document without entities")
    head, tail = field["head"].integer(0, entities - 1), field["tail"].integer(0, entities - 1)
    score = field["score"].score() if "score" in field.value else None
    return Relation(field["type"].string(), head, tail, score)


def parse_relations(value: Any, entities: int, where: str) -> tuple[Relation, ...]:
    """Return the scored relations between so many entities that a line of a ranking holds; errors as for a document."""
    field = _Field(value, where).closed(("id", "relations"), ())
    relations = tuple(_relation(each, entities) for each in field["relations"].items())
    for place, relation in enumerate(relations):
        if relation.score is None:
            field["relations"][place].fail("a relation with a score")
    return relations


def parse_document(value: Any, where: str) -> Document:
    """Return the document that a parsed JSON value describes.

    Args:
        value: what `json.loads` gave for one line.
        where: the place for error messages, such as `train.jsonl: line 3`.

    Raises:
        CmanError: the first field that is missing, unknown or out of range, named with its path.
    """
    field = _Field(value, where)
    field.closed(("id", "tokens", "entities", "relations"), ("text", "offsets"))
    tokens = tuple(token.string() for token in field["tokens"].items())
    if not tokens:
        field["tokens"].fail("at least one token")
    entities = tuple(_entity(entity, len(tokens)) for entity in field["entities"].items())
    relations = tuple(_relation(relation, len(entities)) for relation in field["relations"].items())
    text = field["text"].string() if "text" in value else None
    rooted = any(entity.is_root for entity in entities)
    offsets = _offsets(field["offsets"], tokens, text, rooted) if "offsets" in value else None
    return Document(field["id"].string(), tokens, entities, relations, text, offsets)


def _offsets(field: _Field, tokens: Sequence[str], text: str | None, rooted: bool) -> tuple[tuple[int, int], ...]:
    """Return the characters of each token, which must be its very own; those of an artificial root are none."""
    pairs = list(field.items())
    if len(pairs) != len(tokens):
        field.fail(f"one [start, end] pair for each of the {len(tokens)} tokens")
    offsets: list[tuple[int, int]] = []
    for number, (pair, token) in enumerate(zip(pairs, tokens, strict=True)):
        if not isinstance(pair.value, list) or len(pair.value) != 2:
            pair.fail("a [start, end] pair")
        last = len(text) if text is not None else 2**31
        start = pair[0].integer(offsets[-1][1] if offsets else 0, last)
        end = pair[1].integer(start, last)
        found = token if text is None and end - start == len(token) else text and text[start:end]
        if found != token and not (rooted and number == 0 and start == end):
            pair.fail(f"the characters of the token {token[:40]!r}" + ("" if text is None else " in text"))
        offsets.append((start, end))
    return tuple(offsets)


def json_lines(path: Path) -> Iterator[tuple[int, str, Any]]:
    """Return number, place (for messages) and value of each line of a file of JSON that is not blank.

    Raises:
        CmanError: the file is missing or not UTF-8, or a line is no JSON.
    """
    # Not str.splitlines: it also breaks at U+2028 and its kin, which JSON strings may hold as they are.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}: line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CmanError(f"{where}: found invalid JSON ({error}), wanted one document a line") from None
        yield number, where, value


@reads("a document a line")
def read_documents(path: Path) -> list[Document]:
    """Read a JSONL file of documents.

    Raises:
        CmanError: the file is missing, empty, not UTF-8, or a line is not a valid document; ids must be unique.
    """
    documents: list[Document] = []
    lines: dict[str, int] = {}
    for number, where, value in json_lines(path):
        document = parse_document(value, where)
        if document.id in lines:
            raise CmanError(f"{where}: field id: {document.id!r} already stands on line {lines[document.id]}")
        lines[document.id] = number
        documents.append(document)
    if not documents:
        raise CmanError(f"{path}: found no document, wanted at least one")
    return documents


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
