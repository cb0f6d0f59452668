"""The splits of a corpus as everything after reading takes them: without duplicates, divided where a split is missing.

What one's own corpus does not have, dev or test, is a part of its train: whole texts, chosen by a hash of their names
and a seed, so that the same files are divided alike everywhere.
"""

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

from cman.config.corpora import Corpus
from cman.config.formats import FORMATS
from cman.config.own import Own
from cman.corpora.document import Document, write_documents
from cman.corpora.duplicates import merge_duplicates
from cman.corpora.folds import Grouped, carved
from cman.corpora.formats import ReadableFormat, folded_format, module_name, split_format
from cman.corpora.likeness import telling
from cman.corpora.raw import given_files
from cman.corpora.retokenise import retokenised
from cman.errors import CmanError, UsageError
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


def split_file(
    format: str, path: Path, folder: Path, dev: float, test: float, seed: int, language: str, warnings: list[str]
) -> dict[str, int]:
    """Divide one annotated file into train.jsonl, dev.jsonl and test.jsonl in a folder; return how many each has.

    Raises:
        UsageError: a format that is not read by itself; CmanError: the file is malformed, or too small to be divided.
    """
    readable = [name for name in FORMATS if hasattr(import_module(module_name(name)), "read_file")]
    if format not in readable:
        raise UsageError(f"--from: found {format!r}, wanted one of {', '.join(readable)}")
    reader = cast(ReadableFormat, import_module(module_name(format)))
    documents = telling(lambda: reader.read_file(path, None, language, warnings), format, [path])
    left = merge_duplicates(documents, str(path), warnings)
    parts: dict[str, list[Document]] = {}
    for split, share in (("test", test), ("dev", dev)):
        groups = groups_of(format, left)
        taken = carved(groups, share * len(documents) / len(left), seed, split)
        if not taken:
            raise CmanError(f"{path}: found one text for train and {split}, wanted more to divide")
        parts[split] = [each for each, group in zip(left, groups, strict=True) if group in taken]
        left = [each for each, group in zip(left, groups, strict=True) if group not in taken]
    parts["train"] = left
    for split in SPLITS:
        write_documents(folder / f"{split}.jsonl", parts[split])
    return {split: len(parts[split]) for split in SPLITS}


def groups_of(format: str, documents: Sequence[Document]) -> list[str]:
    """Return the text that each document is a sentence of: where a format has texts, its name without its number."""
    mark = getattr(import_module(module_name(format)), "NUMBERED_AFTER", None)
    return [each.id if mark is None else re.sub(f"{mark}[0-9]+$", "", each.id) for each in documents]


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
