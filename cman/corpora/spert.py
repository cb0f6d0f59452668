"""SpERT's JSON (Eberts and Ulges 2020) for corpora of one's own.

A file is a list of documents, or an object with such lists under `train`, `dev` and `test`. A document is one of
`cman.corpora.document` whose id is called `orig_id`; without one, its position in the list is its id.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from cman.corpora.conll04 import spert_documents
from cman.corpora.document import Document
from cman.errors import CmanError
from cman.files import read_json, write_text


def read_own_spert(path: Path, split: str | None) -> list[Document]:
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


def write_spert(path: Path, documents: Iterable[Document]) -> None:
    """Write a list of documents, one a line, atomically; `text` and `offsets` are keys that SpERT does not read."""
    lines = []
    for document in documents:
        value = document.to_json()
        identifier = value.pop("id")
        lines.append(json.dumps({**value, "orig_id": identifier}, ensure_ascii=False))
    write_text(path, "[\n" + ",\n".join(lines) + "\n]\n")
