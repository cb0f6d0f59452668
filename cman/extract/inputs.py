"""All that is to be read, source after source, as records: from the beginning, from where a run stopped, or a shard."""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from cman.errors import CmanError
from cman.extract.reading import Documents, Reading, Record, records
from cman.extract.shards import Blocks, Shard
from cman.extract.sources import TABLES, Source, opened
from cman.extract.suspicion import watched
from cman.extract.tables import ID, TEXT, check_columns, rows, table_records

SKIPPED = 1 << 20  # bytes passed over at a time


@dataclass(frozen=True)
class Input:
    """What is read, and how; see `Reading` for the keys that they share.

    Attributes:
        text_column, id_column: of tables.
        shard: the part of it that this run reads; None for all.
    """

    sources: Sequence[Source]
    longest: int
    documents: Documents = "line"
    join: bool = False
    keep_fields: bool = False
    text_column: str | None = None
    id_column: str | None = None
    shard: Shard | None = None

    @property
    def size(self) -> int | None:
        """Bytes of all sources on the disk; None where one has no size."""
        sizes = [source.size for source in self.sources]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def shown(self) -> str:
        """What messages call it."""
        first = self.sources[0].path
        return str(first) if len(self.sources) == 1 else f"{first} and {len(self.sources) - 1} more"

    def key(self) -> dict[str, Any]:
        """Return what makes this input another than one that was read before."""
        first = self.sources[0]
        paths: Any = [str(source.path) for source in self.sources]
        value = {"input": paths[0] if len(paths) == 1 else paths, "size": self.size, "form": first.form}
        chosen = {"documents": self.documents, "join": self.join, "keep_fields": self.keep_fields,
                  "text_column": self.text_column, "id_column": self.id_column,
                  "shard": None if self.shard is None else vars(self.shard)}  # fmt: skip
        default = Input(self.sources, self.longest)
        return value | {name: given for name, given in chosen.items() if given != getattr(default, name)}

    def check(self) -> None:
        """Look at the beginning of every file, before anything is loaded or written.

        Raises:
            CmanError: it is no UTF-8; UsageError: a table without the column of texts.
        """
        for source in self.sources:
            if source.size is None:
                continue
            with opened(source) as stream:
                if source.form in TABLES:
                    names = (self.text_column or TEXT, self.id_column or ID)
                    first = next(rows(source, stream, names), None)
                    if first is not None:
                        check_columns(source, [str(name) for name in first], self.text_column, self.id_column)

    def records(self, source: int = 0, line: int = 0, end: int = 0) -> Iterator[Record]:
        """Yield what is to be read behind a place.

        Args:
            source, line, end: of the last record before it; see `Record`.
        """
        yield from watched(self._records(source, line, end), self.documents == "line")

    def _records(self, source: int, line: int, end: int) -> Iterator[Record]:
        mine, wanted = (range(len(self.sources)), None) if self.shard is None else self.blocks.part(self.shard)
        for place in mine:
            if place < source:
                continue
            one = self.sources[place]
            reading = Reading(one.form, self.longest, self.documents, self.join, one.name, self.keep_fields)
            done = end if place == source else 0
            with opened(one) as stream:
                if one.form in TABLES:
                    found = table_records(one, stream, reading, self.text_column, self.id_column, done, wanted)
                else:
                    _pass_over(stream, one, done)
                    found = records(stream, reading, line if done else 0, done, wanted)
                for record in found:
                    yield replace(record, source=place)

    @property
    def blocks(self) -> Blocks:
        """The fixed places where chunks end."""
        return Blocks.of(self.sources)

    def position(self, record: Record) -> int:
        """Return how many bytes of all sources are done with a record, about."""
        source = self.sources[record.source]
        return source.base + (0 if source.form in TABLES else record.end)


def _pass_over(stream: BinaryIO, source: Source, size: int) -> None:
    if not size:
        return
    if source.size is not None and not isinstance(stream, gzip.GzipFile):
        stream.seek(size)
        return
    while size and (block := stream.read(min(size, SKIPPED))):
        size -= len(block)
    if size:
        raise CmanError(f"{source.path}: found {size} bytes less than were read before, wanted the same input")
