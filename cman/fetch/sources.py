"""The raw files of each corpus: public address, SHA-256, whom to cite; and fetching them.

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
from cman.files import atomic_path, sha256

log = logging.getLogger(__name__)

ATTEMPTS = 4
PAUSE = 2.0  # seconds before the second attempt, doubled before each further one
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 1 << 16  # bytes

_BEKOU = (
    "https://raw.githubusercontent.com/bekou/multihead_joint_entity_relation_extraction/"
    "7f40a0f7c1892821591358518c542139e88f693e/data/CoNLL04"
)


@dataclass(frozen=True)
class Source:
    """One raw file; `name` is its path in a mirror and below the raw folder; no hash accepts any content."""

    name: str
    sha256: str | None
    url: str
    cite: str
    licence: str


CONLL04_BEKOU = tuple(
    Source(
        f"conll04/bekou/{split}.txt",
        digest,
        f"{_BEKOU}/{split}.txt",
        "Roth and Yih 2004; split and packaging of Bekoulis et al. 2018",
        "repository MIT; corpus licence unstated",
    )
    for split, digest in (
        ("train", "0f560fdaa150133fc4843f72e2a8e707e7f74f06a3a3095d4b9921f8d0ce3614"),
        ("dev", "99e854fd2a7d19247230c3ed8c304f79022380c9d21b58f25e7ffc5fe3884e2d"),
        ("test", "d172819deff771c059c9c6688d67c3ff2bdaa25cf71ec56b1f7e8c6705f96700"),
    )
)
CONLL04_SPERT = (
    Source(
        "conll04/spert/conll04.json",
        "3abe11eb5750e2c37e99a428f5e6c7e3b15f77d66053bca85e21e0772d601119",
        "https://raw.githubusercontent.com/btaille/sincere/dd1c34916ddcdc5ceb2799d64b17e80cdf1a5b31/data/conll04.json",
        "Roth and Yih 2004; split of Gupta et al. 2016, dev and packaging of Eberts and Ulges 2020, "
        "as packaged by Taille et al. 2020",
        "repository Apache-2.0; corpus licence unstated",
    ),
)

ADE = Source(
    "ade/ADE-Corpus-V2.zip",
    "0f833524307b5ba27e516ffabd182de6b1e1ce1c00be08e8fe0b9656c0935915",
    "https://raw.githubusercontent.com/davidsbatista/Annotated-Semantic-Relationships-Datasets/"
    "ad883cbbaf4e342326b444347cf7d035012a4f4e/datasets/ADE-Corpus-V2.zip",
    "Gurulingappa et al. 2012",
    "citation requested by the README inside the archive",
)


def fetch(source: Source, target: Path, given: Path | None, mirror: Path | None) -> None:
    """Put one raw file at `target`.

    Args:
        given: local copy named by the configuration, used if not None.
        mirror: folder of copies; used if it has the file.

    Raises:
        UsageError: a given path or the mirror folder does not exist.
        CmanError: the file has another SHA-256 than it should (both are named), or cannot be downloaded.
    """
    if given is not None and not given.is_file():
        raise UsageError(f"paths: {source.name}: found no file {given}, wanted a local copy")
    if mirror is not None and not mirror.is_dir():
        raise UsageError(f"mirror: found no folder {mirror}, wanted one with copies of the public files")
    local = given or (mirror / source.name if mirror is not None and (mirror / source.name).is_file() else None)
    if local is None:
        _download(source, target)
        return
    log.info("%s: copied from %s", source.name, local)
    with atomic_path(target) as temporary:
        shutil.copyfile(local, temporary)
        _verify(source, temporary, str(local))


def _verify(source: Source, path: Path, origin: str) -> None:
    if source.sha256 is None:
        return
    found = sha256(path)
    if found != source.sha256:
        path.unlink()
        raise CmanError(
            f"{origin}: {source.name}: found SHA-256 {found}, wanted {source.sha256}; deleted what was fetched"
        )


def _download(source: Source, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A stable name, so that the next process continues where this one is killed.
    partial = target.with_name(f".{target.name}.{(source.sha256 or 'any')[:12]}.part")
    if source.sha256 is None:
        # What an earlier process left may be of another version of the file, which no hash would tell.
        partial.unlink(missing_ok=True)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _continue_download(source.url, partial)
            break
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = str(getattr(error, "reason", error)).strip()
            final = isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404, 410)
            if attempt == ATTEMPTS or final:
                raise CmanError(
                    f"{source.name}: cannot be downloaded from {source.url} ({reason}); wanted a connection, or a "
                    "copy: set CMAN_MIRROR or `mirror:` to a folder that has it, or name it in the "
                    "configuration, a corpus's under `paths:`"
                ) from None
            log.warning("%s: attempt %d of %d failed (%s)", source.name, attempt, ATTEMPTS, reason)
            time.sleep(PAUSE * 2 ** (attempt - 1))
    _verify(source, partial, source.url)
    os.replace(partial, target)
    log.info("%s: downloaded from %s", source.name, source.url)


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
