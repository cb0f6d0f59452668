"""The CoNLL04 corpus (Roth and Yih 2004) in its two public packagings, or one's own files in its five columns.

`bekou` (Bekoulis et al. 2018): a text file a split, in the five columns of `cman.corpora.columns`.

`spert` (Eberts and Ulges 2020, as packaged by Taille et al. 2020): one JSON file with three lists of documents.

Both hold the same 1,441 sentences; they tokenise 332 of them differently and divide train and dev differently. With
`folds` all of them are divided anew, and sentences of the same letters stay together. Columns hold no overlap, no
relation of an entity to itself, no text and no scores; entities stand in the order of the tokens.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cman.config.corpora import Conll04
from cman.corpora.columns import fitting_columns, read_columns, write_columns
from cman.corpora.document import Document
from cman.corpora.folds import Grouped
from cman.corpora.formats import RawFile, own_files, public_files
from cman.corpora.spert import spert_documents
from cman.corpora.statistics import normalised
from cman.errors import CmanError, reads
from cman.fetch.download import Remote
from cman.files import read_json
from cman.layout import SPLITS

log = logging.getLogger(__name__)

TITLE = "CoNLL04"
LICENCE = "unstated by its authors; its packagings' repositories are under MIT or Apache-2.0"
CITE = {
    "bekou": "Roth and Yih 2004; split and packaging of Bekoulis et al. 2018",
    "spert": "Roth and Yih 2004; split of Gupta et al. 2016, dev and packaging of Eberts and Ulges 2020, "
    "as packaged by Taille et al. 2020",
}

_BEKOU = (
    "https://raw.githubusercontent.com/bekou/multihead_joint_entity_relation_extraction/"
    "7f40a0f7c1892821591358518c542139e88f693e/data/CoNLL04"
)
_SINCERE = "https://raw.githubusercontent.com/btaille/sincere/dd1c34916ddcdc5ceb2799d64b17e80cdf1a5b31"
BEKOU = {
    split: Remote(f"conll04/bekou/{split}.txt", digest, f"{_BEKOU}/{split}.txt")
    for split, digest in (
        ("train", "0f560fdaa150133fc4843f72e2a8e707e7f74f06a3a3095d4b9921f8d0ce3614"),
        ("dev", "99e854fd2a7d19247230c3ed8c304f79022380c9d21b58f25e7ffc5fe3884e2d"),
        ("test", "d172819deff771c059c9c6688d67c3ff2bdaa25cf71ec56b1f7e8c6705f96700"),
    )
}
SPERT = Remote(
    "conll04/spert/conll04.json",
    "3abe11eb5750e2c37e99a428f5e6c7e3b15f77d66053bca85e21e0772d601119",
    f"{_SINCERE}/data/conll04.json",
)


def files(corpus: Conll04) -> list[RawFile]:
    """Return the files of a packaging, or one's own.

    Raises:
        UsageError: a path for a file that the packaging does not have.
    """
    if corpus.is_own:
        return own_files([corpus.paths[split] for split in SPLITS])
    return public_files([SPERT] if corpus.packaging == "spert" else list(BEKOU.values()), corpus.paths)


def read(corpus: Conll04, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; stray I- tags are read as an entity's start and added to `warnings`.

    Raises:
        CmanError: the first malformed line or document, with its field, what was found and what was wanted.
    """
    if corpus.is_own:
        return {split: read_columns(corpus.paths[split], warnings) for split in SPLITS}
    if corpus.packaging == "spert":
        return {split: read_spert(raw / SPERT.name, split) for split in SPLITS}
    return {split: read_columns(raw / remote.name, warnings) for split, remote in BEKOU.items()}


def read_grouped(corpus: Conll04, raw: Path) -> list[Grouped]:
    """Return the sentences of all splits, for folds; those that differ in tokens, case or signs alone are one group.

    Raises:
        CmanError: see `read`; two sentences have one id, by which features and predictions know them.
    """
    warnings: list[str] = []
    sentences = [document for split in read(corpus, raw, warnings).values() for document in split]
    for warning in warnings:
        log.warning("%s", warning)
    repeated = [name for name, count in Counter(document.id for document in sentences).items() if count > 1]
    if repeated:
        raise CmanError(f"folds: found the document id {repeated[0]!r} in two of train, dev and test, wanted it in one")
    return [Grouped(normalised(document), document) for document in sentences]


@reads("SpERT's JSON")
def read_spert(path: Path, split: str) -> list[Document]:
    """Read one split (`train`, `dev` or `test`) of the `spert` packaging.

    Raises:
        CmanError: not JSON, the split is missing or empty, or a document is malformed.
    """
    value = read_json(path)
    if not isinstance(value, dict) or not isinstance(value.get(split), list) or not value[split]:
        raise CmanError(f"{path}: field {split}: found no documents, wanted a list of them under the key {split!r}")
    return spert_documents(value[split], f"{path}: {split}")


def read_file(path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    """Read one file of columns; see `cman.corpora.columns.read_columns`."""
    return read_columns(path, warnings)


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return what columns can hold; see `cman.corpora.columns.fitting_columns`."""
    return fitting_columns(documents)


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write columns; see `cman.corpora.columns.write_columns`."""
    write_columns(path, documents)
