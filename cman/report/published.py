"""The published figures that tables compare with, read from `config/published.yaml`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cman.config.experiments import EXPERIMENTS
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
    added: tuple[str, ...] = ()  # experiments that are shown below the paper's rows
    note: str = ""


@dataclass(frozen=True)
class PublishedDecoding:
    """One row of Table V: a model on one corpus."""

    corpus: str
    title: str
    method: str
    experiment: str
    overall_f1: float | None
    relative_time: float | None  # to the first row of its corpus; null where the paper's figure is no decoding time
    note: str = ""


@dataclass(frozen=True)
class Published:
    """All that was published: tables of F1, and the table of decoding times."""

    tables: tuple[PublishedTable, ...]
    origin: str = ""  # of the decoding times
    decoding: tuple[PublishedDecoding, ...] = ()


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


def _published_table(value: Any, where: str) -> PublishedTable:
    _closed(value, list(PublishedTable.__dataclass_fields__), where)
    number = take(value, "number", str, where)
    if number not in NUMBERS:
        raise CmanError(f"{where}: field number: found {number!r}, wanted one of {', '.join(NUMBERS)}")
    rows = take(value, "rows", list, where)
    added = take(value, "added", list, where) if "added" in value else []
    for name in added:
        if name not in EXPERIMENTS:
            raise CmanError(f"{where}: field added: found {name!r}, wanted the name of an experiment")
    return PublishedTable(
        number=number,
        corpus=take(value, "corpus", str, where),
        origin=take(value, "origin", str, where),
        rows=tuple(_published_row(row, f"{where}.rows[{position}]") for position, row in enumerate(rows)),
        added=tuple(added),
        **{name: take(value, name, str, where) for name in ("title", "note") if name in value},
    )


def _decoding_row(value: Any, where: str) -> PublishedDecoding:
    _closed(value, list(PublishedDecoding.__dataclass_fields__), where)
    time = value.get("relative_time")
    return PublishedDecoding(
        overall_f1=_percent(value, "overall_f1", where),
        relative_time=None if time is None else float(take(value, "relative_time", float, where)),
        note=take(value, "note", str, where) if "note" in value else "",
        **{name: take(value, name, str, where) for name in ("corpus", "title", "method", "experiment")},
    )


def read_published(path: Path) -> Published:
    """Return what a YAML file says was published.

    Raises:
        CmanError: the file is missing, not YAML, or a field is missing, unknown or of the wrong kind.
    """
    try:
        content = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise CmanError(f"{path}: {line}found invalid YAML, wanted the published tables") from None
    _closed(content, ("tables", "decoding"), str(path))
    values = take(content, "tables", list, str(path))
    tables = tuple(_published_table(value, f"{path}: tables[{index}]") for index, value in enumerate(values))
    if "decoding" not in content:
        return Published(tables)
    where = f"{path}: decoding"
    decoding = take(content, "decoding", dict, str(path))
    _closed(decoding, ("origin", "rows"), where)
    rows = take(decoding, "rows", list, where)
    return Published(
        tables,
        take(decoding, "origin", str, where),
        tuple(_decoding_row(row, f"{where}.rows[{index}]") for index, row in enumerate(rows)),
    )
