"""Making and checking manifests: `manifest.sha256` of a folder, see `cman.hashes`."""

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cman.errors import CmanError
from cman.files import is_stream, write_text
from cman.flock import alone
from cman.hashes import MANIFEST, compare, listed, sha256, verifying

log = logging.getLogger(__name__)


def list_files(folder: Path, names: Iterable[str]) -> None:
    """Hash files of a folder and put them into its manifest beside what stands there; files that are gone leave it.

    A manifest that cannot be read is made anew: what it said of other files is lost, and a line says so.
    """
    with alone(folder):
        try:
            hashes = listed(folder)
        except CmanError as error:
            log.warning("%s; it is made anew", error)
            hashes = {}
        hashes |= {name: sha256(folder / name) for name in names}
        _write(folder, {name: digest for name, digest in hashes.items() if (folder / name).is_file()})


def complete_manifest(folder: Path, names: Iterable[str]) -> None:
    """List files that a process left unlisted which was killed after it had written them, or an older version."""
    if not set(names) <= listed(folder).keys():
        list_files(folder, names)


def list_file(path: Path) -> None:
    """Put one file into the manifest of its folder; a device or a pipe has none."""
    if not is_stream(path):
        real = Path(os.path.realpath(path))
        list_files(real.parent, [real.name])


def write_manifest(folder: Path) -> int:
    """Make the manifest of a folder anew, of the files that it lists; return how many these are.

    Raises:
        CmanError: none of the files that it listed is there, or it had no manifest and is no model folder.
    """
    names = _names(folder)
    if not names:
        raise CmanError(f"{folder}: found no {MANIFEST} and no model, wanted a folder with one of them")
    _write(folder, {name: sha256(folder / name) for name in names})
    return len(names)


def _names(folder: Path) -> list[str]:
    known: Iterable[str] = ()
    with suppress(CmanError):  # a damaged one is what is to be mended
        known = listed(folder)
    names = {name for name in known if (folder / name).is_file()}
    if (folder / "model.safetensors").is_file():  # a model folder of before there were manifests
        own = [*folder.glob("*.json"), *folder.glob("*.safetensors"), *folder.glob("encoder/*")]
        names |= {str(path.relative_to(folder)) for path in own if path.is_file()}
    return sorted(names)


def verify_folder(folder: Path) -> int:
    """Compare every file in a folder's manifest; return how many there are, 0 without a manifest or `--no-verify`.

    Raises:
        CmanError: the first that is missing or another.
    """
    hashes = listed(folder) if verifying() else {}
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file():
            raise CmanError(f"{path}: found no such file, wanted it as {MANIFEST} beside it says")
        compare(path, sha256(path), expected)
    return len(hashes)


def _write(folder: Path, hashes: dict[str, str]) -> None:
    write_text(folder / MANIFEST, "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)))
