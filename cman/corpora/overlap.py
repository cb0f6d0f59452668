"""What is done about overlapping entities before training, because BIO gives each token one tag.

    keep_longest    of entities that share a token, the longest stays, then the first; relations of the others go
    drop_sentences  a sentence with any overlap goes
    drop_relations  a relation goes whose two arguments overlap, with it an entity that no relation is left for, and a
                    sentence without any left; what still overlaps after that is treated by `keep_longest`

Predictions are scored against everything that was annotated, unless `cman score --overlap` names a policy.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from cman.corpora.document import Document, Entity

if TYPE_CHECKING:  # scores do not depend on what a configuration may say
    from cman.config.corpora import Overlap


def overlap(first: Entity, second: Entity) -> bool:
    """Tell whether two entities share a token."""
    return first.start < second.end and second.start < first.end


def has_overlap(document: Document) -> bool:
    """Tell whether any two entities of a document share a token."""
    entities = sorted(document.entities, key=lambda entity: (entity.start, entity.end))
    return any(overlap(first, second) for first, second in pairwise(entities))


def without_overlap(document: Document, policy: "Overlap") -> Document | None:
    """Return a document as training reads it under a policy, or None if the policy drops it."""
    left = reduced(document, policy)
    return left if left is None else keep_longest(left)


def reduced(document: Document, policy: "Overlap") -> Document | None:
    """Return what the policy itself leaves of a document; after `drop_relations` some entities may still overlap."""
    return POLICIES[policy](document)


def keep_longest(document: Document) -> Document:
    """Keep the longest of overlapping entities, the first of equally long ones."""
    kept: dict[int, Entity] = {}
    for place, entity in sorted(enumerate(document.entities), key=lambda item: (_size(item[1]), item[1].start)):
        if not any(overlap(entity, other) for other in kept.values()):
            kept[place] = entity
    return _restricted(document, set(kept))


def _size(entity: Entity) -> int:
    return entity.start - entity.end  # the longest first


def _drop_sentence(document: Document) -> Document | None:
    return None if has_overlap(document) else document


def _drop_relations(document: Document) -> Document | None:
    entities = document.entities
    relations = tuple(link for link in document.relations if not overlap(entities[link.head], entities[link.tail]))
    if len(relations) == len(document.relations):
        return document
    used = {end for link in relations for end in (link.head, link.tail)}
    return _restricted(replace(document, relations=relations), used) if used else None


def _restricted(document: Document, places: set[int]) -> Document:
    """Return a document with the entities at some places, and the relations between them."""
    if len(places) == len(document.entities):
        return document
    new = {old: place for place, old in enumerate(sorted(places))}
    relations = tuple(
        replace(link, head=new[link.head], tail=new[link.tail])
        for link in document.relations
        if link.head in new and link.tail in new
    )
    return replace(document, entities=tuple(document.entities[place] for place in new), relations=relations)


POLICIES: Mapping["Overlap", Callable[[Document], Document | None]] = {
    "keep_longest": keep_longest,
    "drop_sentences": _drop_sentence,
    "drop_relations": _drop_relations,
}
