"""SHA-256 of files, and the manifest of a folder: damage is told before it is believed.

`manifest.sha256` stands beside what one verb writes and another reads, with a line a file as `sha256sum` writes it, so
`sha256sum -c manifest.sha256` checks it, too. What is read is compared with its line; a file without one, because an
older version or somebody else made it, is read as it stands. `--no-verify` compares nothing.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cman.errors import CmanError

MANIFEST = "manifest.sha256"
HASH_BLOCK = 1 << 20  # bytes read at a time
LINE = re.compile(r"([0-9a-f]{64})  (?![/.])(?!.*/\.\./)([^\0\\]+)")  # names stay within the folder

_verifying = True
_hashed: dict[Path, "Hashed"] = {}


def use_verification(wanted: bool) -> None:
    """Compare what is read with its manifest from now on, or do not."""
    global _verifying
    _verifying = wanted


def verifying() -> bool:
    """Say whether what is read is compared with its manifest."""
    return _verifying


def hashed_bytes(stream: IO[bytes], size: int | None = None) -> Any:
    """Return the SHA-256 object of what a stream gives, read in blocks.

    Args:
        size: bytes to read at most; all by default.
    """
    digest, left = hashlib.sha256(), size
    while left is None or left > 0:
        block = stream.read(HASH_BLOCK if left is None else min(left, HASH_BLOCK))
        if not block:
            break
        digest.update(block)
        left = None if left is None else left - len(block)
    return digest


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, reading it in blocks."""
    with path.open("rb") as stream:
        return str(hashed_bytes(stream).hexdigest())


@dataclass(frozen=True)
class Hashed:
    """A file as it was when it was hashed."""

    path: Path
    sha256: str
    stamp: tuple[int, ...]

    @property
    def is_unchanged(self) -> bool:
        """Whether the file is what it was: the same one, untouched since, or else one of the same content."""
        try:
            return _stamp(self.path.stat()) == self.stamp or sha256(self.path) == self.sha256
        except OSError:
            return False


def hashed(path: Path) -> Hashed:
    """Return a file's hash; one that this process has hashed and nobody has touched since is not read again."""
    known = _hashed.get(path.absolute())
    if known is not None and _stamp(path.stat()) == known.stamp:
        return known
    with path.open("rb") as stream:
        stamp = _stamp(os.fstat(stream.fileno()))  # before it is read: what changes it meanwhile is seen later
        found = Hashed(path, hashed_bytes(stream).hexdigest(), stamp)
    _hashed[path.absolute()] = found
    return found


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def listed(folder: Path) -> dict[str, str]:
    """Return the hashes in a folder's manifest by name of the file; none if it has no manifest.

    Raises:
        CmanError: the manifest is no such file.
    """
    path = folder / MANIFEST
    try:
        lines = path.read_bytes().decode().split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise CmanError(f"{path}: cannot be read ({error}); wanted a line a file, as sha256sum writes it") from None
    hashes: dict[str, str] = {}
    for number, line in enumerate(lines[:-1], start=1):
        fields = LINE.fullmatch(line)
        if fields is None or fields[2] in hashes:
            raise CmanError(f"{path}: line {number}: found {line[:80]!r}, wanted a SHA-256 and a file's name, once")
        hashes[fields[2]] = fields[1]
    if lines[-1] or not hashes:
        raise CmanError(f"{path}: found no line end after {lines[-1][:80]!r}, wanted a whole manifest")
    return hashes


def check_content(path: Path, content: bytes) -> None:
    """Compare what was read of a file with the manifest beside it.

    Raises:
        CmanError: it is not what the manifest lists.
    """
    if _verifying and (expected := listed(path.parent).get(path.name)) is not None:
        compare(path, hashlib.sha256(content).hexdigest(), expected)


def check_file(path: Path) -> None:
    """Compare a file, which is read in blocks, with the manifest beside it; one that is missing, its reader will tell.

    Raises:
        CmanError: it is not what the manifest lists.
    """
    if _verifying and (expected := listed(path.parent).get(path.name)) is not None and path.is_file():
        compare(path, hashed(path).sha256, expected)


def compare(path: Path, digest: str, expected: str) -> None:
    """Refuse a file whose hash is not the one that its manifest lists.

    Raises:
        CmanError: see above.
    """
    if digest != expected:
        raise CmanError(
            f"{path}: found SHA-256 {digest[:12]}, wanted {expected[:12]} as {MANIFEST} beside it says: damaged, or "
            "changed since; make it again, or accept it with `cman verify --write`"
        )
