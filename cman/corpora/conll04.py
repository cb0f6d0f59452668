"""Readers of the CoNLL04 corpus (Roth and Yih 2004) in its two public packagings.

`bekou` (Bekoulis et al. 2018): a text file a split; each sentence is a line `#doc ID` and then one row a token with
five tab-separated columns: index, token, BIO tag, list of relation labels, list of the relations' second arguments.
A relation stands on the last token of its first argument and names the last token of its second; `['N']` with the
token's own index means no relation. The first argument is the head of our relation, the second the tail.

`spert` (Eberts and Ulges 2020, as packaged by Taille et al. 2020): one JSON file with three lists of documents.

Both hold the same 1,441 sentences; they tokenise 332 of them differently and divide train and dev differently.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from cman.corpora.bio import OUTSIDE, entities_of
from cman.corpora.document import Document, Relation, parse_document
from cman.errors import CmanError
from cman.files import read_json, read_text

Item = TypeVar("Item", str, int)

NO_RELATION = "N"
COLUMNS = ("index", "token", "tag", "relations", "heads")


def read_bekou(path: Path, warnings: list[str]) -> list[Document]:
    """Read one split in the `bekou` packaging; stray I- tags are read as an entity's start and added to `warnings`.

    Raises:
        CmanError: the first malformed line, with its number, field, what was found and what was wanted.
    """
    documents = [_document(path, rows, identifier, warnings) for identifier, rows in _blocks(path)]
    if not documents:
        raise CmanError(f"{path}: found no sentence, wanted lines that begin with '#doc'")
    return documents


def _blocks(path: Path) -> Iterator[tuple[str, list[tuple[int, list[str]]]]]:
    """Yield (document id, [(line number, columns), ...]) for each sentence."""
    identifier, rows = "", list[tuple[int, list[str]]]()
    opened: dict[str, int] = {}
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        line = line.rstrip("\r")
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


def _checked_block(
    path: Path, identifier: str, line: int, rows: list[tuple[int, list[str]]]
) -> tuple[str, list[tuple[int, list[str]]]]:
    if not rows:
        raise CmanError(f"{path}: line {line}: document {identifier!r} has no token, wanted at least one row")
    return identifier, rows


def _document(path: Path, rows: list[tuple[int, list[str]]], identifier: str, warnings: list[str]) -> Document:
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
        tokens.append(token)
        tags.append(_tag(where, tag, tags, warnings, identifier))
        links.extend((number, position, label, head) for label, head in _links(where, labels, heads, len(rows)))
    entities = entities_of(tags)
    ends = {entity.end - 1: place for place, entity in enumerate(entities)}
    relations: list[Relation] = []
    for number, first, label, second in links:
        for name, token_index in (("relations", first), ("heads", second)):
            if token_index not in ends:
                raise CmanError(
                    f"{path}: line {number}: field {name}: found a {label} relation at token {token_index} "
                    f"({tokens[token_index]!r}), wanted the last token of an entity"
                )
        relation = Relation(label, ends[first], ends[second])
        if relation in relations or relation.head == relation.tail:
            problem = "a second time" if relation in relations else "from an entity to itself"
            raise CmanError(f"{path}: line {number}: field relations: found {label} {problem}, wanted distinct pairs")
        relations.append(relation)
    return Document(identifier, tuple(tokens), tuple(entities), tuple(relations))


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
    return value


def read_spert(path: Path, split: str) -> list[Document]:
    """Read one split (`train`, `dev` or `test`) of the `spert` packaging.

    Raises:
        CmanError: not JSON, the split is missing or empty, or a document is malformed.
    """
    value = read_json(path)
    if not isinstance(value, dict) or not isinstance(value.get(split), list) or not value[split]:
        raise CmanError(f"{path}: field {split}: found no documents, wanted a list of them under the key {split!r}")
    documents: dict[str, Document] = {}
    for position, item in enumerate(value[split]):
        where = f"{path}: {split}[{position}]"
        number = item.pop("orig_id", None) if isinstance(item, dict) else None
        if not isinstance(number, int | str) or "id" in item:
            raise CmanError(f"{where}: field orig_id: found {number!r}, wanted the number of the document, and no 'id'")
        document = parse_document({"id": str(number), **item}, where)
        if document.id in documents:
            raise CmanError(f"{where}: field orig_id: found {number!r} a second time, wanted a new number")
        documents[document.id] = document
    return list(documents.values())
