"""Getting a public file: from a path, a mirror or its address, whole and with the right SHA-256.

A file is looked for in this order: the path that the configuration gives, the mirror folder, the address. Whatever its
origin it must have the SHA-256; the first place that has the file decides, and no other is tried after a wrong one.
Downloads are retried, continue where an interrupted one stopped, and appear under their name only when they are whole.
"""

import http.client
import logging
import os
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from cman.errors import CmanError, UsageError
from cman.files import atomic_path
from cman.hashes import sha256

log = logging.getLogger(__name__)

ATTEMPTS = 4
PAUSE = 2.0  # seconds before the second attempt, doubled before each further one
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 1 << 16  # bytes
MIRROR_VARIABLE = "CMAN_MIRROR"


@dataclass(frozen=True)
class Remote:
    """A public file; `name` is its path in a mirror, and no hash accepts any content."""

    name: str
    sha256: str | None
    address: str


def mirror_folder(given: Path | None) -> Path | None:
    """Return the folder with copies of public files: the one that is given, else the one that CMAN_MIRROR names."""
    named = os.environ.get(MIRROR_VARIABLE)
    return given or (Path(named) if named else None)


def fetch(remote: Remote, target: Path, given: Path | None, mirror: Path | None) -> None:
    """Put a public file at `target`.

    Args:
        given: local copy named by the configuration, used if not None.
        mirror: folder of copies; used if it has the file.

    Raises:
        UsageError: a given path or the mirror folder does not exist.
        CmanError: the file has another SHA-256 than it should (both are named), or cannot be downloaded.
    """
    if given is not None and not given.is_file():
        raise UsageError(f"paths: {remote.name}: found no file {given}, wanted a local copy")
    if mirror is not None and not mirror.is_dir():
        raise UsageError(f"mirror: found no folder {mirror}, wanted one with copies of the public files")
    local = given or (mirror / remote.name if mirror is not None and (mirror / remote.name).is_file() else None)
    if local is None:
        _download(remote, target)
        return
    log.info("%s: copied from %s", remote.name, local)
    with atomic_path(target) as temporary:
        shutil.copyfile(local, temporary)
        _verify(remote, temporary, str(local))


def _verify(remote: Remote, path: Path, origin: str) -> None:
    if remote.sha256 is None:
        return
    actual = sha256(path)
    if actual != remote.sha256:
        path.unlink()
        raise CmanError(
            f"{origin}: {remote.name}: found SHA-256 {actual}, wanted {remote.sha256}; deleted what was fetched"
        )


def _download(remote: Remote, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A stable name, so that the next process continues where this one is killed.
    partial = target.with_name(f".{target.name}.{(remote.sha256 or 'any')[:12]}.part")
    if remote.sha256 is None:
        # What an earlier process left may be of another version of the file, which no hash would tell.
        partial.unlink(missing_ok=True)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _continue_download(remote.address, partial)
            break
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = str(getattr(error, "reason", error)).strip()
            final = isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410)
            if attempt == ATTEMPTS or final:
                raise CmanError(
                    f"{remote.name}: cannot be downloaded from {remote.address} ({reason}); wanted a connection, or a "
                    "copy: set CMAN_MIRROR or `mirror:` to a folder that has it, or name it in the "
                    "configuration, a corpus's under `paths:`"
                ) from None
            log.warning("%s: attempt %d of %d failed (%s)", remote.name, attempt, ATTEMPTS, reason)
            time.sleep(PAUSE * 2 ** (attempt - 1))
    _verify(remote, partial, remote.address)
    os.replace(partial, target)
    log.info("%s: downloaded from %s", remote.name, remote.address)


def _continue_download(url: str, partial: Path) -> None:
    have = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing is left to send: the part is whole, or longer than the file
            return
        raise
    with response:
        # A server may ignore the range and send everything: then the part is begun anew.
        continues = response.status == 206
        expected = response.headers.get("Content-Length")
        with partial.open("ab" if continues else "wb") as stream:
            received = 0
            while block := response.read(BLOCK):
                stream.write(block)
                received += len(block)
    if expected is not None and received < int(expected):
        raise OSError(f"the connection ended after {received} of {expected} bytes")
