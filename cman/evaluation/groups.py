"""Scores of parts of a test set: by the distance between two entities (Figure 5) and by sentence length (Figure 6).

Distance is the number of characters from the last character of the one entity to the last character of the other, in
the tokens joined by single blanks (section IV-C). A relation, gold or predicted, belongs to the group of its own two
arguments. The gold entities of a group are the arguments of its gold relations, so that an entity may be in several
groups; its predicted entities are those that share a token with one of these.

Length is the number of tokens; a group has the sentences of that length and everything in them (section IV-D).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cman.corpora.document import Document, Entity
from cman.evaluation.counts import Counts, strict_entities, strict_relations


@dataclass(frozen=True)
class Range:
    """Whole numbers from `low` to `high`, both inclusive; without `high` there is no end."""

    low: int
    high: int | None = None

    def __contains__(self, value: int) -> bool:
        return self.low <= value and (self.high is None or value <= self.high)

    @property
    def title(self) -> str:
        """What it is called under an axis."""
        if self.high is None:
            return f"≥{self.low}"
        return f"≤{self.high}" if self.low == 0 else f"{self.low}–{self.high}"


DISTANCES = (Range(0, 10), Range(11, 20), Range(21))  # characters; the paper's text names 20 alone
LENGTHS = (Range(0, 19), Range(20, 34), Range(35, 49), Range(50))  # tokens, as in Figure 6


@dataclass
class GroupCounts:
    """Strict counts of one group, and how many gold items each is about."""

    entities: Counts = field(default_factory=Counts)
    relations: Counts = field(default_factory=Counts)
    sentences: int = 0


def by_length(
    gold: Sequence[Document], predicted: Sequence[Document], ranges: Sequence[Range] = LENGTHS
) -> list[GroupCounts]:
    """Return the counts of the sentences of each range of lengths."""
    groups = [GroupCounts() for _ in ranges]
    for expected, actual in zip(gold, predicted, strict=True):
        for group, limits in zip(groups, ranges, strict=True):
            if len(expected.tokens) in limits:
                group.sentences += 1
                _add(group.entities, strict_entities(expected), strict_entities(actual))
                _add(group.relations, strict_relations(expected), strict_relations(actual))
    return groups


def by_distance(
    gold: Sequence[Document], predicted: Sequence[Document], ranges: Sequence[Range] = DISTANCES
) -> list[GroupCounts]:
    """Return the counts of the relations of each range of distances, and of the entities that are their arguments."""
    groups = [GroupCounts() for _ in ranges]
    for expected, actual in zip(gold, predicted, strict=True):
        ends = _ends(expected)
        for group, limits in zip(groups, ranges, strict=True):
            relations = _relations_within(expected, ends, limits)
            arguments = {entity for _, *pair in relations for entity in pair if not entity.is_root}
            touching = {
                entity
                for entity in map(_bare, actual.entities)
                if any(entity.start < other.end and other.start < entity.end for other in arguments)
            }
            group.sentences += bool(relations)
            _add(group.relations, relations, _relations_within(actual, ends, limits))
            _add(group.entities, arguments, touching)
    return groups


def distance(ends: Sequence[int], one: Entity, other: Entity) -> int:
    """Return the characters between the last characters of two entities; `ends` are the tokens' last characters."""
    return abs(ends[one.end - 1] - ends[other.end - 1])


def _ends(document: Document) -> list[int]:
    """Return the position of each token's last character in the tokens joined by single blanks."""
    ends, length = [], -1
    for token in document.tokens:
        length += len(token) + 1
        ends.append(length - 1)
    return ends


def _relations_within(document: Document, ends: Sequence[int], limits: Range) -> set[tuple[str, Entity, Entity]]:
    entities = [_bare(entity) for entity in document.entities]
    pairs = {(relation.type, entities[relation.head], entities[relation.tail]) for relation in document.relations}
    return {(kind, head, tail) for kind, head, tail in pairs if distance(ends, head, tail) in limits}


def _bare(entity: Entity) -> Entity:
    return Entity(entity.type, entity.start, entity.end)  # without the score, which no comparison is about


def _add(counts: Counts, gold: set, predicted: set) -> None:
    counts.add(len(gold & predicted), len(predicted), len(gold))
