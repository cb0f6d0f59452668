"""Which entity types are taken for which, where the span is right; and what becomes of the other entities.

A table of counts by (row, column). A row is a gold type or, for a predicted entity whose span is none of gold, whether
it overlaps a gold entity; a column is a predicted type or, for a gold entity whose span was not predicted, whether it
overlaps a predicted one. So the row of a type adds up to its gold entities, the column of a type to its predicted
ones, and the diagonal to the true positives of strict matching.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

from cman.corpora.document import Document

OVERLAPPING = "(overlapping)"  # in the place of a type: the span differs, but shares a token with another entity
ALONE = "(none)"  # no entity of the other side shares a token

Span = tuple[int, int]


def confusion(gold: Sequence[Document], predicted: Sequence[Document]) -> Counter[tuple[str, str]]:
    """Return the counts of (gold type, predicted type) over paired documents; see above for the other cells.

    Entities of one span and several types are paired type by type, equal types first, then in alphabetical order; what
    is left over of them overlaps.
    """
    counts = Counter[tuple[str, str]]()
    for expected, actual in zip(gold, predicted, strict=True):
        gold_types, predicted_types = _types(expected), _types(actual)
        for span, types in gold_types.items():
            both = types & predicted_types.get(span, set())
            rest, other = sorted(types - both), sorted(predicted_types.get(span, set()) - both)
            counts.update((kind, kind) for kind in both)
            counts.update(zip(rest, other, strict=False))
            counts.update((kind, _place(span, predicted_types)) for kind in rest[len(other) :])
            counts.update((_place(span, gold_types), kind) for kind in other[len(rest) :])
        for span in predicted_types.keys() - gold_types.keys():
            counts.update((_place(span, gold_types), kind) for kind in predicted_types[span])
    return counts


def _types(document: Document) -> dict[Span, set[str]]:
    types = defaultdict[Span, set[str]](set)
    for entity in document.entities:
        if not entity.is_root:
            types[entity.start, entity.end].add(entity.type)
    return dict(types)


def _place(span: Span, others: Collection[Span]) -> str:
    touches = any(start < span[1] and span[0] < end for start, end in others)
    return OVERLAPPING if touches else ALONE
