"""One input in several commands: which documents a shard has, where its output goes, and all of them as one file again.

Documents are computed in chunks, and what a chunk holds decides the last digits of its scores. So chunks end at fixed
places of the whole input (a block of bytes of a file, of rows of a table), and so do shards: together they compute the
same chunks as one command without shards, and give the same bytes.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cman.errors import CmanError, UsageError
from cman.extract.formats import Format, entities_file, extra_columns, parquet_lines, write_parquet
from cman.extract.reading import Record
from cman.extract.sources import TABLES, Source, opened
from cman.extract.tables import row_count
from cman.files import atomic_path

BLOCKS = 64  # that an input has at least, if it has so many bytes
SMALLEST, LARGEST = 1 << 18, 1 << 20  # bytes of a block
ROWS = 256  # of a table in a block
COPIED = 1 << 20  # bytes at a time
NAME = re.compile(r"-(\d{5,})-of-(\d{5,})$")


@dataclass(frozen=True)
class Shard:
    """Shard `index` of `count`, from 0."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Return the shard that an option says, such as `3/16`.

        Raises:
            UsageError: it is none.
        """
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        if match is None or not int(match[1]) < int(match[2]):
            last = f"0/{match[2]} to {int(match[2]) - 1}/{match[2]}" if match and int(match[2]) else "0/16 to 15/16"
            raise UsageError(f"--shard: found {text!r}, wanted {last}, counted from 0")
        return cls(int(match[1]), int(match[2]))

    def output(self, target: Path) -> Path:
        """Return where the shard's output goes: `out-00003-of-00016.jsonl` of `out.jsonl`."""
        return target.with_name(f"{target.stem}-{self.index:05}-of-{self.count:05}{target.suffix}")


@dataclass(frozen=True)
class Blocks:
    """The fixed places of an input where chunks end.

    Attributes:
        size: bytes of a block.
    """

    sources: Sequence[Source]
    size: int

    @classmethod
    def of(cls, sources: Sequence[Source]) -> "Blocks":
        """Return the blocks of sources, by their sizes on the disk."""
        total = sum(source.size or 0 for source in sources)
        size = SMALLEST
        while size < LARGEST and size * BLOCKS < total:
            size *= 2
        return cls(sources, size)

    def key(self, record: Record) -> tuple[int, int]:
        """Return the block of a record: two with different ones are never in one chunk."""
        source = self.sources[record.source]
        return source.base // self.size, record.start // (ROWS if source.form in TABLES else self.size)

    def part(self, shard: Shard) -> tuple[list[int], Callable[[int], bool] | None]:
        """Return the sources that a shard reads, and of the only one there is which starts of documents are its own.

        Raises:
            UsageError: standard input or a pipe, which cannot be divided.
        """
        unsized = next((source for source in self.sources if source.size is None), None)
        if unsized is not None:
            raise UsageError(f"--shard: found {unsized.path}, wanted files, of which every command reads its part")
        if len(self.sources) > 1:
            total = sum(source.size or 0 for source in self.sources)
            ends = self._ends(total, self.size, shard)
            return [place for place, source in enumerate(self.sources) if ends[0] <= source.base < ends[1]], None
        (source,) = self.sources
        table = source.form in TABLES
        with opened(source) as stream:
            whole = row_count(source, stream) if table else _length(source, stream)
        low, high = self._ends(whole, ROWS if table else self.size, shard)
        return [0], lambda start: low <= start < high

    def _ends(self, whole: int, block: int, shard: Shard) -> tuple[int, int]:
        blocks = whole // block + 1
        low, high = (blocks * number // shard.count * block for number in (shard.index, shard.index + 1))
        return low, high


def _length(source: Source, stream: BinaryIO) -> int:
    """Return how many bytes a file holds, unpacked."""
    if not isinstance(stream, gzip.GzipFile):
        return source.size or 0
    size = 0
    while block := stream.read(COPIED):
        size += len(block)
    return size


def merge(target: Path, form: Format) -> int:
    """Write the outputs of all shards as one file, and their errors as one; return how many shards there were.

    Raises:
        CmanError: there is none, one is missing or not finished, or there are some of several divisions.
    """
    found: dict[int, dict[int, Path]] = {}
    for path in target.parent.glob(f"{_escaped(target.stem)}-*-of-*{_escaped(target.suffix)}"):
        match = NAME.search(path.stem)
        if match is not None and path.stem == f"{target.stem}{match[0]}":
            found.setdefault(int(match[2]), {})[int(match[1])] = path
    if len(found) != 1:
        counts = ", ".join(f"of {count}" for count in sorted(found)) or "none"
        wanted = Shard(0, 16).output(target).name
        raise CmanError(f"{target}: found the shards {counts}, wanted those of one division, such as {wanted}")
    ((count, shards),) = found.items()
    missing = [Shard(index, count).output(target) for index in range(count) if index not in shards]
    if missing:
        raise CmanError(f"{missing[0]}: found no such file, wanted the output of each of {count} shards; "
                        f"{len(missing)} are missing")  # fmt: skip
    paths = [shards[index] for index in range(count)]
    unfinished = next((path for path in paths if path.with_name(f"{path.name}.partial.json").exists()), None)
    if unfinished is not None:
        raise CmanError(f"{unfinished}: found a run that is not finished, wanted its end; --resume goes on")
    if form == "parquet":
        extra = frozenset(name for path in paths for name in extra_columns(path))
        write_parquet((line for path in paths for line in parquet_lines(path)), target, extra)
    else:
        _joined(paths, target, header=form == "csv")
    if form == "csv":
        _joined([entities_file(path) for path in paths], entities_file(target), header=True)
    errors = [path.with_name(f"{path.name}.errors.jsonl") for path in paths]
    if any(path.exists() for path in errors):
        _joined([path for path in errors if path.exists()], target.with_name(f"{target.name}.errors.jsonl"), False)
    return count


def _escaped(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def _joined(paths: Sequence[Path], target: Path, header: bool) -> None:
    """Write files one after another; of tables the header of the first alone."""
    with atomic_path(target) as temporary, temporary.open("wb") as written:
        for place, path in enumerate(paths):
            with path.open("rb") as stream:
                if header and place:
                    stream.readline()
                while block := stream.read(COPIED):
                    written.write(block)


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of an output in JSON lines.

    Raises:
        CmanError: a line is no extraction.
    """
    with path.open(encoding="utf-8", newline="\n") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                value = json.loads(line)
                assert isinstance(value["entities"], list) and isinstance(value["relations"], list)
            except (ValueError, KeyError, TypeError, AssertionError):
                raise CmanError(
                    f"{path}: line {number}: found no extraction, wanted what `cman extract` writes"
                ) from None
            yield line
