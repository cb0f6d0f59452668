"""The lines of a brat annotation file (.ann): text-bound annotations `T` and binary relations `R`.

Other lines (events E, attributes A and M, normalisations N, notes #, equivalences *) say nothing that a model of
entities and relations could learn; they are counted and reported.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from cman.corpora.document import Document, Entity, Relation
from cman.errors import CmanError, reads
from cman.files import read_text

OTHERS = {"E": "event", "A": "attribute", "M": "attribute", "N": "normalisation", "#": "note", "*": "equivalence"}
ENTITY = re.compile(r"(\S+) (\d{1,15} \d{1,15}(?:;\d{1,15} \d{1,15})*)")
RELATION = re.compile(r"(\S+) Arg1:(\S+) Arg2:(\S+)")


@dataclass(frozen=True)
class Span:
    """A text-bound annotation: its type, its parts in characters (`end` exclusive), and where it was written."""

    type: str
    parts: tuple[tuple[int, int], ...]
    where: str
    name: str


@dataclass
class Annotations:
    """What one file holds; relations are (where, type, head, tail) with the names of spans."""

    spans: dict[str, Span] = field(default_factory=dict)
    relations: list[tuple[str, str, str, str]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


@reads("annotations of brat")
def read_annotations(path: Path, text: str) -> Annotations:
    """Read a file of annotations of a text.

    Raises:
        CmanError: the first malformed line, with its number, field, what was found and what was wanted.
    """
    found, events, lines = Annotations(), set(), []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        line, where = line.rstrip("\r"), f"{path}: line {number}"
        if not line.strip():
            continue
        name, _, rest = line.partition("\t")
        if line[0] == "T":
            if name in found.spans:
                raise CmanError(f"{where}: field id: found {name} a second time, wanted a new one")
            found.spans[name] = _span(rest, name, where, text)
        elif line[0] == "R":
            lines.append((where, rest))
        elif line[0] in OTHERS:
            found.others[OTHERS[line[0]]] += 1
            events.add(name)
        else:
            raise CmanError(f"{where}: found {line[:40]!r}, wanted a line that begins with T, R, E, A, M, N, # or *")
    for where, rest in lines:  # an argument may stand below its relation
        match = RELATION.fullmatch(rest.rstrip())
        if match is None:
            raise CmanError(f"{where}: field relation: found {rest[:60]!r}, wanted 'Type Arg1:T1 Arg2:T2'")
        kind, head, tail = match.groups()
        missing = next((end for end in (head, tail) if end not in found.spans), None)
        if missing in events:
            found.others["relation of an event"] += 1
        elif missing is not None:
            raise CmanError(f"{where}: field argument: found {missing!r}, wanted the id of a T line of this file")
        else:
            found.relations.append((where, kind, head, tail))
    return found


def _span(rest: str, name: str, where: str, text: str) -> Span:
    kind, _, written = rest.partition("\t")
    match = ENTITY.fullmatch(kind)
    if match is None:
        raise CmanError(
            f"{where}: field span: found {kind[:60]!r}, wanted 'Type START END' or 'Type START END;START END'"
        )
    parts: list[tuple[int, int]] = []
    for part in match[2].split(";"):
        start, end = map(int, part.split(" "))
        if not start < end <= len(text):
            raise CmanError(f"{where}: field span: found {part!r}, wanted START < END <= {len(text)} characters")
        if parts and start < parts[-1][1]:
            raise CmanError(f"{where}: field span: found {match[2]!r}, wanted parts in the order of the text")
        parts.append((start, end))
    covered = " ".join(text[start:end] for start, end in parts)
    if " ".join(covered.split()) != " ".join(written.split()):
        raise CmanError(f"{where}: field text: found {written[:60]!r}, wanted {covered[:60]!r}, which the span covers")
    return Span(match[1], _joined(parts, text), where, name)


def _joined(parts: list[tuple[int, int]], text: str) -> tuple[tuple[int, int], ...]:
    """Join parts with nothing but blanks between them: brat itself divides a span at a line break."""
    joined = [parts[0]]
    for start, end in parts[1:]:
        if text[joined[-1][1] : start].strip():
            joined.append((start, end))
        else:
            joined[-1] = (joined[-1][0], end)
    return tuple(joined)


def annotation_lines(document: Document, where: str) -> tuple[str, list[str]]:
    """Return a document's text and the lines of its annotation file.

    Raises:
        CmanError: a type has blanks; `where` names the document.
    """
    text, offsets = document.text, document.offsets
    if text is None or offsets is None:
        text, spans, start = " ".join(document.tokens), [], 0
        for token in document.tokens:
            spans.append((start, start + len(token)))
            start += len(token) + 1
        offsets = tuple(spans)
    annotations: list[Entity | Relation] = [*document.entities, *document.relations]
    for item in annotations:
        if re.search(r"\s", item.type):
            raise CmanError(f"{where}: found the type {item.type!r}, wanted one without blanks")
    lines = []
    for number, entity in enumerate(document.entities, start=1):
        start, end = offsets[entity.start][0], offsets[entity.end - 1][1]
        lines.append(f"T{number}\t{entity.type} {start} {end}\t{' '.join(text[start:end].split())}")
    for number, link in enumerate(document.relations, start=1):
        lines.append(f"R{number}\t{link.type} Arg1:T{link.head + 1} Arg2:T{link.tail + 1}")
    return text, lines
