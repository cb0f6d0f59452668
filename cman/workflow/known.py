"""Digests of code that were computed before, kept in the user's cache.

Every start of Snakemake, also that of each job on a cluster, needs the same digests, and parsing all sources for them
takes longer than reading the rules. A file of the cache is named by the bytes of the whole package and by Python's
version, so there is nothing in it that could be out of date; whatever is wrong with it, the digests are computed.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cman.errors import CmanError
from cman.files import read_json, write_text

STATES = 20  # of packages that are kept; older ones are removed


def cache_folder() -> Path | None:
    """Return the folder of the user's cache; None for a user without a home."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cman" / "code"
    except RuntimeError:
        return None


class Known:
    """The digests of one state of a package, by what they are of."""

    def __init__(self, package: Path, files: Iterable[Path], folder: Path) -> None:
        state = hashlib.sha256(sys.version.encode())
        for path in sorted(files):
            state.update(f"\0{path.relative_to(package).as_posix()}\0{path.stat().st_size}\0".encode())
            state.update(path.read_bytes())
        self.file = folder / f"{state.hexdigest()}.json"
        try:
            kept = read_json(self.file) if self.file.is_file() else {}
        except CmanError:
            kept = {}
        texts = isinstance(kept, dict) and all(isinstance(value, str) for value in kept.values())
        self.digests: dict[str, str] = kept if texts else {}

    def get(self, roots: Iterable[str]) -> str | None:
        """Return the digest of roots, if it is known."""
        return self.digests.get(" ".join(roots))

    def add(self, roots: Iterable[str], digest: str) -> None:
        """Keep a digest, where that is possible."""
        self.digests[" ".join(roots)] = digest
        try:
            write_text(self.file, json.dumps(self.digests))
            states = sorted(self.file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for old in states[:-STATES]:
                old.unlink()
        except (CmanError, OSError):
            return  # somebody else's turn, or no room: they are computed again
