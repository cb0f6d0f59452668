"""Putting a new folder into the place of an old one, in one call where the system has it (renameat2 of Linux)."""

import ctypes
import os
import shutil
from pathlib import Path

AT_FDCWD = -100  # names are relative to the current folder
RENAME_EXCHANGE = 2


def replace_folder(new: Path, target: Path) -> None:
    """Give `new` the name `target`; what had it before is removed.

    Where names cannot be exchanged, the old folder steps aside first, as `.{name}.old`, and a process that is killed
    then leaves it there: `restore` brings it back.
    """
    if not target.exists():
        os.rename(new, target)
    elif _exchanged(new, target):
        shutil.rmtree(new)
    else:
        aside = _aside(target)
        os.rename(target, aside)
        try:
            os.rename(new, target)
        except OSError:
            os.rename(aside, target)
            raise
        shutil.rmtree(aside)


def restore(target: Path) -> None:
    """Clear up what a process left that was killed within `replace_folder`."""
    aside = _aside(target)
    if aside.exists() and not target.exists():
        os.rename(aside, target)
    shutil.rmtree(aside, ignore_errors=True)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _exchanged(one: Path, other: Path) -> bool:
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    return rename is not None and rename(AT_FDCWD, bytes(one), AT_FDCWD, bytes(other), RENAME_EXCHANGE) == 0
