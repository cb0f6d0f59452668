"""SHA-256 of files, and the manifest of a folder: damage is told before it is believed.

`manifest.sha256` stands beside what one verb writes and another reads, with a line a file as `sha256sum` writes it, so
`sha256sum -c manifest.sha256` checks it, too. What is read is compared with its line; a file without one, because an
older version or somebody else made it, is read as it stands. `--no-verify` compares nothing.
"""

import hashlib
import re
from pathlib import Path

from cman.errors import CmanError

MANIFEST = "manifest.sha256"
HASH_BLOCK = 1 << 20  # bytes read at a time
LINE = re.compile(r"([0-9a-f]{64})  (?![/.])([^\0\\]+)")  # names stay within the folder

_verifying = True


def use_verification(wanted: bool) -> None:
    """Compare what is read with its manifest from now on, or do not."""
    global _verifying
    _verifying = wanted


def verifying() -> bool:
    """Say whether what is read is compared with its manifest."""
    return _verifying


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, reading it in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


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
    """Compare a file, which is read in blocks, with the manifest beside it.

    Raises:
        CmanError: it is not what the manifest lists.
    """
    if _verifying and (expected := listed(path.parent).get(path.name)) is not None:
        compare(path, sha256(path), expected)


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
