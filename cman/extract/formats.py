"""Extractions as other files than JSONL: triples in CSV, or a row a document in Parquet; both in bounded memory."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from cman.errors import UsageError
from cman.files import atomic_path, atomic_text, csv_lines
from cman.install import installing

Format = Literal["jsonl", "csv", "parquet"]

ROWS_A_GROUP = 1000  # documents of a Parquet row group
TRIPLE = ("id", "head", "head_type", "head_start", "head_end", "relation",
          "tail", "tail_type", "tail_start", "tail_end", "score")  # fmt: skip


def write_csv(lines: Iterable[str], target: Path) -> None:
    """Write the relations of extraction lines as triples, one a row under the header `TRIPLE`, atomically."""
    with atomic_text(target) as stream:
        write_triples(lines, stream)


def write_triples(lines: Iterable[str], stream: IO[str], header: bool = True) -> None:
    """Write triples to an open stream."""
    csv_lines(stream, TRIPLE, _triples(lines), header)


def _triples(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        value = json.loads(line)
        entities = value["entities"]
        for link in value["relations"]:
            head, tail = entities[link["head"]], entities[link["tail"]]
            ends = [end[name] for end in (head, tail) for name in ("text", "type", "start", "end")]
            score = None if link["score"] is None else str(link["score"])  # all of its digits
            cells = (value["id"], *ends[:4], link["type"], *ends[4:], score)
            yield dict(zip(TRIPLE, cells, strict=True))


def write_parquet(lines: Iterable[str], target: Path) -> None:
    """Write extraction lines as Parquet with the columns of the JSON objects, atomically.

    Raises:
        UsageError: pyarrow is not installed.
    """
    pyarrow, parquet = _pyarrow()
    schema = _schema(pyarrow)
    with atomic_path(target) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for group in _groups(lines):
            writer.write_table(pyarrow.Table.from_pylist([json.loads(line) for line in group], schema=schema))


def check_format(form: str) -> None:
    """Refuse a format that cannot be written here, before the work begins.

    Raises:
        UsageError: see `write_parquet`.
    """
    if form == "parquet":
        _pyarrow()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(f"--format parquet needs pyarrow: {installing('text')}") from None
    return pyarrow, parquet


def _schema(pyarrow: Any) -> Any:
    text, number, score = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    entity = {"type": text, "start": number, "end": number, "text": text, "score": score}
    relation = {"type": text, "head": number, "tail": number, "score": score}
    return pyarrow.schema(
        {
            "id": text,
            "text": text,
            "entities": pyarrow.list_(pyarrow.struct(entity)),
            "relations": pyarrow.list_(pyarrow.struct(relation)),
        }
    )


def _groups(lines: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(lines)
    while group := list(islice(iterator, ROWS_A_GROUP)):
        yield group
