"""The raw files of a configured corpus: which they are, getting them, and reading them into documents."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from cman.config.corpora import (
    Ade,
    AdeSample,
    AnyCorpus,
    Brat,
    Conll04,
    Conll04Sample,
    Drec,
    DrecSample,
    Folded,
    Jsonl,
    Spert,
)
from cman.corpora.ade import AdeSentence, read_ade
from cman.corpora.brat import brat_files, read_brat
from cman.corpora.conll04 import read_bekou, read_spert
from cman.corpora.document import Document, read_documents
from cman.corpora.drec import read_drec
from cman.corpora.samples.ade import write_ade_sample
from cman.corpora.samples.conll04 import write_sample
from cman.corpora.samples.drec import write_drec_sample
from cman.corpora.spert import read_own_spert
from cman.corpora.tokenize import TextTokenizer
from cman.errors import UsageError
from cman.fetch.sources import ADE, CONLL04_BEKOU, CONLL04_SPERT, Source, fetch
from cman.layout import SPLITS

log = logging.getLogger(__name__)

MIRROR_VARIABLE = "CMAN_MIRROR"
SAMPLE_ARCHIVE = "ade-sample.zip"


def raw_files(corpus: AnyCorpus) -> list[str]:
    """Return the names of a corpus's raw files, below its raw folder; none for a corpus that is given by path."""
    match corpus:
        case Conll04() if corpus.is_own:
            return []
        case Conll04() | Ade():
            return [source.name for source in _sources(corpus).values()]
        case Conll04Sample():
            return [f"{split}.txt" for split in SPLITS]
        case AdeSample():
            return [SAMPLE_ARCHIVE]
        case DrecSample():
            return [f"{split}.tsv" for split in SPLITS]
        case _:
            return []


def given_files(corpus: AnyCorpus) -> list[str]:
    """Return the files of a corpus that is given by path."""
    match corpus:
        case Conll04() if corpus.is_own:
            return [str(corpus.paths[split]) for split in SPLITS]
        case Jsonl() | Spert():
            return list(dict.fromkeys(str(getattr(corpus.paths, split)) for split in SPLITS))
        case Brat():
            folders = [getattr(corpus.paths, split) for split in SPLITS]
            # A folder without files is itself named, so that whoever waits for it is told that it is missing.
            return [str(path) for folder in folders for path in brat_files(folder) or [folder]]
        case Drec() if corpus.path is not None:
            return [str(corpus.path / f"{split}.tsv") for split in SPLITS]
        case _:
            return []


def obtain(corpus: AnyCorpus, name: str, target: Path, mirror: Path | None = None) -> None:
    """Fetch or generate one raw file; `mirror` defaults to the folder that CMAN_MIRROR names.

    Raises:
        UsageError: the corpus has no such file; CmanError: see `cman.fetch.sources.fetch`.
    """
    if not raw_files(corpus):
        raise UsageError(f"found the raw file {name!r}, wanted none: this corpus is given by path and not fetched")
    if name not in raw_files(corpus):
        raise UsageError(f"found no raw file {name!r}, wanted one of {', '.join(raw_files(corpus))}")
    split = Path(name).stem
    match corpus:
        case Conll04Sample():
            write_sample(target, split, getattr(corpus.sentences, split), corpus.seed)
        case DrecSample():
            write_drec_sample(target, split, getattr(corpus.sentences, split), corpus.seed)
        case AdeSample():
            write_ade_sample(target, corpus.sentences, corpus.seed)
        case Conll04() | Ade():
            _fetch(corpus, name, target, mirror)
            return
    log.info("%s: generated", target)


def _fetch(corpus: Conll04 | Ade, name: str, target: Path, mirror: Path | None) -> None:
    unknown = sorted(set(corpus.paths) - set(raw_files(corpus)))
    if unknown:
        raise UsageError(f"paths: unknown raw file {unknown[0]!r}, wanted one of {', '.join(raw_files(corpus))}")
    source = next(source for source in _sources(corpus).values() if source.name == name)
    named = os.environ.get(MIRROR_VARIABLE)
    fetch(source, target, corpus.paths.get(name), mirror or (Path(named) if named else None))


def read_corpus(corpus: AnyCorpus, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read the raw files of a corpus without folds; what a reader notices without failing is added to `warnings`.

    Raises:
        CmanError: a file is missing or malformed.
    """
    match corpus:
        case Conll04() if corpus.is_own:
            return {split: read_bekou(corpus.paths[split], warnings) for split in SPLITS}
        case Conll04() if corpus.packaging == "spert":
            return {split: read_spert(raw / CONLL04_SPERT[0].name, split) for split in SPLITS}
        case Conll04():
            return {split: read_bekou(raw / source.name, warnings) for split, source in _sources(corpus).items()}
        case Conll04Sample():
            return {split: read_bekou(raw / f"{split}.txt", warnings) for split in SPLITS}
        case DrecSample():
            return {split: read_drec(raw / f"{split}.tsv", warnings) for split in SPLITS}
        case Drec():
            return {Path(path).stem: read_drec(Path(path), warnings) for path in given_files(corpus)}
        case Jsonl():
            return {split: read_documents(getattr(corpus.paths, split)) for split in SPLITS}
        case Spert():
            return {split: read_own_spert(getattr(corpus.paths, split), split) for split in SPLITS}
        case Brat():
            tokenizer = TextTokenizer(corpus.language)
            folders = {split: getattr(corpus.paths, split) for split in SPLITS}
            return {
                split: read_brat(folder, tokenizer, corpus.discontinuous, warnings) for split, folder in folders.items()
            }
    raise AssertionError(f"{corpus.format} has folds")


def read_sentences(corpus: Folded, raw: Path) -> list[AdeSentence]:
    """Read the raw file of a corpus with folds.

    Raises:
        CmanError: the file is missing, refused or malformed.
    """
    return read_ade(raw / (SAMPLE_ARCHIVE if isinstance(corpus, AdeSample) else ADE.name))


def _sources(corpus: Conll04 | Ade) -> Mapping[str, Source]:
    if isinstance(corpus, Ade):
        return {"all": ADE}
    if corpus.packaging == "spert":
        return {"all": CONLL04_SPERT[0]}
    return dict(zip(SPLITS, CONLL04_BEKOU, strict=True))
