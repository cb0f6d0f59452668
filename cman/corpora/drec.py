"""DREC, the Dutch real estate classifieds of Bekoulis et al. (2018).

The corpus is not public: whoever signs the agreement of its authors gets train.tsv, dev.tsv and test.tsv, in the five
columns of `cman.corpora.columns` with the artificial root as token 0. A token may have several heads; an advertisement
may be hundreds of tokens long.
"""

from pathlib import Path

from cman.config.corpora import Drec
from cman.corpora.columns import read_columns
from cman.corpora.document import Document
from cman.corpora.formats import RawFile, own_files
from cman.errors import CmanError
from cman.layout import SPLITS

TITLE = "DREC"
LICENCE = "needs a signed agreement with its authors"
CITE = "Bekoulis et al. 2018"


def files(corpus: Drec) -> list[RawFile]:
    """Return the three files in the corpus's folder; none for a corpus without a folder."""
    return [] if corpus.path is None else own_files([corpus.path / f"{split}.tsv" for split in SPLITS])


def read(corpus: Drec, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_drec`."""
    assert corpus.path is not None  # an absent corpus is not read
    return {split: read_drec(corpus.path / f"{split}.tsv", warnings) for split in SPLITS}


def read_drec(path: Path, warnings: list[str]) -> list[Document]:
    """Read one split; each document begins with the root as an entity of the type `ROOT`.

    Raises:
        CmanError: the file is missing (the message names the three files), or malformed (the first such line).
    """
    if not path.is_file():
        raise CmanError(f"{path}: found no such file, wanted train.tsv, dev.tsv and test.tsv in the folder at `path:`")
    return read_columns(path, warnings, root=True)


def read_file(path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    """Read one split; see `read_drec`."""
    return read_drec(path, warnings)
