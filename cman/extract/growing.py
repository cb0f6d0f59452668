"""A file that grows line by line, and what it must be: its bytes, lines and SHA-256, so that no loss goes unseen."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cman.errors import CmanError
from cman.hashes import HASH_BLOCK


@dataclass(frozen=True)
class Extent:
    """How much was written, and what."""

    size: int = 0  # bytes
    lines: int = 0
    sha256: str = hashlib.sha256().hexdigest()


class Growing:
    """A file that is written from its start, or from where `extent` says that an earlier process stopped.

    What stands behind that, such as a torn line, is cut off.

    Raises:
        CmanError: the file does not begin with what `extent` says.
    """

    def __init__(self, path: Path, extent: Extent) -> None:
        self.path, self.extent = path, extent
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()
        self._digest = self._read(extent.size)
        with self.path.open("r+b") as stream:
            stream.truncate(extent.size)

    def append(self, content: bytes) -> None:
        """Write all of `content`, and wait until it is on the disk.

        Raises:
            CmanError: the file cannot take it all, such as on a full disk; a part of it may have been written.
        """
        try:
            # Buffered: the raw stream may take less than it is given and say so only by what it returns.
            with self.path.open("ab") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise CmanError(
                f"{self.path}: cannot be written ({error.strerror}); wanted room for {len(content)} bytes"
            ) from None
        self._digest.update(content)
        size, lines = self.extent.size + len(content), self.extent.lines + content.count(b"\n")
        self.extent = Extent(size, lines, self._digest.hexdigest())

    def check(self) -> None:
        """Compare the whole file with all that was appended.

        Raises:
            CmanError: it is shorter, longer or another.
        """
        size = self.path.stat().st_size
        if size != self.extent.size:
            raise CmanError(f"{self.path}: found {size} bytes, wanted the {self.extent.size} that were written")
        self._read(size)

    def _read(self, size: int) -> Any:
        """Return the digest of the first bytes after a comparison with the extent."""
        digest, lines, left = hashlib.sha256(), 0, size
        with self.path.open("rb") as stream:
            while left and (block := stream.read(min(left, HASH_BLOCK))):
                digest.update(block)
                lines += block.count(b"\n")
                left -= len(block)
        if left:
            raise CmanError(f"{self.path}: found {size - left} bytes, wanted the {size} that were written")
        if (lines, digest.hexdigest()) != (self.extent.lines, self.extent.sha256):
            raise CmanError(
                f"{self.path}: found {lines} lines that are not the {self.extent.lines} that were written; wanted the "
                "file unchanged, or removed together with its state to begin anew"
            )
        return digest


def extent_of(value: Mapping[str, Any]) -> Extent:
    """Return the extent of which `vars` is the value."""
    return Extent(**value)
