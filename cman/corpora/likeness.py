"""Which format a file looks like, so that one that is given as another is told which fits."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from cman.corpora.conll2003 import TAG
from cman.errors import CmanError
from cman.files import read_text

LOOKED_AT = 20  # lines of columns

T = TypeVar("T")


def likely_format(path: Path) -> str | None:
    """Return the format that a file or folder looks like; None where it looks like none that is known."""
    if path.is_dir():
        return "brat" if any(each.suffix.lower() == ".ann" for each in path.rglob("*")) else None
    try:
        if path.suffix == ".spacy":
            return "docbin"
        text = read_text(path).strip()
    except CmanError:
        return None
    if text.startswith("#doc"):
        return "conll04"
    if text.startswith(("[", "{")):
        return _of_json(text)
    lines = [line.split() for line in text.split("\n")[:LOOKED_AT] if line.strip()]
    columns = [line for line in lines if line[0] != "-DOCSTART-"]
    if columns and all(len(line) > 1 and TAG.fullmatch(line[-1]) for line in columns):
        return "conll2003"
    return None


def _of_json(text: str) -> str | None:
    record = _parsed(text.partition("\n")[0]) or _parsed(text)
    listed = isinstance(record, list)
    if isinstance(record, list):
        record = record[0] if record else None
    if not isinstance(record, dict):
        return None
    keys = set(record)
    if "sentences" in keys:
        return "dygie"
    if "triple_list" in keys:
        return "pfn"
    if "data" in keys and keys & {"annotations", "completions"}:
        return "labelstudio"
    if "text" in keys and keys & {"spans", "_task_hash", "_input_hash"}:
        return "prodigy"
    if "tokens" in keys:
        return "spert" if listed or "orig_id" in keys else "jsonl"
    if "text" in keys and keys & {"label", "labels", "entities"}:
        return "doccano"
    return "spert" if keys and all(isinstance(value, list) for value in record.values()) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text.rstrip(","))
    except (ValueError, RecursionError):
        return None


def telling(read: Callable[[], T], format: str, paths: Iterable[Path]) -> T:
    """Return what a reader returns; where it refuses a file that looks like another format, say which.

    Raises:
        CmanError: of the reader, with the format that fits.
    """
    try:
        return read()
    except CmanError as error:
        for path in paths:
            likely = likely_format(path)
            if likely not in (None, format):
                raise type(error)(f"{error}; {path} looks like the format {likely}") from error
        raise
