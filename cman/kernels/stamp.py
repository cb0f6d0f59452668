"""What a compiled `cman._C` was built from, written beside it: a binary for another torch is not even opened.

Opening one can end the process instead of raising an error. This file is also read by setup.py, by its path and without
torch: it must import nothing but the standard library.
"""

import hashlib
import json
from pathlib import Path
from typing import TypedDict

PACKAGE = Path(__file__).resolve().parent.parent
SOURCES = PACKAGE.parent / "csrc"  # there in a checkout, not in an installed package
SUFFIXES = (".cpp", ".h", ".cu", ".cuh")
STAMP = PACKAGE / "_C.json"


class Stamp(TypedDict):
    """The content of `_C.json`."""

    torch: str  # its full version, such as 2.13.0+cpu
    sources: str  # SHA-256 of csrc/


def sources_hash() -> str | None:
    """Return the SHA-256 of the names and contents of the sources in csrc/; None where there are no sources."""
    if not SOURCES.is_dir():
        return None
    digest = hashlib.sha256()
    for path in sorted(path for path in SOURCES.iterdir() if path.suffix in SUFFIXES):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def read_stamp() -> Stamp | None:
    """Return what the binary was built from; None if nothing is built or the stamp cannot be read."""
    try:
        value = json.loads(STAMP.read_text(encoding="utf-8"))
        return Stamp(torch=str(value["torch"]), sources=str(value["sources"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
