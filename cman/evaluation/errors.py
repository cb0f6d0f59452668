"""Where errors come from: every missed gold relation or entity and every spurious one in exactly one class.

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

Entities likewise, beside the entities there that are wrong themselves:

    wrong type         the same span has another type
    wrong boundary     another span, of whatever type, shares a token with it
    missed, spurious   neither
"""

from collections import Counter
from collections.abc import Sequence

from cman.corpora.document import Document, Entity

COMMON = ("wrong boundary", "wrong type", "wrong label", "reversed direction")
MISSED = ("missed entity", *COMMON, "missed pair")
SPURIOUS = ("spurious entity", *COMMON, "spurious pair")
MISSED_ENTITY = ("missed", "wrong boundary", "wrong type")
SPURIOUS_ENTITY = ("spurious", "wrong boundary", "wrong type")
RIGHT = 3  # an argument that is there with span and type

Key = tuple[str, Entity, Entity]  # label, head and tail, without scores


def relation_errors(gold: Sequence[Document], predicted: Sequence[Document]) -> tuple[Counter[str], Counter[str]]:
    """Return how many missed relations and how many spurious ones there are of each class, over paired documents."""
    missed, spurious = Counter[str](), Counter[str]()
    for expected, actual in zip(gold, predicted, strict=True):
        unmet, wrong = relation_classes(expected, actual)
        missed.update(unmet.values())
        spurious.update(wrong.values())
    return missed, spurious


def relation_classes(gold: Document, predicted: Document) -> tuple[dict[Key, str], dict[Key, str]]:
    """Return the class of each missed relation and of each spurious one of a sentence."""
    expected, actual = _relations(gold), _relations(predicted)
    unmet, wrong = expected - actual, actual - expected
    return (
        {key: _class(key, predicted, wrong, MISSED) for key in unmet},
        {key: _class(key, gold, unmet, SPURIOUS) for key in wrong},
    )


def entity_classes(gold: Document, predicted: Document) -> tuple[dict[Entity, str], dict[Entity, str]]:
    """Return the class of each missed entity and of each spurious one of a sentence; entities without their scores."""
    expected, actual = _entities(gold), _entities(predicted)
    unmet, wrong = expected - actual, actual - expected
    return (
        {entity: _entity_class(entity, wrong, MISSED_ENTITY) for entity in unmet},
        {entity: _entity_class(entity, unmet, SPURIOUS_ENTITY) for entity in wrong},
    )


def _entities(document: Document) -> set[Entity]:
    return {bare(entity) for entity in document.entities if not entity.is_root}


def _entity_class(entity: Entity, there: set[Entity], names: Sequence[str]) -> str:
    nothing, boundary, kind = names
    if any((other.start, other.end) == (entity.start, entity.end) for other in there):
        return kind
    return boundary if any(other.start < entity.end and entity.start < other.end for other in there) else nothing


def _relations(document: Document) -> set[Key]:
    ends = [bare(entity) for entity in document.entities]
    return {(relation.type, ends[relation.head], ends[relation.tail]) for relation in document.relations}


def bare(entity: Entity) -> Entity:
    """Return an entity without its score, as matching compares it."""
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
