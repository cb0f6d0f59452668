"""Texts from the rows of a table: CSV, TSV or Parquet, a column of texts and perhaps one of ids, in bounded memory."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from cman.errors import CmanError, UsageError
from cman.extract.formats import pyarrow_or_told
from cman.extract.reading import Reading, Record, UnreadableError, check_length, given_of, identifier_of
from cman.extract.sources import Source

TEXT, ID = "text", "id"  # the columns by default
CELL = 1 << 30  # characters that the csv module takes at most
SIGNS = ",;\t|"  # between cells, the likeliest first


def rows(source: Source, stream: BinaryIO, once: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table by their columns; a cell that a row of CSV lacks is `Missing`.

    Args:
        once: columns that there may not be two of.

    Raises:
        CmanError: no UTF-8, or no table, or one with two such columns.
    """
    if source.form == "parquet":
        yield from _parquet(source, stream)
        return
    csv.field_size_limit(CELL)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    try:
        header = text.readline()
        lines = _Lines(header, text)
        sign = _sign(header, "\t" if source.form == "tsv" else ",")
        reader = csv.DictReader(
            lines, delimiter=sign, restval=Missing("found fewer cells than columns, wanted as many")
        )
        names = list(reader.fieldnames or ())
        twice = next((name for name in once if names.count(name) > 1), None)
        if twice is not None:
            raise CmanError(f"{source.path}: found the column {twice!r} {names.count(twice)} times, wanted it once")
        for row in reader:
            if lines.ended and lines.open(sign):  # the last row took all that is behind its quote
                row = {name: Missing("found a quote that nothing closes, wanted its end") for name in row}
            yield row
            lines.held.clear()
    except (csv.Error, UnicodeDecodeError) as error:
        raise CmanError(f"{source.path}: cannot be read ({error}), wanted a table in UTF-8") from None
    finally:
        with suppress(ValueError):  # closed already
            text.detach()


class Missing(str):
    """What stands for a cell that is not there: why."""


class _Lines:
    """The lines of a table, those of the row that is being read held."""

    def __init__(self, header: str, rest: Iterator[str]) -> None:
        self.rest, self.header, self.held, self.ended = rest, header, list[str](), False

    def __iter__(self) -> Iterator[str]:
        yield self.header
        for line in self.rest:
            self.held.append(line)
            yield line
        self.ended = True

    def open(self, sign: str) -> bool:
        """Whether the row that is held ends inside of a quote."""
        try:
            for _ in csv.reader(self.held, delimiter=sign, strict=True):
                pass
        except csv.Error as error:
            return "unexpected end" in str(error)
        return False


def _sign(header: str, usual: str) -> str:
    """Return what divides cells: what the format says, or, where the header has none of it, what it has most of."""
    return usual if usual in header else max(SIGNS, key=lambda sign: (header.count(sign), sign == usual))


def _parquet(source: Source, stream: BinaryIO) -> Iterator[dict[str, Any]]:
    pyarrow, parquet = pyarrow_or_told("--input")
    try:
        for batch in parquet.ParquetFile(stream).iter_batches(batch_size=1000):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise CmanError(f"{source.path}: cannot be read ({reason}), wanted a whole Parquet file") from None


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
    for number, row in enumerate(rows(source, stream, (text or TEXT, identifier or ID)), start=1):
        if number == 1:
            check_columns(source, list(row), text, identifier)
        if number <= done or (wanted is not None and not wanted(number - 1)):
            continue
        column = identifier or (ID if ID in row else None)
        name = reading.identifier(number)
        others = {
            key: None if isinstance(value, Missing) else value
            for key, value in row.items()
            if key not in (text or TEXT, column)
        }
        value = {"text": row[text or TEXT], **({} if column is None else {"id": row[column]})}
        try:
            if None in row:
                raise UnreadableError("found more cells than columns, wanted as many")
            lacking = next((each for each in value.values() if isinstance(each, Missing)), None)
            if lacking is not None:
                raise UnreadableError(str(lacking))
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
