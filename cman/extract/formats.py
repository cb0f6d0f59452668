"""Extractions as files other than JSONL: triples and entities in CSV, a row a document in Parquet; in little memory."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from cman.errors import UsageError
from cman.files import atomic_path, atomic_text, csv_lines
from cman.install import installing

Format = Literal["jsonl", "csv", "parquet", "ntriples", "graph"]
FORMATS: tuple[Format, ...] = ("jsonl", "csv", "parquet", "ntriples", "graph")

ROWS_A_GROUP = 1000  # documents of a Parquet row group
TRIPLE = ("id", "head", "head_type", "head_start", "head_end", "relation",
          "tail", "tail_type", "tail_start", "tail_end", "score")  # fmt: skip
ENTITY = ("id", "text", "type", "start", "end", "link", "score")


def entities_file(target: Path) -> Path:
    """Return the file of entities beside one of triples: `out.entities.csv` of `out.csv`."""
    return target.with_name(f"{target.stem}.entities{target.suffix}")


def write_csv(lines: Iterable[str], target: Path, entities: Iterable[str]) -> None:
    """Write the relations of extraction lines as triples, one a row under the header `TRIPLE`, atomically.

    Args:
        entities: the same lines again, whose entities go into a file beside it (`entities_file`).
    """
    with atomic_text(entities_file(target)) as stream:
        csv_lines(stream, ENTITY, _entities(entities))
    with atomic_text(target) as stream:
        write_triples(lines, stream)


def write_triples(lines: Iterable[str], stream: IO[str], header: bool = True) -> None:
    """Write triples to an open stream."""
    csv_lines(stream, TRIPLE, _triples(lines), header)


def _entities(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        value = json.loads(line)
        for entity in value["entities"]:
            score = None if entity["score"] is None else str(entity["score"])  # all of its digits
            yield {"id": value["id"], **{name: entity.get(name) for name in ENTITY[1:-1]}, "score": score}


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


def write_parquet(lines: Iterable[str], target: Path, extra: frozenset[str] = frozenset()) -> None:
    """Write extraction lines as Parquet with the columns of the JSON objects, atomically.

    Args:
        extra: `fields` for a column of what was kept of the input (as JSON), `link` for one of the entities.

    Raises:
        UsageError: pyarrow is not installed.
    """
    pyarrow, parquet = pyarrow_or_told("--format")
    schema = _schema(pyarrow, extra)
    with atomic_path(target) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for group in _groups(lines):
            writer.write_table(pyarrow.Table.from_pylist([_row(line) for line in group], schema=schema))


def _row(line: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(line)
    if "fields" in value:
        value["fields"] = json.dumps(value["fields"], ensure_ascii=False)
    return value


def extra_columns(path: Path) -> list[str]:
    """Return which of the extra columns a Parquet file has."""
    _, parquet = pyarrow_or_told("--format")
    names = str(parquet.ParquetFile(path).schema)
    return [name for name in ("fields", "link") if f" {name} " in names]


def parquet_lines(path: Path) -> Iterator[str]:
    """Yield the rows of a Parquet file as extraction lines."""
    _, parquet = pyarrow_or_told("--format")
    for batch in parquet.ParquetFile(path).iter_batches(batch_size=ROWS_A_GROUP):
        for row in batch.to_pylist():
            fields = row.pop("fields", None)
            yield json.dumps(row if fields is None else row | {"fields": json.loads(fields)}, ensure_ascii=False)


def check_format(form: str) -> None:
    """Refuse a format that cannot be written here, before the work begins.

    Raises:
        UsageError: see `write_parquet`.
    """
    if form == "parquet":
        pyarrow_or_told("--format")


def pyarrow_or_told(option: str) -> tuple[Any, Any]:
    """Return pyarrow and its module for Parquet.

    Raises:
        UsageError: it is not installed; the message names the option that needs it.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(f"{option}: parquet needs pyarrow: {installing('text')}") from None
    return pyarrow, parquet


def _schema(pyarrow: Any, extra: frozenset[str]) -> Any:
    text, number, score = pyarrow.string(), pyarrow.int64(), pyarrow.float64()
    entity = {"type": text, "start": number, "end": number, "text": text, "score": score}
    if "link" in extra:
        entity["link"] = text
    relation = {"type": text, "head": number, "tail": number, "score": score}
    return pyarrow.schema(
        {
            "id": text,
            "text": text,
            "entities": pyarrow.list_(pyarrow.struct(entity)),
            "relations": pyarrow.list_(pyarrow.struct(relation)),
            **({"fields": text} if "fields" in extra else {}),
        }
    )


def _groups(lines: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(lines)
    while group := list(islice(iterator, ROWS_A_GROUP)):
        yield group
