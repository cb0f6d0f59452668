"""From a corpus's raw files to prepared documents and statistics.

A corpus with folds has a folder for each fold, where train and dev are ready for BIO and test holds all that was
annotated. Beside them, `main` has every document once, as annotated: features are computed from it, once for all folds.
"""

import logging
from collections.abc import Mapping, Sequence

from cman.config.corpora import NO_PATH, Corpus, Folded
from cman.corpora.document import Document, write_documents
from cman.corpora.folds import Grouped, divide, grouped_folds, spert_folds
from cman.corpora.overlap import has_overlap, without_overlap
from cman.corpora.splits import read_groups, read_splits
from cman.corpora.statistics import fold_statistics, statistics
from cman.corpora.tokenize import TextTokenizer, can_read_text
from cman.errors import CmanError
from cman.files import write_json
from cman.layout import MAIN, Layout
from cman.manifest import list_files

log = logging.getLogger(__name__)


def prepare(name: str, corpus: Corpus, layout: Layout) -> None:
    """Read, check and write one corpus.

    Raises:
        CmanError: a raw file is malformed, or dev or test use a type that train does not have.
        UsageError: no tokeniser knows the language of one's own corpus.
    """
    if corpus.is_own and can_read_text():
        TextTokenizer(corpus.language)  # after a training it would be too late
    if corpus.is_absent:
        log.info(NO_PATH, name)
    elif corpus.folded is not None:
        _prepare_folds(name, corpus, corpus.folded, layout)
    else:
        _prepare_main(name, corpus, layout)


def _prepare_main(name: str, corpus: Corpus, layout: Layout) -> None:
    warnings: list[str] = []
    splits = read_splits(name, corpus, layout.raw(name), warnings)
    trained = for_training(name, corpus, splits, warnings)
    check_types(name, trained, corpus, splits, warnings)
    _write(name, MAIN, trained, layout)
    for warning in warnings:
        log.warning("%s", warning)
    write_json(layout.statistics(name), statistics(splits, warnings))
    log.info("%s: %s", name, ", ".join(f"{len(documents)} {split}" for split, documents in splits.items()))


def for_training(
    name: str, corpus: Corpus, splits: Mapping[str, Sequence[Document]], warnings: list[str]
) -> dict[str, list[Document]]:
    """Return the splits as they are written: train and dev of one's own corpus under its overlap policy.

    What the policy takes away is added to `warnings`; test keeps all that was annotated.

    Raises:
        CmanError: the policy leaves no sentence of a split.
    """
    result = {split: list(documents) for split, documents in splits.items()}
    policy = corpus.overlap_policy
    if policy is None:
        return result
    for split in ("train", "dev"):
        if not any(has_overlap(document) for document in splits[split]):
            continue
        left = [found for document in splits[split] if (found := without_overlap(document, policy))]
        if not left:
            raise CmanError(f"{name}: {split}: overlap: {policy} leaves no sentence, wanted at least one")
        counts = [(len(splits[split]) - len(left), len(splits[split]), "sentences")]
        for kind in ("entities", "relations"):
            before, after = (sum(len(getattr(each, kind)) for each in part) for part in (splits[split], left))
            counts.append((before - after, before, kind))
        lost = ", ".join(f"{gone} of {every} {kind}" for gone, every, kind in counts if gone)
        warnings.append(f"overlap: {policy}: {split} goes without {lost}; test keeps all that was annotated")
        result[split] = left
    return result


