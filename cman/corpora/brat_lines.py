"""The lines of a brat annotation file (.ann): text-bound annotations `T` and binary relations `R`.

Other lines (events E, attributes A and M, normalisations N, notes #, equivalences *) say nothing that a model of
entities and relations could learn; they are counted and reported.
"""

import re
from pathlib import Path

from cman.corpora.document import Document, Entity, Relation
from cman.corpora.offsets import Offsets, conventions
from cman.corpora.spans import Annotations, Span
from cman.errors import CmanError, reads
from cman.files import text_lines

OTHERS = {"E": "event", "A": "attribute", "M": "attribute", "N": "normalisation", "#": "note", "*": "equivalence"}
ENTITY = re.compile(r"(\S+) (\d{1,15} \d{1,15}(?:;\d{1,15} \d{1,15})*)")
RELATION = re.compile(r"(\S+)[ \t]+(\S+?):(\S+)[ \t]+(\S+?):(\S+)")
PLAIN_ROLES = ("Arg1", "Arg2")

Roles = dict[tuple[str, frozenset[str]], tuple[str, str]]  # relation with its roles -> role of the head, of the tail


@reads("annotations of brat")
def read_annotations(path: Path, text: str, roles: Roles | None = None, marked: bool = False) -> Annotations:
    """Read a file of annotations of a text.

    Args:
        roles: which role of a relation is its head's, where roles have names of their own; a relation that is not
            there yet gets the order of its first line.
        marked: the file of the text begins with a byte order mark, which is no part of `text`.

    Raises:
        CmanError: the first malformed line, with its number, field, what was found and what was wanted.
    """
    found, events = Annotations(), set()
    entities: list[tuple[str, str, str]] = []
    links: list[tuple[str, str]] = []
    for number, line in text_lines(path):
        where = f"{path}: line {number}"
        if not line.strip():
            continue
        name, _, rest = line.partition("\t")
        if line[0] == "T":
            entities.append((where, name, rest))
        elif line[0] == "R":
            links.append((where, rest))
        elif line[0] in OTHERS:
            found.others[OTHERS[line[0]]] += 1
            events.add(name)
        else:
            raise CmanError(f"{where}: found {line[:40]!r}, wanted a line that begins with T, R, E, A, M, N, # or *")
    found.spans, found.counting = _spans(entities, text, marked)
    for where, rest in links:  # an argument may stand below its relation
        kind, head, tail = _arguments(rest, where, {} if roles is None else roles)
        missing = next((end for end in (head, tail) if end not in found.spans), None)
        if missing in events:
            found.others["relation of an event"] += 1
        elif missing is not None:
            raise CmanError(f"{where}: field argument: found {missing!r}, wanted the id of a T line of this file")
        else:
            found.relations.append((where, kind, head, tail))
    return found


def _arguments(rest: str, where: str, roles: Roles) -> tuple[str, str, str]:
    """Return type, head and tail of a relation, in whichever order its arguments stand."""
    match = RELATION.fullmatch(rest.rstrip())
    if match is None:
        raise CmanError(f"{where}: field relation: found {rest[:60]!r}, wanted 'Type Arg1:T1 Arg2:T2', two roles")
    kind, first, one, second, other = match.groups()
    if first == second:
        raise CmanError(f"{where}: field relation: found the role {first!r} twice, wanted two roles")
    key = kind, frozenset((first, second))
    order = PLAIN_ROLES if key[1] == set(PLAIN_ROLES) else roles.setdefault(key, (first, second))
    return (kind, one, other) if first == order[0] else (kind, other, one)


def read_roles(path: Path) -> Roles:
    """Return the roles in the order in which a file `annotation.conf` of brat declares those of each relation."""
    roles: Roles = {}
    section = ""
    for _, line in text_lines(path):
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]").lower()
        elif section == "relations" and (match := re.match(r"[-\s]*(\S+)\s+([^\s:,]+):[^,]*,\s*([^\s:,]+):", line)):
            kind, first, second = match.groups()
            roles.setdefault((kind, frozenset((first, second))), (first, second))
    return roles


def _spans(lines: list[tuple[str, str, str]], text: str, marked: bool) -> tuple[dict[str, Span], str]:
    """Return the spans by their names, and how their offsets are counted if it is not as Python counts."""
    try:
        return _counted(lines, text, None), ""
    except _OffsetError as error:
        for name, offsets in conventions(text, marked):
            try:
                return _counted(lines, text, offsets), name
            except _OffsetError:
                continue
        raise CmanError(str(error)) from None


def _counted(lines: list[tuple[str, str, str]], text: str, offsets: Offsets | None) -> dict[str, Span]:
    spans: dict[str, Span] = {}
    for where, name, rest in lines:
        if name in spans:
            raise CmanError(f"{where}: field id: found {name} a second time, wanted a new one")
        spans[name] = _span(rest, name, where, text, offsets)
    return spans


class _OffsetError(CmanError):
    """A span that does not cover its words, as the offsets are counted."""


def _span(rest: str, name: str, where: str, text: str, offsets: Offsets | None) -> Span:
    kind, _, written = rest.partition("\t")
    match = ENTITY.fullmatch(kind)
    if match is None:
        raise CmanError(
            f"{where}: field span: found {kind[:60]!r}, wanted 'Type START END' or 'Type START END;START END'"
        )
    parts: list[tuple[int, int]] = []
    for part in match[2].split(";"):
        start, end = map(int, part.split(" "))
        if offsets is not None:
            start, end = offsets.get(start, -1), offsets.get(end, -1)
        if not 0 <= start < end <= len(text):
            raise _OffsetError(f"{where}: field span: found {part!r}, wanted START < END <= {len(text)} characters")
        if parts and start < parts[-1][1]:
            raise CmanError(f"{where}: field span: found {match[2]!r}, wanted parts in the order of the text")
        parts.append((start, end))
    covered = " ".join(text[start:end] for start, end in parts)
    if " ".join(covered.split()) != " ".join(written.split()):
        raise _OffsetError(
            f"{where}: field text: found {written[:60]!r}, wanted {covered[:60]!r}, which the span covers"
        )
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
