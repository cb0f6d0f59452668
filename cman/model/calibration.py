"""Confidences that mean what they say: one temperature a task, fitted on dev (Guo et al. 2017).

A calibrated probability is sigmoid(logit(p) / T). It keeps the order of the scores, and 0.5 stays 0.5: no annotation
changes with it. The second CRF of a model that is trained on gold labels is certain of what it copies from them, so
without this its marginals say 0.9 of entities of which two in three are right.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from cman.corpora.document import Document, Relation
from cman.errors import CmanError
from cman.model.decode import SCORE_DIGITS

LIMIT = 1e-6  # a score of 0 or 1 has no logit


@dataclass(frozen=True)
class Calibration:
    """What a training found out on dev.

    Args:
        entities, relations: temperatures of their scores; 1 where nothing was there to fit one on.
        threshold: of relations, not calibrated: the one with the best F1; None where no relation is gold.
    """

    entities: float = 1.0
    relations: float = 1.0
    threshold: float | None = None

    def document(self, document: Document) -> Document:
        """Return a predicted document with calibrated scores."""
        entities = tuple(
            each if each.score is None else replace(each, score=_cooled(each.score, self.entities))
            for each in document.entities
        )
        return replace(document, entities=entities, relations=self.scored(document.relations))

    def scored(self, relations: tuple[Relation, ...]) -> tuple[Relation, ...]:
        """Return relations with calibrated scores."""
        return tuple(
            each if each.score is None else replace(each, score=_cooled(each.score, self.relations))
            for each in relations
        )

    def calibrated_threshold(self) -> float | None:
        """Return the threshold as a calibrated score, which is what predictions hold."""
        return None if self.threshold is None else _cooled(self.threshold, self.relations)

    def raw_relation(self, score: float) -> float:
        """Return the model's own probability behind a calibrated score of a relation."""
        bounded = min(max(score, LIMIT), 1 - LIMIT)
        raw = 1 / (1 + math.exp(-math.log(bounded / (1 - bounded)) * self.relations))
        return min(max(raw, LIMIT), 1 - LIMIT)

    def to_json(self) -> dict[str, Any]:
        """Return what `config.json` of a model keeps."""
        return {"entities": self.entities, "relations": self.relations, "threshold": self.threshold}

    @classmethod
    def from_json(cls, value: Any, where: str) -> "Calibration":
        """Return what `to_json` gave.

        Raises:
            CmanError: it is something else.
        """
        keys = {"entities", "relations", "threshold"}
        if not isinstance(value, dict) or value.keys() != keys:
            raise CmanError(f"{where}: field calibration: found {value!r}, wanted {', '.join(sorted(keys))}")
        for name, each in value.items():
            if name == "threshold" and each is None:
                continue
            if isinstance(each, bool) or not isinstance(each, int | float) or not 0 < each < math.inf:
                raise CmanError(f"{where}: field calibration.{name}: found {each!r}, wanted a positive number")
        return cls(**value)


def _cooled(probability: float, temperature: float) -> float:
    if temperature == 1.0:
        return probability
    bounded = min(max(probability, LIMIT), 1 - LIMIT)
    return round(1 / (1 + math.exp(-math.log(bounded / (1 - bounded)) / temperature)), SCORE_DIGITS)
