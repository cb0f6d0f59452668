"""Confidences that mean what they say: a line through the logits of each task, fitted on dev (Platt 1999).

A calibrated probability is sigmoid(logit(p) / T + b), T the temperature and b the shift of its task. It keeps the order
of the scores, so no annotation changes with it. The second CRF of a model that is trained on gold labels is certain of
what it copies from them, and a model has seen its training sentences many times: it is too sure of itself. With a
temperature alone (Guo et al. 2017) 0.5 stays where it is, and low scores too high.
"""

import math
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from pydantic import Field

from cman.corpora.document import Document, Relation
from cman.model.decode import SCORE_DIGITS
from cman.validation import Closed, Read, checked

LIMIT = 1e-6  # a score of 0 or 1 has no logit


@dataclass(frozen=True)
class Line:
    """Of one task.

    Args:
        temperature: what logits are divided by.
        shift: what is added to them after that.
    """

    temperature: float = 1.0
    shift: float = 0.0

    def __str__(self) -> str:
        return f"temperature {self.temperature:.3g}, shift {self.shift:.3g}"

    def calibrated(self, probability: float) -> float:
        """Return what a score of the model means."""
        if self == Line():
            return probability
        return round(_sigmoid(_logit(probability) / self.temperature + self.shift), SCORE_DIGITS)

    def raw(self, score: float) -> float:
        """Return the model's score behind a calibrated one."""
        return min(max(_sigmoid((_logit(score) - self.shift) * self.temperature), LIMIT), 1 - LIMIT)


@dataclass(frozen=True)
class Calibration:
    """What a training found out on dev.

    Args:
        entities, relations: lines of their scores; the identity where too little was there to fit one on.
        threshold: of relations, not calibrated: the one with the best F1; None where no relation is gold.
    """

    entities: Line = Line()
    relations: Line = Line()
    threshold: float | None = None

    def __str__(self) -> str:
        chosen = "none" if self.threshold is None else f"{self.threshold:.3g}"
        return f"entities: {self.entities}; relations: {self.relations}; best threshold of relations: {chosen}"

    def document(self, document: Document) -> Document:
        """Return a predicted document with calibrated scores."""
        entities = tuple(
            each if each.score is None else replace(each, score=self.entities.calibrated(each.score))
            for each in document.entities
        )
        return replace(document, entities=entities, relations=self.scored(document.relations))

    def scored(self, relations: tuple[Relation, ...]) -> tuple[Relation, ...]:
        """Return relations with calibrated scores."""
        return tuple(
            each if each.score is None else replace(each, score=self.relations.calibrated(each.score))
            for each in relations
        )

    def calibrated_threshold(self) -> float | None:
        """Return the threshold as a calibrated score, which is what predictions hold."""
        return None if self.threshold is None else self.relations.calibrated(self.threshold)

    def to_json(self) -> dict[str, Any]:
        """Return what `config.json` of a model keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any, where: str) -> "Calibration":
        """Return what `to_json` gave.

        Raises:
            CmanError: it is something else.
        """
        known = checked(_Config, {"calibration": value}, where).calibration
        return cls(Line(**vars(known.entities)), Line(**vars(known.relations)), known.threshold)


Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Line(Closed):
    temperature: Annotated[Finite, Field(gt=0)]
    shift: Finite


class _Calibration(Closed):
    entities: _Line
    relations: _Line
    threshold: Annotated[float, Field(gt=0, lt=1)] | None


class _Config(Read):
    calibration: _Calibration


def _logit(probability: float) -> float:
    bounded = min(max(probability, LIMIT), 1 - LIMIT)
    return math.log(bounded / (1 - bounded))


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -500 else 0.0
