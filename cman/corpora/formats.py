"""What a corpus format is: one file with these functions, found by the name that a configuration gives the format.

`format: conll04` is `cman/corpora/conll04.py`, `format: conll04-sample` is `cman/corpora/samples/conll04.py`; the names
stand in `cman.config.formats`. A file is imported when a corpus of its format is, so that what one format does, and
only that, is what the work on its corpora depends on. A public corpus also has TITLE, LICENCE and CITE: how it is
presented, which nothing that computes reads.

Two names are optional. NUMBERED_AFTER is the mark before the number that sentences of one text have in their documents'
ids, where a format has texts: they stay together when dev, test or folds are carved out of one file. HOLDS_SPLITS says
that one file may hold train, dev and test.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from cman.config.corpora import Conll04, Corpus
from cman.corpora.document import Document
from cman.corpora.folds import Grouped
from cman.errors import UsageError
from cman.fetch.download import Remote


@dataclass(frozen=True)
class RawFile:
    """One file that a corpus is read from.

    Attributes:
        name: below the corpus's raw folder; of one's own file, its path.
        remote: address and SHA-256 of a public file.
        copy: where the configuration says that a copy of the public file is.
        generate: what writes the file of a sample.
        path: one's own file, which is read where it stands.
    """

    name: str
    remote: Remote | None = None
    copy: Path | None = None
    generate: Callable[[Path], None] | None = None
    path: Path | None = None


class Format(Protocol):
    """What every format has; each takes the keys of its corpora."""

    def files(self, corpus: Any) -> list[RawFile]:
        """Return the files that a corpus is read from; none for one that is absent."""


class SplitFormat(Format, Protocol):
    """A format whose corpora come in train, dev and test."""

    def read(self, corpus: Any, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
        """Return each split of a corpus whose files are in `raw`; what is read otherwise than written is a warning."""


class FoldedFormat(Format, Protocol):
    """A format whose corpora are one list of documents, divided into folds."""

    def read_grouped(self, corpus: Any, raw: Path) -> list[Grouped]:
        """Return the documents of a corpus whose files are in `raw`, each with its group."""


class ReadableFormat(Protocol):
    """A format that `cman convert --from` knows."""

    def read_file(self, path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
        """Read one file or folder; `split` is that of a file with several, `language` that of untokenised text."""


class WritableFormat(Protocol):
    """A format that `cman convert --to` knows."""

    def fitting(self, documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
        """Return documents as the format can hold them, and how often it cannot hold what."""

    def write(self, path: Path, documents: Sequence[Document]) -> None:
        """Write documents that fit."""


def module_name(format: str) -> str:
    """Return the module of a format: `conll04` and `conll04-sample` are `conll04` and `samples.conll04`."""
    name = format.removesuffix("-sample")
    return f"cman.corpora.{name}" if name == format else f"cman.corpora.samples.{name}"


def split_format(corpus: Corpus) -> SplitFormat:
    """Return the format of a corpus that comes in train, dev and test."""
    return cast(SplitFormat, import_module(module_name(corpus.format)))


def folded_format(corpus: Corpus) -> FoldedFormat:
    """Return the format of a corpus with folds."""
    return cast(FoldedFormat, import_module(module_name(corpus.format)))


def files_of(corpus: Corpus) -> list[RawFile]:
    """Return the files that a corpus is read from; none for one that is absent.

    Raises:
        UsageError: the configuration names a copy of a file that the corpus does not have.
    """
    return cast(Format, import_module(module_name(corpus.format))).files(corpus)


def public_files(remotes: Sequence[Remote], copies: Mapping[str, Path]) -> list[RawFile]:
    """Return the public files of a corpus, given what the configuration has under `paths`.

    Raises:
        UsageError: a path for a file that the corpus does not have.
    """
    names = [remote.name for remote in remotes]
    unknown = sorted(set(copies) - set(names))
    if unknown:
        raise UsageError(f"paths: unknown raw file {unknown[0]!r}, wanted one of {', '.join(names)}")
    return [RawFile(remote.name, remote, copies.get(remote.name)) for remote in remotes]


def own_files(paths: Sequence[Path]) -> list[RawFile]:
    """Return the files of one's own corpus, each once."""
    return [RawFile(str(path), path=path) for path in dict.fromkeys(paths)]


def corpus_title(name: str, corpus: Corpus) -> str:
    """Return what tables call a corpus: one's own by its name in the configuration."""
    if corpus.is_own:
        return name
    title = str(import_module(module_name(corpus.format)).TITLE)
    # What is published of ADE is on its folds, of CoNLL04 on its public division: the two must not look alike.
    return f"{title}, {corpus.folds} folds" if isinstance(corpus, Conll04) and corpus.folds else title


def licence(corpus: Corpus) -> str | None:
    """Return the licence of a corpus's data as the configuration or its format states it; None where neither does."""
    known = None if corpus.is_own else str(import_module(module_name(corpus.format)).LICENCE)
    return corpus.licence or known
