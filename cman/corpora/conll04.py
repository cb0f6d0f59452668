"""Readers of the CoNLL04 corpus (Roth and Yih 2004) in its two public packagings.

`bekou` (Bekoulis et al. 2018): a text file a split, in the five columns of `cman.corpora.columns`.

`spert` (Eberts and Ulges 2020, as packaged by Taille et al. 2020): one JSON file with three lists of documents.

Both hold the same 1,441 sentences; they tokenise 332 of them differently and divide train and dev differently.
"""

from pathlib import Path
from typing import Any

from cman.corpora.columns import read_columns
from cman.corpora.document import Document, parse_document
from cman.errors import CmanError
from cman.files import read_json


def read_bekou(path: Path, warnings: list[str]) -> list[Document]:
    """Read one split in the `bekou` packaging; stray I- tags are read as an entity's start and added to `warnings`.

    Raises:
        CmanError: the first malformed line, with its number, field, what was found and what was wanted.
    """
    return read_columns(path, warnings)


def read_spert(path: Path, split: str) -> list[Document]:
    """Read one split (`train`, `dev` or `test`) of the `spert` packaging.

    Raises:
        CmanError: not JSON, the split is missing or empty, or a document is malformed.
    """
    value = read_json(path)
    if not isinstance(value, dict) or not isinstance(value.get(split), list) or not value[split]:
        raise CmanError(f"{path}: field {split}: found no documents, wanted a list of them under the key {split!r}")
    return spert_documents(value[split], f"{path}: {split}")


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
