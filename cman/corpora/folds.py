"""Ten-fold cross-validation: which sentences are tested in which fold, and which of the others choose the epoch.

`spert` are the public folds of ADE (Eberts and Ulges 2020), by sentence: about nine tenths of the abstracts of a test
fold also have a sentence in its training part. `document` keeps the sentences of an abstract together, in folds of
almost equal size; `sentence` divides a corpus that has no public folds. Where chance decides, a hash of seed and name
orders the units: the same on every machine and in every version of Python.
"""

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.files import read_text
from cman.layout import FOLDS

SPERT_FILE = Path(__file__).parent / "ade_folds.txt"

Item = TypeVar("Item")


@dataclass(frozen=True)
class Grouped:
    """A document and what folds may keep together: its group, such as the abstract that it comes from."""

    group: str
    document: Document


def spert_folds(sentences: int) -> list[int]:
    """Return the public fold of each sentence of ADE, in the order of the corpus.

    Raises:
        CmanError: the corpus has another number of sentences than the folds.
    """
    folds = [int(digit) for digit in "".join(read_text(SPERT_FILE).split())]
    if len(folds) != sentences:
        raise CmanError(
            f"folds: found {sentences} sentences, wanted the {len(folds)} that the public folds of ADE divide; "
            "a changed corpus needs `folds: document`"
        )
    return folds


def grouped_folds(groups: Sequence[str], seed: int, count: int = len(FOLDS)) -> list[int]:
    """Return the fold of each sentence such that equal groups share one.

    Args:
        groups: the group of each sentence, such as its abstract.
        count: of the folds.

    Raises:
        CmanError: there are fewer groups than folds.
    """
    sizes = Counter(groups)
    if len(sizes) < count:
        raise CmanError(f"folds: found {len(sizes)} groups of sentences, wanted at least {count}, one for each fold")
    filled = [0] * count
    fold_of: dict[str, int] = {}
    for group in sorted(sizes, key=lambda group: _chance(f"folds {seed}", group)):
        fold_of[group] = filled.index(min(filled))
        filled[fold_of[group]] += sizes[group]
    return [fold_of[group] for group in groups]


def divide(
    sentences: Sequence[Item], folds: Sequence[int], groups: Sequence[str], number: int, share: float, seed: int
) -> Mapping[str, list[Item]]:
    """Return train, dev and test of one fold, each in the order of the corpus.

    Args:
        folds, groups: of each sentence; dev takes whole groups.
        share: of the sentences outside of the test fold, for dev; at least one group goes to either side.
    """
    others = [place for place, fold in enumerate(folds) if fold != number]
    wanted = share * len(others)
    dev: set[Hashable] = set()
    taken = 0
    sizes = Counter(groups[place] for place in others)
    for group in sorted(sizes, key=lambda group: _chance(f"dev {number} {seed}", group))[: len(sizes) - 1]:
        if dev and taken + sizes[group] / 2 > wanted:
            break
        dev.add(group)
        taken += sizes[group]
    return {
        "train": [sentences[place] for place in others if groups[place] not in dev],
        "dev": [sentences[place] for place in others if groups[place] in dev],
        "test": [sentence for sentence, fold in zip(sentences, folds, strict=True) if fold == number],
    }


def carved(groups: Sequence[str], share: float, seed: int, purpose: str) -> set[str]:
    """Return the groups that are, together, about a share of all items; at least one is taken and one is left.

    Args:
        groups: the group of each item.
        purpose: of the part, such as `test`; those of two purposes are drawn apart.
    """
    sizes = Counter(groups)
    taken: set[str] = set()
    filled = 0
    for group in sorted(sizes, key=lambda group: _chance(f"{purpose} {seed}", group))[: len(sizes) - 1]:
        if taken and filled + sizes[group] / 2 > share * len(groups):
            break
        taken.add(group)
        filled += sizes[group]
    return taken


def _chance(purpose: str, name: str) -> bytes:
    return hashlib.sha256(f"{purpose} {name}".encode()).digest()
