"""The raw files of a configured corpus: which they are, and getting those that are not the user's own."""

import logging
from pathlib import Path

from cman.config.corpora import Corpus
from cman.corpora.formats import files_of
from cman.errors import UsageError
from cman.fetch.download import fetch, mirror_folder

log = logging.getLogger(__name__)


def raw_files(corpus: Corpus) -> list[str]:
    """Return the names of a corpus's raw files, below its raw folder; none for a corpus that is given by path."""
    return [file.name for file in files_of(corpus) if file.path is None]


def given_files(corpus: Corpus) -> list[str]:
    """Return the files of a corpus that is given by path."""
    return [file.name for file in files_of(corpus) if file.path is not None]


def obtain(corpus: Corpus, name: str, target: Path, mirror: Path | None = None) -> None:
    """Fetch or generate one raw file; `mirror` defaults to the folder that CMAN_MIRROR names.

    Raises:
        UsageError: the corpus has no such file; CmanError: see `cman.fetch.download.fetch`.
    """
    files = {file.name: file for file in files_of(corpus) if file.path is None}
    if not files:
        raise UsageError(f"found the raw file {name!r}, wanted none: this corpus is given by path and not fetched")
    if name not in files:
        raise UsageError(f"found no raw file {name!r}, wanted one of {', '.join(files)}")
    file = files[name]
    if file.remote is not None:
        fetch(file.remote, target, file.copy, mirror_folder(mirror))
    elif file.generate is not None:
        file.generate(target)
        log.info("%s: generated", target)
