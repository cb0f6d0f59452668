"""One file of a .7z as a stream.

py7zr hands out what it unpacks by calling a writer. A second thread lets it do so into a short queue, from which the
stream reads: the queue's length bounds what is held, and a reader that stops early stops the thread.
"""

import io
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

import py7zr
from py7zr.io import Py7zIO, WriterFactory

from cman.errors import CmanError

BLOCKS = 4  # unpacked blocks that wait to be read
BLOCK = 1 << 20  # bytes of the longest


class _StoppedError(Exception):
    """The reader wants no more."""


class _Pipe(io.RawIOBase):
    """The reading end: blocks of a queue as a stream; an exception in the queue is raised."""

    def __init__(self) -> None:
        self.blocks: queue.Queue[bytes | BaseException | None] = queue.Queue(BLOCKS)
        self.stopped = threading.Event()
        self._block = memoryview(b"")

    def readable(self) -> bool:
        return True

    def put(self, block: bytes | BaseException | None) -> None:
        """Wait for a place in the queue and take it."""
        while not self.stopped.is_set():
            try:
                self.blocks.put(block, timeout=0.1)
                return
            except queue.Full:
                continue
        raise _StoppedError

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._block:
            block = self.blocks.get()
            if block is None or isinstance(block, BaseException):
                self.blocks.put(block)  # for whoever reads again
                if block is not None:
                    raise block
                return 0
            self._block = memoryview(block)
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count


class _Writer(Py7zIO, WriterFactory):
    """The writing end, as py7zr wants it."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe, self._size = pipe, 0

    def create(self, filename: str) -> Py7zIO:
        return self

    def write(self, s: bytes | bytearray) -> int:
        for start in range(0, len(s), BLOCK):
            self._pipe.put(bytes(s[start : start + BLOCK]))
        self._size += len(s)
        return len(s)

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        """Nothing waits."""

    def size(self) -> int:
        return self._size


@contextmanager
def opened_7z(path: Path, chosen: Callable[[Sequence[str]], str]) -> Iterator[tuple[BinaryIO, str]]:
    """Yield a stream of one file of a .7z, and its name.

    Args:
        chosen: returns the wanted name out of those of all files.

    Raises:
        CmanError: the file is no complete .7z or needs a password; also while it is read; and what `chosen` raises.
    """
    try:
        archive = py7zr.SevenZipFile(path)
        encrypted = archive.needs_password()
        names = [info.filename for info in archive.list() if not info.is_directory]
    except OSError:
        raise
    except Exception as error:  # of a damaged one py7zr raises whatever it stumbles over
        raise _refused(path, repr(error)) from None
    with archive:
        if encrypted:
            raise _refused(path, "it is encrypted")
        name = chosen(names)
        pipe = _Pipe()

        def unpack() -> None:
            try:
                archive.extract(targets=[name], factory=_Writer(pipe))
                pipe.put(None)
            except _StoppedError:
                pass
            except Exception as error:
                _told(pipe, _refused(path, repr(error)))
            except BaseException as error:  # raised where it is read, not lost with the thread
                _told(pipe, error)

        thread = threading.Thread(target=unpack, name=f"unpack {path.name}", daemon=True)
        thread.start()
        try:
            yield cast(BinaryIO, pipe), name
        finally:
            pipe.stopped.set()
            thread.join()


def _told(pipe: _Pipe, error: BaseException) -> None:
    with suppress(_StoppedError):
        pipe.put(error)


def _refused(path: Path, reason: object) -> CmanError:
    return CmanError(f"{path}: the archive cannot be read ({reason}); wanted a complete .7z without a password")
