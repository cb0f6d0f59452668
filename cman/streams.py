"""Standard input, output and error, whatever whoever started this process made of them: closed, full or not UTF-8."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, BinaryIO

from cman.errors import UsageError

OUTPUT = "standard output"


class Missing(io.TextIOBase):
    """A stream that was closed: whoever writes to it is told, once."""

    def __init__(self, name: str) -> None:
        self.stream_name = name

    def write(self, text: str) -> int:
        """Refuse.

        Raises:
            OSError: always.
        """
        raise OSError(errno.EBADF, "is closed, wanted an open stream", self.stream_name)

    def writable(self) -> bool:
        """Say that it is to be written, so that whoever asks goes on to write and is told."""
        return True


def prepare_streams() -> None:
    """Make output UTF-8, and let no file that is opened later get the number of a stream that was closed."""
    for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)):
        if stream is None and os.open(os.devnull, os.O_RDWR) != number:
            continue  # something else has taken its number already
    if sys.stdout is None:
        sys.stdout = Missing(OUTPUT)
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # names of files may hold any byte
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")


def standard_input() -> BinaryIO:
    """Return the bytes of standard input.

    Raises:
        UsageError: it was closed.
    """
    if sys.stdin is None:
        raise UsageError("standard input: is closed, wanted an open stream, or a file in its place")
    return sys.stdin.buffer


def flush_output() -> None:
    """Write what standard output still holds.

    Raises:
        OSError: with the name of the stream, if it cannot take it, such as on a full disk.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        error.filename = error.filename or OUTPUT
        raise


def drop_output() -> None:
    """Forget what standard output could not take, which Python would try again, and tell of, at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # none that has a number
        return


def tell(message: str) -> None:
    """Write why a command fails to standard output where standard error was closed: nobody fails in silence."""
    if sys.stderr is None and not isinstance(sys.stdout, Missing):
        try:
            print(message, flush=True)
        except OSError:
            drop_output()


class Bar:
    """A bar with words behind it on standard error while it is entered; nothing where that is no terminal.

    Args:
        total: at which it is full; None if that is not known.
        done: where it begins.
    """

    def __init__(self, total: int | None, done: int = 0) -> None:
        self._progress: Any = None
        if sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (BarColumn(), TextColumn("{task.description}"))
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._progress.add_task("", total=total, completed=done)

    def __enter__(self) -> "Bar":
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, done: int, words: str) -> bool:
        """Move it, and return whether there is a bar."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, description=words)
        return self._progress is not None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take it away for a line, which would stand within it."""
        self.__exit__(None, None, None)
        yield
        self.__enter__()
