"""SpERT's JSON (Eberts and Ulges 2020). It holds everything.

A file is a list of documents, or an object with such lists under `train`, `dev` and `test`. A document is one of
`cman.corpora.document` whose id is called `orig_id`; without one, its position in the list is its id.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cman.config.corpora import Own
from cman.corpora.document import Document, parse_document
from cman.corpora.formats import RawFile, own_files
from cman.errors import CmanError, reads
from cman.files import read_json, write_text

HOLDS_SPLITS = True  # one file may hold several splits


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
    value, where = read_json(path), str(path)
    if isinstance(value, dict):
        if split is None or split not in value:
            raise CmanError(
                f"{path}: found the keys {', '.join(value) or '(none)'}, wanted {split or 'one list, or --split'}"
            )
        value, where = value[split], f"{path}: {split}"
    if not isinstance(value, list) or not value:
        raise CmanError(f"{where}: found {str(value)[:40]!r}, wanted a list of at least one document")
    return spert_documents(value, where, numbered=False)


def spert_documents(items: list[Any], where_from: str, numbered: bool = True) -> list[Document]:
    """Return the documents of one list in SpERT's layout.

    Args:
        where_from: the list's place for error messages.
        numbered: every document must have an `orig_id`; otherwise its position in the list takes the place.

    Raises:
        CmanError: the first malformed document.
    """
    documents: dict[str, Document] = {}
    for position, given in enumerate(items):
        where = f"{where_from}[{position}]"
        item = dict(given) if isinstance(given, dict) else given
        number = item.pop("orig_id", None if numbered else position) if isinstance(item, dict) else None
        if not isinstance(number, int | str) or isinstance(number, bool) or "id" in item:
            raise CmanError(f"{where}: field orig_id: found {number!r}, wanted the number of the document, and no 'id'")
        document = parse_document({"id": str(number), **item}, where)
        if document.id in documents:
            raise CmanError(f"{where}: field orig_id: found {number!r} a second time, wanted a new number")
        documents[document.id] = document
    return list(documents.values())


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
