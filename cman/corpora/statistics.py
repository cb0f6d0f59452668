"""Counts of a prepared corpus and what a user should know about it before trusting a score on it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cman.config.corpora import Overlap
from cman.corpora.document import Document
from cman.corpora.folds import Grouped
from cman.corpora.overlap import reduced, without_overlap

ANNOTATIONS = ("entities", "relations")


def statistics(splits: Mapping[str, Sequence[Document]], warnings: Sequence[str]) -> dict[str, Any]:
    """Return the content of `statistics.json`.

    Args:
        splits: the documents of each split.
        warnings: what the reader noticed.
    """
    texts = {name: Counter(normalised(document) for document in documents) for name, documents in splits.items()}
    names = list(splits)
    shared = {
        f"{first} and {second}": sum(count for text, count in texts[second].items() if text in texts[first])
        for place, first in enumerate(names)
        for second in names[place + 1 :]
    }
    return {
        "splits": {name: _counts(documents) for name, documents in splits.items()},
        "repeated_sentences": {
            "within": {name: sum(count - 1 for count in found.values()) for name, found in texts.items()},
            "of the second that stand in the first": shared,
            "of test that stand in train or dev": sum(
                count for text, count in texts["test"].items() if text in texts["train"] or text in texts["dev"]
            ),
        },
        "warnings": list(warnings),
    }


def fold_statistics(
    sentences: Sequence[Grouped],
    folds: Mapping[str, Mapping[str, Sequence[Grouped]]],
    trained: Mapping[str, Mapping[str, Sequence[Document]]],
    policy: Overlap,
) -> dict[str, Any]:
    """Return the content of `statistics.json` of a corpus with folds.

    Args:
        folds: train, dev and test of each fold, as annotated.
        trained: the same as written: train and dev under the overlap policy.
    """
    documents = [sentence.document for sentence in sentences]
    by_policy = [found for document in documents if (found := reduced(document, policy))]
    for_bio = [found for document in documents if (found := without_overlap(document, policy))]
    counts, left = _counts(documents), _counts(for_bio)
    texts = Counter(normalised(document) for document in documents)
    lost = [f"{counts[kind]['all'] - left[kind]['all']} of {counts[kind]['all']} {kind}" for kind in ANNOTATIONS]
    return {
        "splits": {"all": counts},
        "overlap": {"policy": policy, "after_policy": _counts(by_policy), "for_training": left},
        "folds": {
            name: {
                "splits": {split: _counts(part) for split, part in trained[name].items()},
                "abstracts_of_test": len(_abstracts(parts["test"])),
                "of_them_in_train_or_dev": len(
                    _abstracts(parts["test"]) & _abstracts([*parts["train"], *parts["dev"]])
                ),
            }
            for name, parts in folds.items()
        },
        "repeated_sentences": {"within": {"all": sum(count - 1 for count in texts.values())}},
        "warnings": [
            f"overlap: {policy}: training never sees {' and '.join(lost)}; test keeps all of them, "
            "so that not everything can be found"
        ]
        if counts["overlapping_entities"]
        else [],
    }


def _abstracts(sentences: Sequence[Grouped]) -> set[str]:
    return {sentence.group for sentence in sentences}


def normalised(document: Document) -> str:
    """Return a sentence's lower-case letters and digits: equal for texts that differ only in tokenisation."""
    text = "".join(document.tokens)
    return re.sub(r"[\W_]+", "", text).lower() or text  # a sentence of signs alone is equal to itself only


def _counts(documents: Sequence[Document]) -> dict[str, Any]:
    lengths = sorted(len(document.tokens) for document in documents)
    entities = Counter(entity.type for document in documents for entity in document.entities if not entity.is_root)
    relations = Counter(relation.type for document in documents for relation in document.relations)
    heads = [Counter(relation.head for relation in document.relations) for document in documents]
    return {
        "sentences": len(documents),
        "tokens": sum(lengths),
        "longest": lengths[-1],
        "median_length": lengths[len(lengths) // 2],
        "entities": {"all": entities.total(), "types": dict(sorted(entities.items()))},
        "relations": {"all": relations.total(), "types": dict(sorted(relations.items()))},
        "sentences_without_relation": sum(not document.relations for document in documents),
        "entities_with_several_relations": sum(count > 1 for head in heads for count in head.values()),
        "overlapping_entities": sum(_overlapping(document) for document in documents),
    }


def _overlapping(document: Document) -> int:
    """Return how many entities begin before an earlier one ends."""
    end = count = 0
    for entity in sorted(document.entities, key=lambda entity: (entity.start, entity.end)):
        count += entity.start < end
        end = max(end, entity.end)
    return count
