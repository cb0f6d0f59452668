"""The five tab-separated columns of Bekoulis et al. (2018), in which CoNLL04 (`bekou`) and DREC come.

A sentence is a line `#doc ID` and then one row a token: index, token, BIO tag, list of relation labels, list of the
relations' second arguments. A relation stands on the last token of its first argument and names the last token of its
second; `['N']` with the token's own index means no relation. The first argument is the head of our relation, the
second the tail.

DREC's token 0 is an artificial root that stands for the advertised property as a whole. It becomes an entity of the
type `ROOT`, an argument of relations that is not scored as an entity. As nobody could check all of that corpus against
this reader, a relation that the baseline's scorer would not count is left out with a warning, not refused.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from cman.corpora.bio import OUTSIDE, entities_of, tags_of
from cman.corpora.document import ROOT, Document, Entity, Relation, without_scores
from cman.corpora.duplicates import without_duplicates
from cman.corpora.overlap import keep_longest
from cman.errors import CmanError, reads
from cman.files import text_lines, write_text

Item = TypeVar("Item", str, int)
Rows = list[tuple[int, list[str]]]  # (line number, columns)

NO_RELATION = "N"
COLUMNS = ("index", "token", "tag", "relations", "heads")


@reads("five columns a token")
def read_columns(path: Path, warnings: list[str], *, root: bool = False) -> list[Document]:
    """Read one file; what is read otherwise than it is written is added to `warnings`.

    Args:
        root: token 0 of every sentence is the artificial root.

    Raises:
        CmanError: the first malformed line, with its number, field, what was found and what was wanted.
    """
    documents = [_document(path, rows, identifier, warnings, root) for identifier, rows in _blocks(path)]
    if not documents:
        raise CmanError(f"{path}: found no sentence, wanted lines that begin with '#doc'")
    return documents


def _blocks(path: Path) -> Iterator[tuple[str, Rows]]:
    """Yield (document id, [(line number, columns), ...]) for each sentence."""
    identifier, rows = "", Rows()
    opened: dict[str, int] = {}
    for number, line in text_lines(path):
        if line.startswith("#doc"):
            if identifier:
                yield _checked_block(path, identifier, opened[identifier], rows)
            identifier, rows = line[4:].strip(), []
            if not identifier:
                raise CmanError(f"{path}: line {number}: field document id: found nothing, wanted '#doc ID'")
            if identifier in opened:
                raise CmanError(
                    f"{path}: line {number}: field document id: found {identifier!r}, "
                    f"which already stands on line {opened[identifier]}; wanted a new one"
                )
            opened[identifier] = number
        elif line.strip():
            if not identifier:
                raise CmanError(f"{path}: line {number}: found {line[:40]!r}, wanted '#doc ID' before the first token")
            rows.append((number, line.split("\t")))
    if identifier:
        yield _checked_block(path, identifier, opened[identifier], rows)


def _checked_block(path: Path, identifier: str, line: int, rows: Rows) -> tuple[str, Rows]:
    if not rows:
        raise CmanError(f"{path}: line {line}: document {identifier!r} has no token, wanted at least one row")
    return identifier, rows


def _document(path: Path, rows: Rows, identifier: str, warnings: list[str], root: bool) -> Document:
    tokens: list[str] = []
    tags: list[str] = []
    links: list[tuple[int, int, str, int]] = []
    for position, (number, columns) in enumerate(rows):
        where = f"{path}: line {number}"
        if len(columns) != len(COLUMNS):
            raise CmanError(f"{where}: found {len(columns)} columns, wanted {len(COLUMNS)} ({', '.join(COLUMNS)})")
        index, token, tag, labels, heads = columns
        if index.strip() != str(position):
            raise CmanError(f"{where}: field index: found {index!r}, wanted {position}")
        if not token:
            raise CmanError(f"{where}: field token: found nothing, wanted a token")
        if root and position == 0 and tag != OUTSIDE:
            raise CmanError(f"{where}: field tag: found {tag!r}, wanted {OUTSIDE}, because token 0 is the root")
        tokens.append(token)
        tags.append(_tag(where, tag, tags, warnings, identifier))
        links.extend((number, position, label, head) for label, head in _links(where, labels, heads, len(rows)))
    entities = [Entity(ROOT, 0, 1)] * root + entities_of(tags)
    place = _place_loosely if root else _place
    relations: list[Relation] = []
    for number, first, label, second in links:
        where = f"{path}: line {number}"
        head, tail = (place(where, name, label, token, tokens, entities, warnings)
                      for name, token in (("relations", first), ("heads", second)))  # fmt: skip
        if head is None or tail is None:
            continue
        relation = Relation(label, head, tail)
        if relation in relations or head == tail:
            problem = "a second time" if relation in relations else "from an entity to itself"
            if not root:
                raise CmanError(f"{where}: field relations: found {label} {problem}, wanted distinct pairs")
            warnings.append(f"{where}: {label} {problem} left out")
            continue
        relations.append(relation)
    return Document(identifier, tuple(tokens), tuple(entities), tuple(relations))


def _place(
    where: str, name: str, label: str, token: int, tokens: list[str], entities: list[Entity], warnings: list[str]
) -> int | None:
    """Return the entity whose last token is given."""
    for place, entity in enumerate(entities):
        if entity.end - 1 == token:
            return place
    raise CmanError(
        f"{where}: field {name}: found a {label} relation at token {token} ({tokens[token]!r}), wanted the last token "
        "of an entity"
    )


def _place_loosely(
    where: str, name: str, label: str, token: int, tokens: list[str], entities: list[Entity], warnings: list[str]
) -> int | None:
    """Return the entity that a token is in, as the baseline's scorer does; None, and a warning, if it is in none."""
    for place, entity in enumerate(entities):
        if entity.start <= token < entity.end:
            if token != entity.end - 1:
                warnings.append(f"{where}: {label} at token {token} read as one of the whole entity around it")
            return place
    warnings.append(f"{where}: {label} at token {token} ({tokens[token]!r}), which is in no entity, left out")
    return None