def _prepare_folds(name: str, given: Corpus, corpus: Folded, layout: Layout) -> None:
    warnings: list[str] = []
    sentences = read_groups(given, layout.raw(name), warnings)
    folds = fold_division(corpus, sentences)
    # Everything is made and checked before anything is written: a wrong corpus leaves nothing behind.
    trained = {
        fold: {
            split: [sentence.document for sentence in part]
            if split == "test"
            else [left for sentence in part if (left := without_overlap(sentence.document, corpus.overlap))]
            for split, part in parts.items()
        }
        for fold, parts in folds.items()
    }
    for fold, splits in trained.items():
        for split, documents in splits.items():
            if not documents:
                raise CmanError(f"{name}: {fold}: found no sentence for {split}, wanted at least one")
        check_types(f"{name}: {fold}", splits, given, sentences_of(folds[fold]), warnings)
    content = fold_statistics(sentences, folds, trained, corpus.overlap)
    content["warnings"] = [*warnings, *content["warnings"]]
    every = {split: [sentence.document for sentence in part] for split, part in folds[next(iter(folds))].items()}
    for fold, splits in {MAIN: every, **trained}.items():
        _write(name, fold, splits, layout)
    for warning in content["warnings"]:
        log.warning("%s", warning)
    write_json(layout.statistics(name), content)
    log.info("%s: %d sentences in %d folds", name, len(sentences), len(folds))


def fold_division(corpus: Folded, sentences: Sequence[Grouped]) -> dict[str, Mapping[str, list[Grouped]]]:
    """Return train, dev and test of each fold as the configuration divides a corpus, overlaps and all.

    Raises:
        CmanError: the corpus cannot be divided like that.
    """
    ids = [sentence.document.id for sentence in sentences]
    names = corpus.divisions
    groups = [sentence.group for sentence in sentences] if corpus.folds in ("document", "grouped") else ids
    spert = corpus.folds == "spert"
    folds = spert_folds(len(sentences)) if spert else grouped_folds(groups, corpus.fold_seed, len(names))
    return {
        fold: divide(sentences, folds, groups, number, corpus.dev.share, corpus.dev.seed)
        for number, fold in enumerate(names)
    }


def _write(name: str, division: str, splits: Mapping[str, Sequence[Document]], layout: Layout) -> None:
    folder = layout.documents(name, division)
    for split, documents in splits.items():
        write_documents(folder / f"{split}.jsonl", documents)
    list_files(folder, [f"{split}.jsonl" for split in splits])


def sentences_of(parts: Mapping[str, Sequence[Grouped]]) -> dict[str, list[Document]]:
    """Return the documents of each part of a fold."""
    return {split: [sentence.document for sentence in part] for split, part in parts.items()}


def check_types(
    name: str,
    splits: Mapping[str, Sequence[Document]],
    corpus: Corpus,
    annotated: Mapping[str, Sequence[Document]],
    warnings: list[str],
) -> None:
    """Refuse entity types and relation labels that a model could never have learned, or say that they are missed.

    Args:
        splits: of the corpus, as they are written.
        annotated: the same before the overlap policy.

    Raises:
        CmanError: the first such type, with its document, unless `unseen_types` of the corpus is `keep`.
    """
    for kind in ("entities", "relations"):
        known, before = _types(splits["train"], kind), _types(annotated["train"], kind)
        kept: dict[str, int] = {}
        for split in ("dev", "test"):
            for document in splits[split]:
                for item in getattr(document, kind):
                    if item.type in known:
                        continue
                    if getattr(corpus, "unseen_types", "refuse") == "keep":
                        kept[item.type] = kept.get(item.type, 0) + (split == "test")
                        continue
                    why = ""
                    if item.type in before:
                        why = f"; overlap: {corpus.overlap_policy} took its last example from train"
                    way = "; `unseen_types: keep` counts it as missed" if corpus.is_own else ""
                    raise CmanError(
                        f"{name}: {split}: document {document.id}: field {kind}: found the type {item.type!r}, "
                        f"wanted one that train has ({', '.join(sorted(known)) or 'it has none'}){why}{way}"
                    )
        if kept:
            listed = ", ".join(f"{label!r} ({count} of test)" for label, count in sorted(kept.items()))
            warnings.append(f"unseen_types: keep: {kind} that train lacks are always missed: {listed}")


def _types(documents: Sequence[Document], kind: str) -> set[str]:
    return {item.type for document in documents for item in getattr(document, kind)}
