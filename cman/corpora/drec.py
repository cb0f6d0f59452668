"""Reader of DREC, the Dutch real estate classifieds of Bekoulis et al. (2018).

The corpus is not public: whoever signs the agreement of its authors gets train.tsv, dev.tsv and test.tsv, in the five
columns of `cman.corpora.columns` with the artificial root as token 0. A token may have several heads; an advertisement
may be hundreds of tokens long.
"""

from pathlib import Path

from cman.corpora.columns import read_columns
from cman.corpora.document import Document
from cman.errors import CmanError


def read_drec(path: Path, warnings: list[str]) -> list[Document]:
    """Read one split; each document begins with the root as an entity of the type `ROOT`.

    Raises:
        CmanError: the file is missing (the message names the three files), or malformed (the first such line).
    """
    if not path.is_file():
        raise CmanError(f"{path}: found no such file, wanted train.tsv, dev.tsv and test.tsv in the folder at `path:`")
    return read_columns(path, warnings, root=True)
