"""The two errors that end a command with one sentence instead of a traceback.

A message says where (file, line, field), what was found and what was wanted, so that the reader can act on it.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

LONGEST = 500  # characters of a message
KEPT_END = 120  # of them, from its end, where stands what was wanted

P = ParamSpec("P")
T = TypeVar("T")


class CmanError(Exception):
    """Something the user gave or a file holds is wrong; the command ends with exit status 1."""

    def __init__(self, message: str = "") -> None:
        if len(message) > LONGEST:  # it quotes a file, which may hold anything
            message = f"{message[: LONGEST - KEPT_END - 5]} ... {message[-KEPT_END:]}"
        super().__init__(message)


class UsageError(CmanError):
    """The request itself makes no sense (unknown key, experiment or corpus); exit status 2."""


def reads(wanted: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function the door of a reader: whatever a library raises while it parses is one sentence with the file.

    The file is the first path among the arguments.

    Args:
        wanted: what the file should be.
    """

    def decorated(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def door(*arguments: P.args, **options: P.kwargs) -> T:
            try:
                return function(*arguments, **options)
            except (CmanError, MemoryError):
                raise
            except Exception as error:
                given = [*arguments, *options.values()]
                where = next((str(each) for each in given if isinstance(each, Path)), "the file")
                reason = str(error).strip().partition("\n")[0]
                raise CmanError(
                    f"{where}: found what cannot be read ({type(error).__name__}: {reason}), wanted {wanted}"
                ) from error

        return door

    return decorated
