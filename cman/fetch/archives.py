"""A file as it is, or alone in a .zip, .gz or .7z, as a stream: nothing is unpacked to disk or held in memory.

What an archive gives is bounded, so that a small file cannot keep a machine busy for days: real word vectors shrink to
a half or a quarter, never to a hundredth.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from cman.errors import CmanError

LARGEST = 64 << 30  # bytes that any archive may hold
LARGEST_RATIO = 100  # unpacked bytes for each packed one ...
SMALL = 64 << 20  # ... beyond these
BLOCK = 1 << 20  # bytes read at a time


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    """Yield a stream of a file's content, unpacked, and the name of what is unpacked.

    Raises:
        CmanError: the file is missing, is no complete archive, needs a password, holds none or several files or more
            than the bound; also while the stream is read.
    """
    try:
        packed = path.stat().st_size
        opener = {".zip": _zip, ".gz": _gzip, ".7z": _seven_zip}.get(path.suffix.lower())
        if opener is None:
            with path.open("rb", buffering=BLOCK) as plain:
                yield plain, path.name
            return
        with opener(path) as (stream, name):
            yield io.BufferedReader(_Bounded(stream, path, packed), BLOCK), name
    except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise CmanError(
            f"{path}: the archive cannot be read ({error}); wanted a complete {path.suffix} without a password"
        ) from None
    except OSError as error:
        raise CmanError(f"{path}: cannot be read ({error.strerror or error}); wanted word vectors") from None


def only_file(path: Path, names: list[str]) -> str:
    """Return the name of the one file of an archive.

    Raises:
        CmanError: there is none, or several.
    """
    if len(names) != 1:
        raise CmanError(f"{path}: found {len(names)} files in the archive, wanted exactly one")
    return names[0]


@contextmanager
def _zip(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    with zipfile.ZipFile(path) as archive:
        name = only_file(path, [name for name in archive.namelist() if not name.endswith("/")])
        with archive.open(name) as stream:
            yield cast(BinaryIO, stream), name


@contextmanager
def _gzip(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    with gzip.open(path) as stream:
        yield cast(BinaryIO, stream), path.stem


@contextmanager
def _seven_zip(path: Path) -> Iterator[tuple[BinaryIO, str]]:
    try:
        from cman.fetch.seven_zip import opened_7z
    except ModuleNotFoundError as error:
        raise CmanError(
            f"{path}: reading a .7z needs the package py7zr, which is not installed ({error.name}); "
            "install it, or unpack the file and name what is in it"
        ) from None
    with opened_7z(path) as opened_file:
        yield opened_file


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than the bound."""

    def __init__(self, stream: BinaryIO, path: Path, packed: int) -> None:
        self._stream, self._path, self._given = stream, path, 0
        self._bound = min(LARGEST, max(SMALL, LARGEST_RATIO * packed))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self._stream.read(len(buffer))
        self._given += len(block)
        if self._given > self._bound:
            raise CmanError(
                f"{self._path}: found more than {self._bound} bytes in the archive, wanted word vectors; "
                "if they are, unpack it and name what is in it"
            )
        buffer[: len(block)] = block
        return len(block)
