"""SpERT's JSON (Eberts and Ulges 2020). It holds everything.

A file is a list of documents, a document a line, or an object with such lists under `train`, `dev` and `test`. A
document is one of `cman.corpora.document` whose id is called `orig_id`; without one, it is its position in the list.
Further keys (`ltokens`, `pos`) are counted and not read; documents without `relations`, as predictions of entities are,
have none.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cman.config.own import Own
from cman.corpora.document import Document, json_lines, parse_document
from cman.corpora.formats import RawFile, own_files
from cman.errors import CmanError, reads
from cman.files import read_json, text_lines, write_text

HOLDS_SPLITS = True  # one file may hold several splits

DOCUMENT = ("orig_id", "tokens", "entities", "relations", "text", "offsets")
ANNOTATION = {"entities": ("type", "start", "end", "score"), "relations": ("type", "head", "tail", "score")}


def files(corpus: Own) -> list[RawFile]:
    """Return the file of each split, which may be the same."""
    return own_files(list(corpus.split_paths.values()))


def read(corpus: Own, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_file`."""
    return {split: read_file(path, split, corpus.language, warnings) for split, path in corpus.split_paths.items()}


@reads("SpERT's JSON")
def read_file(path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    """Read a file in SpERT's layout.

    Args:
        split: which list of a file that holds several.

    Raises:
        CmanError: not JSON, no list of documents, an empty one, or a malformed document.
    """
    value, where = _value(path), str(path)
    if isinstance(value, dict):
        if split is None or split not in value:
            raise CmanError(
                f"{path}: found the keys {', '.join(value) or '(none)'}, wanted {split or 'one list, or --split'}"
            )
        value, where = value[split], f"{path}: {split}"
    if not isinstance(value, list) or not value:
        raise CmanError(f"{where}: found {str(value)[:40]!r}, wanted a list of at least one document")
    others: Counter[str] = Counter()
    documents = spert_documents(value, where, numbered=False, others=others)
    if others:
        listed = ", ".join(f"{key} ({count})" for key, count in sorted(others.items()))
        warnings.append(f"{where}: keys that are not read: {listed}")
    return documents


def _value(path: Path) -> Any:
    """Return the content of a file: one JSON value, or a list of those of its lines if the first is a document.

    A document with an `id` is one of `cman.corpora.jsonl`.
    """
    first = next((line for _, line in text_lines(path) if line.strip()), "")
    try:
        value = json.loads(first)
        is_document = "tokens" in value and ("id" not in value or "orig_id" in value)
    except (ValueError, TypeError, RecursionError):
        is_document = False
    return [value for *_, value in json_lines(path)] if is_document else read_json(path)


def spert_documents(
    items: list[Any], where_from: str, numbered: bool = True, others: Counter[str] | None = None
) -> list[Document]:
    """Return the documents of one list in SpERT's layout.

    Args:
        where_from: the list's place for error messages.
        numbered: every document must have an `orig_id`; otherwise its `id` or its position in the list takes the place.
        others: gets the number of each further key; None refuses them.

    Raises:
        CmanError: the first malformed document.
    """
    documents: dict[str, Document] = {}
    for position, given in enumerate(items):
        where = f"{where_from}[{position}]"
        item = dict(given) if isinstance(given, dict) else given
        if isinstance(item, dict) and others is not None:
            if "orig_id" not in item and "id" in item:
                item["orig_id"] = item.pop("id")
            item = _known(item, others)
        number = item.pop("orig_id", None if numbered else position) if isinstance(item, dict) else None
        if not isinstance(number, int | str) or isinstance(number, bool) or "id" in item:
            raise CmanError(f"{where}: field orig_id: found {number!r}, wanted the number of the document, and no 'id'")
        document = parse_document({"id": str(number), **item}, where)
        if document.id in documents:
            raise CmanError(f"{where}: field orig_id: found {number!r} a second time, wanted a new number")
        documents[document.id] = document
    return list(documents.values())


def _known(item: dict[str, Any], others: Counter[str]) -> dict[str, Any]:
    """Return a document with the keys that are read alone; the others are counted."""
    others.update(key for key in item if key not in DOCUMENT)
    known = {key: value for key, value in item.items() if key in DOCUMENT}
    if known.get("relations") is None:
        known["relations"] = []
    for kind, keys in ANNOTATION.items():
        if isinstance(known.get(kind), list):
            kept = []
            for each in known[kind]:
                if isinstance(each, dict):
                    others.update(f"{kind}.{key}" for key in each if key not in keys)
                    each = {key: value for key, value in each.items() if key in keys}
                kept.append(each)
            known[kind] = kept
    return known


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return the documents: nothing is lost."""
    return list(documents), Counter()


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write a list of documents, one a line, atomically; `text` and `offsets` are keys that SpERT does not read."""
    lines = []
    for document in documents:
        value = document.to_json()
        identifier = value.pop("id")
        lines.append(json.dumps({**value, "orig_id": identifier}, ensure_ascii=False))
    write_text(path, "[\n" + ",\n".join(lines) + "\n]\n")
