"""Where relation errors come from: every missed gold relation and every spurious one in exactly one class.

Strict matching, so that the classes add up to the false negatives and false positives of `scores.json`. Classes in
order of precedence; for a missed relation "there" means predicted, for a spurious one annotated:

    missed entity, spurious entity   an argument shares no token with any entity there
    wrong boundary                   both do, but the span of one is no entity there
    wrong type                       both spans are there, but one has another type
    wrong label                      both arguments are there, with a wrong relation of another label between them
    reversed direction               the same, in the other direction only, whatever its label
    missed pair, spurious pair       both arguments are there, and nothing wrong between them

A relation that is right itself never explains an error: of two gold labels of one pair, of which one was found, the
other is a missed pair. DREC's artificial root is given with the text and so always there.
"""

from collections import Counter
from collections.abc import Sequence

from cman.corpora.document import Document, Entity

COMMON = ("wrong boundary", "wrong type", "wrong label", "reversed direction")
MISSED = ("missed entity", *COMMON, "missed pair")
SPURIOUS = ("spurious entity", *COMMON, "spurious pair")
RIGHT = 3  # an argument that is there with span and type

Key = tuple[str, Entity, Entity]  # label, head and tail, without scores


def relation_errors(gold: Sequence[Document], found: Sequence[Document]) -> tuple[Counter[str], Counter[str]]:
    """Return how many missed relations and how many spurious ones there are of each class, over paired documents."""
    missed, spurious = Counter[str](), Counter[str]()
    for right, predicted in zip(gold, found, strict=True):
        wanted, given = _relations(right), _relations(predicted)
        unmet, wrong = wanted - given, given - wanted
        missed.update(_class(key, predicted, wrong, MISSED) for key in unmet)
        spurious.update(_class(key, right, unmet, SPURIOUS) for key in wrong)
    return missed, spurious


def _relations(document: Document) -> set[Key]:
    ends = [_bare(entity) for entity in document.entities]
    return {(relation.type, ends[relation.head], ends[relation.tail]) for relation in document.relations}


def _bare(entity: Entity) -> Entity:
    return Entity(entity.type, entity.start, entity.end)


def _class(key: Key, there: Document, wrong: set[Key], names: Sequence[str]) -> str:
    nothing, boundary, kind, label, direction, pair = names
    _, head, tail = key
    worst = min(_argument(end, there) for end in (head, tail))
    if worst < RIGHT:
        return (nothing, boundary, kind)[worst]
    between = {(first, second) for _, first, second in wrong}
    if (head, tail) in between:
        return label
    return direction if (tail, head) in between else pair


def _argument(entity: Entity, there: Document) -> int:
    """Return how right an argument is: 0 where nothing overlaps it, 1 for a wrong boundary, 2 for a wrong type, 3."""
    if entity.is_root:
        return RIGHT
    others = [other for other in there.entities if not other.is_root]
    if not any(other.start < entity.end and entity.start < other.end for other in others):
        return 0
    types = {other.type for other in others if (other.start, other.end) == (entity.start, entity.end)}
    if not types:
        return 1
    return RIGHT if entity.type in types else 2
