"""Locks of the operating system on an open file or a folder. Windows has none of this kind and goes without.

There a writer takes a name of its own, as on network file systems without locks, and who is alone in a folder is not
kept alone: two processes of one machine at the very same moment are not told apart.
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WINDOWS = sys.platform == "win32"

if sys.platform == "win32":

    def lock(descriptor: int, wait: bool = True) -> None:
        """Raise OSError: there are no such locks."""
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

else:
    import fcntl

    def lock(descriptor: int, wait: bool = True) -> None:
        """Hold the lock of an open file until it is closed.

        Raises:
            BlockingIOError: another process holds it, and `wait` is False; OSError: the file system has no locks.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine that ask for the same folder out of the block."""
    if WINDOWS:  # which opens no folder
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems have none
            lock(descriptor)
        yield
    finally:
        os.close(descriptor)
