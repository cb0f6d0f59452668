"""Reading and writing of text and JSON, and atomic writing: a file is complete under its name or not there at all."""

import csv
import errno
import gzip
import json
import logging
import os
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from cman.errors import CmanError
from cman.flock import WINDOWS, lock
from cman.hashes import check_content

log = logging.getLogger(__name__)

# The longer mark first: that of UTF-32 begins with that of UTF-16.
WIDE_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
STREAMS = ("/dev/", "/proc/")  # what stands there is a device or a file that another process has open


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it becomes `path`, on failure it is removed.

    It is the same name for every writer of `path`, `.{name}.new`: what a killed one left is replaced by the next, and
    two at once take turns. Both the file and its folder are on the disk when the block has ended. A link is followed;
    a device or a pipe is written through, and `path` itself is yielded.

    Raises:
        OSError: of the system, with the name of `path` even where the system names none, as for a full disk.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if is_stream(path):
        with naming(path):
            yield path
        return
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with naming(path, f".{target.name}.new"), _taken(target.with_name(f".{target.name}.new")) as temporary:
        try:
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)  # a library may have put a private file there; a result is as any other
            sync(temporary)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)  # not after the rename: then another writer may have begun
            raise
        sync(target.parent)


def is_stream(path: Path) -> bool:
    """Say whether a path is a device, a pipe or a socket, which is read and written through and never replaced."""
    return str(path.absolute()).startswith(STREAMS) or (path.exists() and not path.is_file() and not path.is_dir())


@contextmanager
def naming(path: Path | str, temporary: str | None = None) -> Iterator[None]:
    """Give an error of the system inside the block the name of the file that is written, if it has none.

    Args:
        temporary: a name that stands for the same file.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise  # none of the system
        if error.filename is None or (temporary is not None and Path(str(error.filename)).name == temporary):
            error.filename = str(path)
        raise


@contextmanager
def _taken(temporary: Path) -> Iterator[Path]:
    """Hold a temporary file, empty, against other writers inside the block."""
    if WINDOWS:
        yield temporary.with_name(f"{temporary.name}.{uuid.uuid4().hex}")
        return
    while True:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            try:
                lock(descriptor, wait=False)
            except BlockingIOError:
                log.info("%s: is being written by another process; waiting", temporary)
                lock(descriptor)
            except OSError:  # some network file systems have no locks: a name of one's own does not mix either
                temporary.unlink(missing_ok=True)
                yield temporary.with_name(f"{temporary.name}.{uuid.uuid4().hex}")
                return
            if _is(temporary, descriptor):  # else the one that was waited for has renamed it
                os.ftruncate(descriptor, 0)
                yield temporary
                return
        finally:
            os.close(descriptor)


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    if WINDOWS:  # which opens no folder, and syncs no file that is open for reading
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError) if path.is_dir() else naming(path):  # not every file system syncs folders
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_text(path: Path) -> Iterator[IO[str]]:
    """Yield a UTF-8 text stream whose content appears under `path` only when the block ends without an error."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with atomic_text(path) as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, keys in the order given, with a final newline, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> None:
    """Write lines as CSV, atomically; see `csv_lines`."""
    with atomic_text(path) as stream:
        csv_lines(stream, columns, lines)


def csv_lines(stream: IO[str], columns: Sequence[str], lines: Iterable[Mapping[str, Any]], header: bool = True) -> None:
    """Write lines as CSV to a stream: fractions with six digits, nothing for None and for what a line lacks."""
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
    if header:
        writer.writeheader()
    for line in lines:
        writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in line.items()})


def wide_encoding(content: bytes) -> str | None:
    """Return the encoding of which content begins with the byte order mark, UTF-16 or UTF-32; None for any other."""
    return next((name for mark, name in WIDE_MARKS.items() if content.startswith(mark)), None)


def read_text(path: Path, keep_mark: bool = False) -> str:
    """Return the text of a UTF-8 file, unpacked if its name ends in `.gz`.

    Args:
        keep_mark: leave a byte order mark at the beginning, for offsets that may count it.

    Raises:
        CmanError: the file is missing, is not what the manifest beside it lists, is no gzip file where its name says
            so, or holds bytes that are not UTF-8 or zero (the message names the line).
    """
    try:
        content = path.read_bytes()
        check_content(path, content)
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CmanError(f"{path}: cannot be unpacked ({error}); wanted a whole gzip file") from None
    except OSError as error:
        raise CmanError(f"{path}: cannot be read ({error.strerror}); wanted a readable file") from None
    wide = wide_encoding(content)
    if wide is not None:
        raise CmanError(f"{path}: found the byte order mark of {wide}, wanted UTF-8 text; convert the file")
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        raise CmanError(f"{path}: line {line}: found a zero byte, wanted UTF-8 text; UTF-16 or no text at all?")
    try:
        return content.decode("utf-8" if keep_mark else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = content[error.start]
        raise CmanError(f"{path}: line {line}: found the byte 0x{found:02x}, wanted UTF-8 text") from None


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Return the number of each line of a UTF-8 file, from 1, and the line without its end; errors as for `read_text`.

    Lines end with LF or CRLF, or all of them with CR. A byte order mark before a line was the head of a file to which
    this one was appended.
    """
    # Not str.splitlines: it also breaks at U+2028 and its kin, which JSON strings may hold as they are.
    text = read_text(path)
    for number, line in enumerate(text.split("\n" if "\n" in text else "\r"), start=1):
        yield number, line.removeprefix("\ufeff").removesuffix("\r")


def read_json(path: Path) -> Any:
    """Return the value of a JSON file.

    Raises:
        CmanError: the file is missing, not UTF-8 or not JSON (the message names the line).
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise CmanError(f"{path}: line {error.lineno}: found invalid JSON ({error.msg}), wanted a JSON value") from None
    except (ValueError, RecursionError) as error:
        raise CmanError(f"{path}: found JSON that cannot be read ({error}), wanted a JSON value") from None