def _tag(where: str, tag: str, before: list[str], warnings: list[str], identifier: str) -> str:
    prefix, dash, kind = tag.partition("-")
    if tag != OUTSIDE and (prefix not in ("B", "I") or not dash or not kind):
        raise CmanError(f"{where}: field tag: found {tag!r}, wanted O, B-type or I-type")
    if prefix == "I" and (not before or before[-1] not in (f"B-{kind}", f"I-{kind}")):
        warnings.append(f"document {identifier}: stray {tag} at token {len(before)} read as the start of an entity")
    return tag


def _links(where: str, labels: str, heads: str, tokens: int) -> Iterator[tuple[str, int]]:
    """Yield (label, index of the second argument) for each relation of one row."""
    names, targets = _list(where, "relations", labels, str), _list(where, "heads", heads, int)
    if len(names) != len(targets):
        raise CmanError(f"{where}: field heads: found {len(targets)} heads, wanted {len(names)}, one a relation label")
    for name, target in zip(names, targets, strict=True):
        if not 0 <= target < tokens:
            raise CmanError(f"{where}: field heads: found {target}, wanted an index from 0 to {tokens - 1}")
        if name != NO_RELATION:
            yield name, target


def _list(where: str, field: str, text: str, kind: type[Item]) -> list[Item]:
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        value = None
    wanted = "labels such as ['Kill']" if kind is str else "token indices such as [14]"
    if not isinstance(value, list) or not value or any(type(item) is not kind or item == "" for item in value):
        raise CmanError(f"{where}: field {field}: found {text!r}, wanted a list of {wanted}")
    if any("\ud800" <= char <= "\udfff" for item in value for char in str(item)):
        raise CmanError(f"{where}: field {field}: found {text!r}, wanted text without lone surrogates")
    return value


def fitting_columns(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents as columns can hold them, and how often they cannot hold what."""
    lost: Counter[str] = Counter()
    result = []
    for given in documents:
        document = keep_longest(merged := without_duplicates(without_scores(given, lost)))
        lost["overlapping entities"] += len(merged.entities) - len(document.entities)
        lost["relations of these"] += len(merged.relations) - len(document.relations)
        distinct = [link for link in dict.fromkeys(document.relations) if link.head != link.tail]
        lost["relations from an entity to itself or written twice"] += len(document.relations) - len(distinct)
        lost["texts"] += given.text is not None or given.offsets is not None
        result.append(replace(document, relations=tuple(distinct), text=None, offsets=None))
    return result, lost


def write_columns(path: Path, documents: Sequence[Document]) -> None:
    """Write documents that fit, atomically.

    Raises:
        CmanError: an id, a token or a type that the columns cannot spell.
    """
    lines = []
    for document in documents:
        where = f"{path}: document {document.id!r}"
        for word in (document.id, *document.tokens, *(entity.type for entity in document.entities)):
            if re.search(r"[\t\n]", word):
                raise CmanError(f"{where}: found {word[:40]!r}, wanted no tab and no line break")
        if document.id != document.id.strip():
            raise CmanError(f"{where}: field id: found blanks around it, wanted none")
        ends = [entity.end - 1 for entity in document.entities]
        links: dict[int, list[tuple[str, int]]] = {}
        for link in document.relations:
            if link.type == NO_RELATION:
                raise CmanError(
                    f"{where}: found the relation {NO_RELATION!r}, wanted another name: it means no relation"
                )
            links.setdefault(ends[link.head], []).append((link.type, ends[link.tail]))
        lines.append(f"#doc {document.id}")
        tags = tags_of(document.entities, len(document.tokens), where)
        for place, (token, tag) in enumerate(zip(document.tokens, tags, strict=True)):
            found = links.get(place, [(NO_RELATION, place)])
            lines.append(
                f"{place}\t{token}\t{tag or OUTSIDE}\t{[each for each, _ in found]}\t{[each for _, each in found]}"
            )
    write_text(path, "\n".join(lines) + "\n")
