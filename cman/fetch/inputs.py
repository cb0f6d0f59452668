"""The files that encoders and word vectors are read from: given by path, or downloaded and verified.

A download's SHA-256 comes from the configuration. Where that has none, the hash of the first download is recorded
beside the file, in `{file}.sha256` as `sha256sum` writes it, and every later download and use must have it.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from cman.config.configuration import Configuration
from cman.config.inputs import Vectors
from cman.errors import CmanError, UsageError
from cman.fetch.download import Remote, fetch, mirror_folder
from cman.fetch.models import EncoderSource
from cman.files import read_text, write_text
from cman.hashes import sha256
from cman.layout import Layout

log = logging.getLogger(__name__)

MIRROR_FOLDER = "features"  # of a mirror: where copies of these files stand, by the last part of their address
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=@-]*")  # which becomes a path and a wildcard of the workflow


@dataclass(frozen=True)
class InputFile:
    """One file: `key` is where the configuration names it, `address` is None for a file given by path."""

    key: str
    path: Path
    address: str | None = None
    sha256: str | None = None

    @property
    def record(self) -> Path:
        """Where the hash of the first download is kept."""
        return self.path.with_name(f"{self.path.name}.sha256")

    def wanted(self) -> str | None:
        """Return the hash that the file must have: the configuration's, or the recorded one; None before a first use.

        Raises:
            CmanError: the record holds something else.
        """
        if self.sha256 is not None or self.address is None or not self.record.exists():
            return self.sha256
        text = read_text(self.record)
        if not re.fullmatch(rf"[0-9a-f]{{64}}  {re.escape(self.path.name)}\n?", text):
            raise CmanError(f"{self.record}: line 1: found {text[:80]!r}, wanted a SHA-256 and {self.path.name}")
        return text[:64]


def encoder_files(encoder: EncoderSource, name: str, layout: Layout) -> dict[str, InputFile]:
    """Return ELMo's files by key, `options` and `weights`; none for a transformer.

    Raises:
        UsageError: an address is none, or both end in the same name.
    """
    if encoder.options is None or encoder.weights is None:
        return {}
    folder = layout.inputs(name)
    files = {
        "options": _file(f"encoders.{name}.options", encoder.options, encoder.sha256.get("options"), folder),
        "weights": _file(f"encoders.{name}.weights", encoder.weights, encoder.sha256.get("weights"), folder),
    }
    if files["options"].path == files["weights"].path:
        raise UsageError(f"encoders.{name}: found {files['weights'].path.name} for both files, wanted two names")
    return files


def vectors_file(vectors: Vectors, name: str, layout: Layout) -> InputFile:
    """Return the file of word vectors."""
    if vectors.path is not None:
        return InputFile(f"vectors.{name}.path", vectors.path, None, vectors.sha256)
    return _file(f"vectors.{name}.url", str(vectors.url), vectors.sha256, layout.inputs(name))


def input_source(configuration: Configuration, name: str, layout: Layout) -> EncoderSource | InputFile:
    """Return where an encoder comes from, or the file of word vectors.

    Raises:
        UsageError: the configuration has neither under this name.
    """
    if name in configuration.vectors:
        return vectors_file(configuration.vectors[name], name, layout)
    if name in configuration.encoders:
        return EncoderSource.of(configuration.encoders[name])
    known = ", ".join([*configuration.encoders, *configuration.vectors])
    raise UsageError(f"unknown encoder or vectors: found {name!r}, wanted one of {known}")


def input_files(configuration: Configuration, name: str, layout: Layout) -> list[InputFile]:
    """Return the files of an encoder or of word vectors; none of a transformer.

    Raises:
        UsageError: see `input_source` and `encoder_files`.
    """
    source = input_source(configuration, name, layout)
    return [source] if isinstance(source, InputFile) else list(encoder_files(source, name, layout).values())


def _file(key: str, place: str, wanted: str | None, folder: Path) -> InputFile:
    if not place.startswith(("http://", "https://")):
        return InputFile(key, Path(place), None, wanted)
    name = PurePosixPath(unquote(urlsplit(place).path)).name
    if not FILE.fullmatch(name):
        wanted = "wanted one that ends in a file's name (letters, digits, -_.+=@)"
        raise UsageError(f"{key}: found the address {place!r}, {wanted}")
    return InputFile(key, folder / name, place, wanted)


def fetch_inputs(
    configuration: Configuration, name: str, only: str | None, layout: Layout, mirror: Path | None
) -> None:
    """Obtain the files of an encoder or of word vectors, or the one of them that is called `only`.

    Raises:
        UsageError: there is no such name or file; CmanError: see `obtain_input`.
    """
    files = input_files(configuration, name, layout)
    chosen = [file for file in files if only in (None, file.path.name)]
    if only is not None and not chosen:
        names = ", ".join(file.path.name for file in files) or "none (it has no files of its own)"
        raise UsageError(f"found no file {only!r} of {name}, wanted one of {names}")
    for file in chosen:
        obtain_input(file, mirror)


def obtain_input(file: InputFile, mirror: Path | None = None) -> None:
    """Download a file, or copy it from the mirror; one that is there and has its hash is left alone.

    Raises:
        CmanError: see `cman.fetch.download.fetch`; a file given by path is not there or has another hash.
    """
    wanted = file.wanted()
    if file.address is None or (file.path.is_file() and (wanted is None or sha256(file.path) == wanted)):
        verified(file)
        return
    remote = Remote(f"{MIRROR_FOLDER}/{file.path.name}", wanted, file.address)
    fetch(remote, file.path, None, mirror_folder(mirror))
    verified(file)


def verified(file: InputFile) -> tuple[Path, str]:
    """Return a file's path and SHA-256, which is recorded if this is the first use of a download.

    Raises:
        CmanError: the file is missing, or has another hash than the configuration or the record says.
    """
    try:
        found = sha256(file.path)
    except OSError as error:
        wanted = "wanted a file" if file.address is None else f"wanted the download of {file.address}: `cman fetch`"
        raise CmanError(f"{file.key}: {file.path}: cannot be read ({error.strerror}); {wanted}") from None
    expected = file.wanted()
    if expected is None and file.address is not None:
        write_text(file.record, f"{found}  {file.path.name}\n")
        log.info("%s: first use; its SHA-256 %s is recorded in %s", file.path, found, file.record)
    elif expected not in (None, found):
        origin = "the configuration says" if file.sha256 is not None else f"{file.record} recorded at its first use"
        raise CmanError(f"{file.key}: {file.path}: found SHA-256 {found}, wanted {expected}, which {origin}")
    return file.path, found
