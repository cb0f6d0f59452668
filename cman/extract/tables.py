"""Texts from the rows of a table: CSV, TSV or Parquet, a column of texts and perhaps one of ids, in bounded memory."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from cman.errors import CmanError, UsageError
from cman.extract.formats import pyarrow_or_told
from cman.extract.reading import Reading, Record, UnreadableError, check_length, given_of, identifier_of
from cman.extract.sources import Source

TEXT, ID = "text", "id"  # the columns by default
CELL = 1 << 30  # characters that the csv module takes at most


def rows(source: Source, stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table by their columns.

    Raises:
        CmanError: no UTF-8, or no table.
    """
    if source.form == "parquet":
        yield from _parquet(stream)
        return
    csv.field_size_limit(CELL)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        reader = csv.DictReader(text, delimiter="\t" if source.form == "tsv" else ",")
        yield from reader
    except (csv.Error, UnicodeDecodeError) as error:
        raise CmanError(f"{source.path}: cannot be read ({error}), wanted a table in UTF-8") from None
    finally:
        with suppress(ValueError):  # closed already
            text.detach()


def _parquet(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    _, parquet = pyarrow_or_told("--input")
    for batch in parquet.ParquetFile(stream).iter_batches(batch_size=1000):
        yield from batch.to_pylist()


def check_columns(source: Source, columns: list[str], text: str | None, identifier: str | None) -> None:
    """Refuse a table without the columns that are to be read.

    Raises:
        UsageError: one is missing; the message names those that there are.
    """
    for option, given, default in (("--text-column", text, TEXT), ("--id-column", identifier, None)):
        name = given or default
        if name is not None and name not in columns:
            raise UsageError(f"{option}: {source.path}: found the columns {', '.join(columns)}, wanted {name!r}")


def table_records(
    source: Source,
    stream: BinaryIO,
    reading: Reading,
    text: str | None,
    identifier: str | None,
    done: int = 0,
    wanted: Callable[[int], bool] | None = None,
) -> Iterator[Record]:
    """Yield the records of a table, a row each.

    Args:
        text, identifier: names of columns; `text`, and `id` if there is one, by default.
        done: rows that are passed over.
        wanted: whether a row of a number, from 0, is read.

    Raises:
        UsageError: a column is missing.
    """
    for number, row in enumerate(rows(source, stream), start=1):
        if number == 1:
            check_columns(source, list(row), text, identifier)
        if number <= done or (wanted is not None and not wanted(number - 1)):
            continue
        column = identifier or (ID if ID in row else None)
        name = reading.identifier(number)
        others = {key: value for key, value in row.items() if key not in (text or TEXT, column)}
        value = {"text": row[text or TEXT], **({} if column is None else {"id": row[column]})}
        try:
            if None in row:
                raise UnreadableError("found more cells than columns, wanted as many")
            if value["text"] is None:
                value["text"] = ""
            name = identifier_of(value, name)
            given = given_of({**others, **value} if reading.keep_fields else value, name, reading.keep_fields)
            check_length(given, reading.longest)
        except UnreadableError as error:
            yield Record(number, number, name, error=str(error), start=number - 1)
        else:
            yield Record(number, number, name, given, start=number - 1)


def row_count(source: Source, stream: BinaryIO) -> int:
    """Return how many rows a table has."""
    return sum(1 for _ in rows(source, stream))
