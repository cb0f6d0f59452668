"""What identifies the raw inputs of a workflow: the SHA-256 of files, or the versions of packages and models.

A public file is its declared SHA-256, wherever it comes from. A file given by path is its content; one larger than
`READ` is its size and time instead, because every start of Snakemake, also that of each job on a cluster, asks again.
"""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cman.config.configuration import Configuration
from cman.fetch.inputs import input_files
from cman.fetch.models import file_names
from cman.hashes import sha256
from cman.layout import Layout

READ = 64 << 20  # bytes of a file whose content is read


def content(path: Path) -> str:
    """Return what identifies the content of a file given by path; a file that is not there is missing until it is."""
    try:
        state = path.stat()
    except OSError:
        return "missing"
    if path.is_dir():
        return "folder"
    if state.st_size > READ:
        return f"{state.st_size} bytes of {state.st_mtime_ns}"
    return _hash(path, state.st_size, state.st_mtime_ns)


@cache
def _hash(path: Path, size: int, time: int) -> str:
    return sha256(path)


def features_identity(configuration: Configuration, name: str) -> list[Any]:
    """Return what identifies an encoder or word vectors: their files, their package's version, or their revision."""
    identity: list[Any] = []
    for file in input_files(configuration, name, Layout()):
        identity.append(file.sha256 or file.address or content(file.path))
    encoder = configuration.encoders.get(name)
    if encoder is None:
        return identity
    identity += [encoder.stateful, encoder.name, encoder.revision]
    if encoder.path is not None:
        identity += [[file, content(encoder.path / file)] for file in file_names(encoder.path)]
    if encoder.package is not None:
        try:
            identity += [encoder.package, version(encoder.package)]
        except PackageNotFoundError:
            identity += [encoder.package, "not installed"]
    return identity


def joined(*parts: Any) -> str:
    """Return one SHA-256 for parts of which each is fit for `repr`."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()
