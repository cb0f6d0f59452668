"""A lock on what one process alone may write: two that train one run, or write one output, would mix their files.

It is a file beside what is written that names its holder, because locks of the operating system end at the border
of a network file system. The holder touches it all the while. One that is dead is taken over: on the same machine when
there is no such process any more, from another when the file was not touched for `SILENCE` seconds.
"""

import contextlib
import errno
import json
import logging
import os
import socket
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cman.errors import CmanError
from cman.files import naming
from cman.flock import WINDOWS, alone

log = logging.getLogger(__name__)

BEAT = 10.0  # seconds between two touches
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # of file systems without second names for a file
SILENCE = 120.0  # seconds without a touch after which a holder on another machine counts as dead


class Lock:
    """A held lock; see `locked`."""

    def __init__(self, path: Path, holder: dict[str, Any]) -> None:
        self.path, self.holder = path, holder
        self._released = threading.Event()

    def beat(self) -> None:
        """Touch the file until the lock is released."""
        while not self._released.wait(BEAT):
            with contextlib.suppress(OSError):
                if _read(self.path) == self.holder:
                    os.utime(self.path)

    def check(self) -> None:
        """Make sure that nobody has taken the lock over, which happens to a process that was stopped for minutes.

        Raises:
            CmanError: it is no longer this process's.
        """
        holder = _read(self.path)
        if holder != self.holder:
            raise CmanError(f"{self.path}: found the lock of {_named(holder)}, wanted this process's own")

    def release(self) -> None:
        """Remove the file if it still is this process's."""
        self._released.set()
        if _read(self.path) == self.holder:
            self.path.unlink(missing_ok=True)


@contextmanager
def locked(target: Path, doing: str) -> Iterator[Lock]:
    """Hold the lock of a folder or file, which need not exist, as long as the block lasts.

    Args:
        doing: what is done with it, such as "trained", for the message.

    Raises:
        CmanError: another process holds it; the message says which, and since when.
    """
    path = target.with_name(f"{target.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path.parent):
        lock = _acquire(path, target, doing)
    threading.Thread(target=lock.beat, name="heartbeat", daemon=True).start()
    try:
        yield lock
    finally:
        lock.release()


def _acquire(path: Path, target: Path, doing: str) -> Lock:
    lock = Lock(path, _this_process())
    while not _created(lock):
        holder = _read(path)
        if not _is_dead(holder, path):
            raise CmanError(f"{target}: is being {doing} by {_named(holder)}, wanted nobody; nothing was changed")
        log.info("%s: its holder, %s, is dead; taking over", path, _named(holder))
        path.unlink(missing_ok=True)
    return lock


def _created(lock: Lock) -> bool:
    """Create the file with its content in one step, so that none is ever empty; tell whether there was none."""
    complete = lock.path.with_name(f".{lock.path.name}.{lock.holder['host']}")  # a killed one leaves it to the next
    complete.unlink(missing_ok=True)  # it may be the lock itself, under another name
    try:
        with naming(lock.path):
            complete.write_text(json.dumps(lock.holder), encoding="utf-8")
            try:
                os.link(complete, lock.path)
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                with lock.path.open("x", encoding="utf-8") as stream:  # empty for a moment, which is nobody's
                    stream.write(json.dumps(lock.holder))
    except FileExistsError:
        return False
    finally:
        complete.unlink(missing_ok=True)
    return _read(lock.path) == lock.holder


def _read(path: Path) -> dict[str, Any]:
    """Return what a lock file says; nothing of one that is gone or holds something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _named(holder: dict[str, Any]) -> str:
    if not holder:
        return "an unknown process"
    job = f" (Slurm job {holder['job']})" if holder.get("job") else ""
    return f"process {holder.get('process')} on {holder.get('host')}{job} since {holder.get('since')}"


def _this_process() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "job": os.environ.get("SLURM_JOB_ID"),
        "since": datetime.now(UTC).isoformat(" ", "seconds"),
        "machine": _machine(),
        "started": _start_of(os.getpid()),
        "token": uuid.uuid4().hex,
    }


def _is_dead(holder: dict[str, Any], path: Path) -> bool:
    # Windows cannot be asked whether a process is there without ending it.
    if not WINDOWS and holder.get("machine") == _machine() and holder.get("host") == socket.gethostname():
        started = _start_of(holder.get("process"))
        return started is None or started != holder.get("started")
    try:
        with tempfile.TemporaryFile(dir=path.parent) as probe:  # by the clock of the file system
            return os.fstat(probe.fileno()).st_mtime - path.stat().st_mtime > SILENCE
    except FileNotFoundError:  # released this very moment
        return True


def _machine() -> str:
    """Return what tells apart machines, and containers of one machine, whose process numbers mean different things."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _start_of(process: Any) -> str | None:
    """Return when a process of this machine began, in the system's own count; None when there is none."""
    if not isinstance(process, int):  # a lock file may hold anything
        return None
    try:
        # After the name, which may hold anything: state, parent, ...; the 20th is the start. Z is dead, not yet buried.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        return _exists(process)


def _exists(process: int) -> str | None:
    """Return a word for a process that exists where there is no /proc, None for one that does not."""
    if Path("/proc/self/stat").exists():
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "running"
