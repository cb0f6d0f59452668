"""The splits of a corpus as everything after reading takes them: without duplicates, divided where a split is missing.

What one's own corpus does not have, dev or test, is a part of its train: whole texts, chosen by a hash of their names
and a seed, so that the same files are divided alike everywhere.
"""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from cman.config.corpora import Corpus, Own
from cman.corpora.document import Document
from cman.corpora.duplicates import merge_duplicates
from cman.corpora.folds import Grouped, carved
from cman.corpora.formats import folded_format, module_name, split_format
from cman.corpora.likeness import telling
from cman.corpora.raw import given_files
from cman.corpora.retokenise import retokenised
from cman.errors import CmanError
from cman.layout import SPLITS


def read_splits(name: str, corpus: Corpus, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Return train, dev and test of a corpus; what is read otherwise than it is written is added to `warnings`.

    Raises:
        CmanError: a file is missing or malformed, or train is too small to be divided.
    """
    splits = _read(corpus, raw, warnings)
    if not isinstance(corpus, Own):
        return splits
    for split, part in (("test", corpus.test), ("dev", corpus.dev)):
        if split in splits:
            continue
        train = splits["train"]
        groups = groups_of(corpus.format, train)
        taken = carved(groups, part.share, part.seed, split)
        if not taken:
            raise CmanError(f"{name}: paths: found no {split} and one text in train, wanted {split}, or more to divide")
        splits[split] = [each for each, group in zip(train, groups, strict=True) if group in taken]
        splits["train"] = [each for each, group in zip(train, groups, strict=True) if group not in taken]
        warnings.append(
            f"paths: no {split}: {len(splits[split])} of the {len(train)} sentences of train are {split} "
            f"(`{split}: {{share: {part.share}}}`, or `folds: 5`)"
        )
    return {split: splits[split] for split in SPLITS}


def read_groups(corpus: Corpus, raw: Path, warnings: list[str]) -> list[Grouped]:
    """Return the documents of a corpus with folds, each with its group; see `read_splits`."""
    if not isinstance(corpus, Own):
        return folded_format(corpus).read_grouped(corpus, raw)
    documents = _read(corpus, raw, warnings)["train"]
    return [Grouped(*pair) for pair in zip(groups_of(corpus.format, documents), documents, strict=True)]


def groups_of(format: str, documents: Sequence[Document]) -> list[str]:
    """Return the text that each document is a sentence of: where a format has texts, its name without its number."""
    divides = hasattr(import_module(module_name(format)), "DIVIDES_TEXTS")
    return [re.sub(r"-[0-9]+$", "", each.id) if divides else each.id for each in documents]


def _read(corpus: Corpus, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    reader = split_format(corpus)
    if not corpus.is_own:
        return reader.read(corpus, raw, warnings)
    paths = [Path(file) for file in given_files(corpus)]
    splits = dict(telling(lambda: reader.read(corpus, raw, warnings), corpus.format, paths))
    if isinstance(corpus, Own):
        splits = {split: merge_duplicates(documents, split, warnings) for split, documents in splits.items()}
        if corpus.tokens == "language":
            splits = retokenised(splits, corpus.language, warnings)
    return splits
