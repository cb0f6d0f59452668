"""The format of this project, `cman.corpora.document`: a file a split, a document a line. It holds everything."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cman.config.own import Own
from cman.corpora.document import Document, read_documents, write_documents
from cman.corpora.formats import RawFile, own_files


def files(corpus: Own) -> list[RawFile]:
    """Return the file of each split."""
    return own_files(list(corpus.split_paths.values()))


def read(corpus: Own, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split.

    Raises:
        CmanError: see `cman.corpora.document.read_documents`.
    """
    return {split: read_documents(path) for split, path in corpus.split_paths.items()}


def read_file(path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    """Read one file; see `cman.corpora.document.read_documents`."""
    return read_documents(path)


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return the documents: nothing is lost."""
    return list(documents), Counter()


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write documents, one a line, atomically."""
    write_documents(path, documents)
