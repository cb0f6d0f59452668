"""A file as it is, or one file of a .zip, .gz or .7z, as a stream: nothing is unpacked to disk or held in memory.

An archive comes from elsewhere. What it gives is bounded, so that a small file cannot keep a machine busy for days:
text and word vectors shrink to a half or a tenth, never to a hundredth. An archive with a file that would be unpacked
outside of its folder is refused as a whole, even if that file is not wanted.
"""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, cast

from cman.errors import CmanError

LARGEST = 64 << 30  # bytes that any archive may hold
LARGEST_RATIO = 100  # unpacked bytes for each packed one ...
SMALL = 64 << 20  # ... beyond these
BLOCK = 1 << 20  # bytes read at a time


@contextmanager
def opened(path: Path, member: str | None = None) -> Iterator[tuple[BinaryIO, str]]:
    """Yield a stream of a file's content, unpacked, and the name of what is unpacked.

    Args:
        member: the name of the wanted file of an archive, in whatever folder; its only file by default.

    Raises:
        CmanError: the file is missing, is no complete archive, needs a password, holds not exactly one such file, one
            outside of its folder or more than the bound; also while the stream is read.
    """
    try:
        opener = {".zip": _zip, ".gz": _gzip, ".7z": _seven_zip}.get(path.suffix.lower())
        if opener is None:
            with path.open("rb", buffering=BLOCK) as plain:
                yield plain, path.name
            return
        bound = min(LARGEST, max(SMALL, LARGEST_RATIO * path.stat().st_size))
        with opener(path, member, bound) as (stream, name):
            yield io.BufferedReader(_Bounded(stream, path, bound), BLOCK), name
    except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise CmanError(
            f"{path}: the archive cannot be read ({error}); wanted a complete {path.suffix} without a password"
        ) from None
    except OSError as error:
        raise CmanError(f"{path}: cannot be read ({error.strerror or error}); wanted a readable file") from None


def member_lines(path: Path, member: str) -> Iterator[str]:
    """Yield the lines of a text file of an archive, without their ends.

    Raises:
        CmanError: see `opened`; or bytes that are not UTF-8 (the message names the line).
    """
    with opened(path, member) as (stream, _):
        for number, line in enumerate(stream, start=1):
            try:
                yield line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                where = f"{path}: {member}: line {number}"
                raise CmanError(f"{where}: found the byte 0x{line[error.start]:02x}, wanted UTF-8 text") from None


def _chosen(path: Path, names: Sequence[str], member: str | None) -> str:
    """Return the full name of the wanted file among the names of all files of an archive.

    Raises:
        CmanError: one of them reaches outside of its folder, or not exactly one is wanted.
    """
    for name in names:
        windows = PureWindowsPath(name)  # Python keeps backslashes that a Windows machine would take for folders
        if name.startswith(("/", "\\")) or windows.drive or ".." in windows.parts:
            raise CmanError(
                f"{path}: found the file {name!r}, wanted files that stay inside of their folder; refused the whole "
                "archive"
            )
    fitting = [name for name in names if member in (None, PurePosixPath(name).name)]
    if len(fitting) != 1:
        called = "" if member is None else f" with the name {member}"
        raise CmanError(f"{path}: found {len(fitting)} files{called} in the archive, wanted exactly one")
    return fitting[0]


@contextmanager
def _zip(path: Path, member: str | None, bound: int) -> Iterator[tuple[BinaryIO, str]]:
    try:
        archive = zipfile.ZipFile(path)
    except (ValueError, struct.error) as error:  # a name that is no text, a length that cannot be
        raise zipfile.BadZipFile(str(error)) from None
    with archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        name = _chosen(path, [info.filename for info in files], member)
        if sum(info.file_size for info in files) > bound:
            raise _too_large(path, bound)
        with archive.open(name) as stream:
            yield cast(BinaryIO, stream), name


@contextmanager
def _gzip(path: Path, member: str | None, bound: int) -> Iterator[tuple[BinaryIO, str]]:
    with gzip.open(path) as stream:
        yield cast(BinaryIO, stream), _chosen(path, [path.stem], member)


@contextmanager
def _seven_zip(path: Path, member: str | None, bound: int) -> Iterator[tuple[BinaryIO, str]]:
    try:
        from cman.fetch.seven_zip import opened_7z
    except ModuleNotFoundError as error:
        raise CmanError(
            f"{path}: reading a .7z needs the package py7zr, which is not installed ({error.name}); "
            "install it, or unpack the file and name what is in it"
        ) from None
    with opened_7z(path, lambda names: _chosen(path, names, member)) as opened_file:
        yield opened_file


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than the bound."""

    def __init__(self, stream: BinaryIO, path: Path, bound: int) -> None:
        self._stream, self._path, self._bound, self._given = stream, path, bound, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self._stream.read(len(buffer))
        self._given += len(block)
        if self._given > self._bound:
            raise _too_large(self._path, self._bound)
        buffer[: len(block)] = block
        return len(block)


def _too_large(path: Path, bound: int) -> CmanError:
    return CmanError(
        f"{path}: found more than {bound} bytes in the archive, wanted at most {LARGEST_RATIO} times its own; "
        "if it is what it should be, unpack it and name what is in it"
    )
