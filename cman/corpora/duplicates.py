"""An entity that is written twice is one entity: exact duplicates are merged before anything else is done.

The relations of both become relations of the one; otherwise an overlap policy would take one of them for an overlap and
lose its relations.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from cman.corpora.document import Document, Entity, Relation

Annotation = TypeVar("Annotation", Entity, Relation)

SHOWN = 3  # places that a warning names


def without_duplicates(document: Document) -> Document:
    """Return a document with each entity (type and span) once, the first with the best score, and each relation once.

    Relations keep their order; a relation that is written twice is one, too.
    """
    first: dict[tuple[str, int, int], int] = {}
    index = [first.setdefault((each.type, each.start, each.end), len(first)) for each in document.entities]
    links: dict[tuple[str, int, int], None] = {(each.type, index[each.head], index[each.tail]): None
                                               for each in document.relations}  # fmt: skip
    if len(first) == len(document.entities) and len(links) == len(document.relations):
        return document
    entities: dict[int, Entity] = {}
    for place, entity in zip(index, document.entities, strict=True):
        entities[place] = _better(entities.get(place), entity)
    relations: dict[tuple[str, int, int], Relation] = {}
    for link in document.relations:
        moved = replace(link, head=index[link.head], tail=index[link.tail])
        key = moved.type, moved.head, moved.tail
        relations[key] = _better(relations.get(key), moved)
    return replace(document, entities=tuple(entities.values()), relations=tuple(relations.values()))


def merge_duplicates(documents: Sequence[Document], where: str, warnings: list[str]) -> list[Document]:
    """Return documents without duplicates; how many there were, and where, is added to `warnings`."""
    merged = [without_duplicates(document) for document in documents]
    for kind in ("entities", "relations"):
        counts = {
            old.id: lost
            for old, new in zip(documents, merged, strict=True)
            if (lost := len(getattr(old, kind)) - len(getattr(new, kind)))
        }
        if counts:
            shown = ", ".join(list(counts)[:SHOWN]) + (", ..." if len(counts) > SHOWN else "")
            warnings.append(f"{where}: {sum(counts.values())} {kind} written twice, read as one ({shown})")
    return merged


def _better(known: Annotation | None, other: Annotation) -> Annotation:
    return other if known is None else max(known, other, key=lambda each: each.score or 0.0)
