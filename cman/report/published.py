"""The published figures that tables compare with, read from `config/published.yaml`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cman.errors import CmanError
from cman.files import read_text
from cman.report.results import field as take

NUMBERS = ("I", "II", "III", "IV", "V", "VI", "VII")  # the numbers the paper gives its tables


@dataclass(frozen=True)
class PublishedRow:
    """One row as a paper prints it; `experiment` names the experiment here that repeats it, if there is one."""

    method: str
    entity_f1: float | None
    relation_f1: float | None
    source: str
    bert: bool
    experiment: str = ""
    note: str = ""


@dataclass(frozen=True)
class PublishedTable:
    """A table of the paper: its number, its corpus, who published it, and its rows in the order printed.

    `title` is what the corpus is called where there is no run that says so.
    """

    number: str
    corpus: str
    origin: str
    rows: tuple[PublishedRow, ...]
    title: str = ""


def _closed(value: Any, keys: Sequence[str], where: str) -> None:
    for key in value if isinstance(value, dict) else ():
        if key not in keys:
            raise CmanError(f"{where}: field {key}: unknown key, wanted one of {', '.join(keys)}")


def _percent(value: Any, key: str, where: str) -> float | None:
    if isinstance(value, dict) and key in value and value[key] is None:
        return None
    figure = float(take(value, key, float, where))
    if not 0 <= figure <= 100:
        raise CmanError(f"{where}: field {key}: found {figure}, wanted a percentage from 0 to 100")
    return figure


def _published_row(value: Any, where: str) -> PublishedRow:
    _closed(value, list(PublishedRow.__dataclass_fields__), where)
    return PublishedRow(
        method=take(value, "method", str, where),
        entity_f1=_percent(value, "entity_f1", where),
        relation_f1=_percent(value, "relation_f1", where),
        source=take(value, "source", str, where),
        bert=take(value, "bert", bool, where),
        **{name: take(value, name, str, where) for name in ("experiment", "note") if name in value},
    )


def read_published(path: Path) -> list[PublishedTable]:
    """Return the published tables of a YAML file.

    Raises:
        CmanError: the file is missing, not YAML, or a field is missing, unknown or of the wrong kind.
    """
    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise CmanError(f"{path}: {line}found invalid YAML, wanted the published tables") from None
    tables = []
    for index, value in enumerate(take(content, "tables", list, str(path))):
        where = f"{path}: tables[{index}]"
        _closed(value, list(PublishedTable.__dataclass_fields__), where)
        number = take(value, "number", str, where)
        if number not in NUMBERS:
            raise CmanError(f"{where}: field number: found {number!r}, wanted one of {', '.join(NUMBERS)}")
        rows = take(value, "rows", list, where)
        tables.append(
            PublishedTable(
                number=number,
                corpus=take(value, "corpus", str, where),
                origin=take(value, "origin", str, where),
                title=take(value, "title", str, where) if "title" in value else "",
                rows=tuple(_published_row(row, f"{where}.rows[{position}]") for position, row in enumerate(rows)),
            )
        )
    return tables
