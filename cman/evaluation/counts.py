"""True positives, predictions and gold annotations under strict matching: what training selects its epoch by.

Strict: an entity's span and type are right; a relation's label and direction are right and both of its arguments are
right as entities, span and type (Bekoulis et al. 2018; "strict" of Taille et al. 2020). Duplicates count once. The
artificial root of DREC is an argument of relations, but no entity to be counted, as in the baseline's scorer.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from cman.corpora.document import Document, Entity


@dataclass
class Counts:
    """Counts that add up over documents; precision, recall and F1 are derived and lie in [0, 1]."""

    true_positive: int = 0
    predicted: int = 0
    gold: int = 0

    def add(self, matched: int, predicted: int, gold: int) -> None:
        """Add the counts of one document."""
        self.true_positive += matched
        self.predicted += predicted
        self.gold += gold

    @property
    def precision(self) -> float:
        """Share of the predictions that are right; 0 without predictions."""
        return self.true_positive / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold annotations that are found; 0 without gold."""
        return self.true_positive / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 when nothing is right."""
        total = self.predicted + self.gold
        return 2 * self.true_positive / total if total else 0.0


def strict_entities(document: Document) -> set[Hashable]:
    """Return what strict matching compares of a document's entities."""
    return {_strict(entity) for entity in document.entities if not entity.is_root}


def strict_relations(document: Document) -> set[Hashable]:
    """Return what strict matching compares of a document's relations."""
    ends = [_strict(entity) for entity in document.entities]
    return {(relation.type, ends[relation.head], ends[relation.tail]) for relation in document.relations}


def _strict(entity: Entity) -> tuple[str, int, int]:
    return entity.type, entity.start, entity.end


def strict_counts(gold: Sequence[Document], predicted: Sequence[Document]) -> tuple[Counts, Counts]:
    """Return the micro counts of entities and of relations over paired documents."""
    entities, relations = Counts(), Counts()
    for expected, actual in zip(gold, predicted, strict=True):
        _add(entities, strict_entities(expected), strict_entities(actual))
        _add(relations, strict_relations(expected), strict_relations(actual))
    return entities, relations


def _add(counts: Counts, gold: Iterable[Hashable], predicted: Iterable[Hashable]) -> None:
    expected, actual = set(gold), set(predicted)
    counts.add(len(expected & actual), len(actual), len(expected))
