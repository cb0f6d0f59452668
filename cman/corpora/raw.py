"""The raw files of a configured corpus: which they are, getting them, and reading them into documents."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from cman.config import Conll04, Conll04Sample, Corpus
from cman.corpora.conll04 import read_bekou, read_spert
from cman.corpora.document import Document, read_documents
from cman.corpora.sample import write_sample
from cman.corpora.sources import CONLL04_BEKOU, CONLL04_SPERT, Source, fetch
from cman.errors import UsageError
from cman.layout import SPLITS

log = logging.getLogger(__name__)

MIRROR_VARIABLE = "CMAN_MIRROR"


def raw_files(corpus: Corpus) -> list[str]:
    """Return the names of a corpus's raw files, below its raw folder; none for a corpus that is given by path."""
    if isinstance(corpus, Conll04):
        return [source.name for source in _sources(corpus).values()]
    if isinstance(corpus, Conll04Sample):
        return [f"{split}.txt" for split in SPLITS]
    return []


def given_files(corpus: Corpus) -> list[str]:
    """Return the files of a corpus that is given by path."""
    return [] if isinstance(corpus, Conll04 | Conll04Sample) else [str(getattr(corpus.paths, name)) for name in SPLITS]


def obtain(corpus: Corpus, name: str, target: Path, mirror: Path | None = None) -> None:
    """Fetch or generate one raw file; `mirror` defaults to the folder that CMAN_MIRROR names.

    Raises:
        UsageError: the corpus has no such file; CmanError: see `cman.corpora.sources.fetch`.
    """
    if not raw_files(corpus):
        raise UsageError(f"found the raw file {name!r}, wanted none: this corpus is given by path and not fetched")
    if name not in raw_files(corpus):
        raise UsageError(f"found no raw file {name!r}, wanted one of {', '.join(raw_files(corpus))}")
    if isinstance(corpus, Conll04Sample):
        split = Path(name).stem
        write_sample(target, split, getattr(corpus.sentences, split), corpus.seed)
        log.info("%s: generated", target)
        return
    assert isinstance(corpus, Conll04)
    unknown = sorted(set(corpus.paths) - set(raw_files(corpus)))
    if unknown:
        raise UsageError(f"paths: unknown raw file {unknown[0]!r}, wanted one of {', '.join(raw_files(corpus))}")
    source = next(source for source in _sources(corpus).values() if source.name == name)
    named = os.environ.get(MIRROR_VARIABLE)
    fetch(source, target, corpus.paths.get(name), mirror or (Path(named) if named else None))


def read_corpus(corpus: Corpus, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read a corpus's raw files; what a reader notices without failing is added to `warnings`.

    Raises:
        CmanError: a file is missing or malformed.
    """
    if isinstance(corpus, Conll04):
        if corpus.packaging == "spert":
            return {split: read_spert(raw / CONLL04_SPERT[0].name, split) for split in SPLITS}
        return {split: read_bekou(raw / source.name, warnings) for split, source in _sources(corpus).items()}
    if isinstance(corpus, Conll04Sample):
        return {split: read_bekou(raw / f"{split}.txt", warnings) for split in SPLITS}
    return {split: read_documents(getattr(corpus.paths, split)) for split in SPLITS}


def _sources(corpus: Conll04) -> Mapping[str, Source]:
    if corpus.packaging == "spert":
        return {"all": CONLL04_SPERT[0]}
    return dict(zip(SPLITS, CONLL04_BEKOU, strict=True))
