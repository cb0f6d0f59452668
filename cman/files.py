"""Atomic writing and hashing: a file is either complete under its name or not there at all."""

import gzip
import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cman.errors import CmanError

HASH_BLOCK = 1 << 20  # bytes read at a time


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it becomes `path`, on failure it is removed.

    The temporary file is created in the target's folder, because a rename is atomic only within one file system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; a result is as readable as any other
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_text(path: Path) -> Iterator[IO[str]]:
    """Yield a UTF-8 text stream whose content appears under `path` only when the block ends without an error."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path` atomically."""
    with atomic_text(path) as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, keys in the order given, with a final newline, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, unpacked if its name ends in `.gz`.

    Raises:
        CmanError: the file is missing, no gzip file where its name says so, or holds bytes that are not UTF-8 (the
            message names the line).
    """
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CmanError(f"{path}: cannot be unpacked ({error}); wanted a whole gzip file") from None
    except OSError as error:
        raise CmanError(f"{path}: cannot be read ({error.strerror}); wanted a readable file") from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = content[error.start]
        raise CmanError(f"{path}: line {line}: found the byte 0x{found:02x}, wanted UTF-8 text") from None


def read_json(path: Path) -> Any:
    """Return the value of a JSON file.

    Raises:
        CmanError: the file is missing, not UTF-8 or not JSON (the message names the line).
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise CmanError(f"{path}: line {error.lineno}: found invalid JSON ({error.msg}), wanted a JSON value") from None
    except (ValueError, RecursionError) as error:
        raise CmanError(f"{path}: found JSON that cannot be read ({error}), wanted a JSON value") from None


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits, reading it in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()
