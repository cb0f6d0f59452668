"""The temperatures and the threshold of a trained model, fitted on documents that it was not trained on."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from cman.corpora.document import Document
from cman.corpora.ranking import Ranking
from cman.evaluation.counts import strict_entities
from cman.evaluation.ranking import best_threshold, ranked
from cman.features.batch import EncodedDocuments
from cman.model.annotate import annotate
from cman.model.calibration import LIMIT, Calibration
from cman.model.cman import Cman
from cman.model.multihead import MultiHead

log = logging.getLogger(__name__)

FEWEST = 20  # scores, and at least one right and one wrong: of fewer a temperature says nothing
COLDEST, HOTTEST = 0.2, 20.0


def calibrate(model: Cman | MultiHead, dev: EncodedDocuments, given: bool = False) -> Calibration:
    """Return what dev says of a model's scores; the model stays as it is.

    An entity is right if its span and type are gold; a relation, of all in the ranking, as strict matching has it.

    Args:
        given: the entities are gold (`ner.given`) and have no scores.
    """
    ranking: Ranking = {}
    predicted = annotate(model, dev, confidences=not given, ranking=ranking)
    entities = 1.0 if given else temperature(*_entities(dev.documents, predicted))
    scores, right, _ = ranked(dev.documents, predicted, ranking)
    result = Calibration(entities, temperature(scores, right), best_threshold(dev.documents, predicted, ranking))
    log.info(
        "on dev: temperatures %.3f of entities and %.3f of relations, best threshold of relations %s",
        result.entities,
        result.relations,
        result.threshold,
    )
    return result


def temperature(scores: np.ndarray, right: np.ndarray) -> float:
    """Return the temperature under which scores are most likely, between `COLDEST` and `HOTTEST`; 1 for too few.

    The log-likelihood is concave in 1/T, so Newton's steps find its only maximum.

    Args:
        scores: (S,) probabilities.
        right: (S,) bool.
    """
    if len(scores) < FEWEST or right.all() or not right.any():
        return 1.0
    bounded = np.clip(scores, LIMIT, 1 - LIMIT)
    logits = np.log(bounded / (1 - bounded))
    inverse = 1.0
    for _ in range(50):
        probability = 1 / (1 + np.exp(-inverse * logits))
        slope = (logits * (right - probability)).sum()
        curvature = (logits**2 * probability * (1 - probability)).sum()
        step = slope / max(curvature, 1e-12)
        inverse = float(np.clip(inverse + np.clip(step, -inverse / 2, inverse), 1 / HOTTEST, 1 / COLDEST))
        if abs(step) < 1e-9:
            break
    return round(1 / inverse, 6)


def _entities(gold: Sequence[Document], predicted: Sequence[Document]) -> tuple[np.ndarray, np.ndarray]:
    scores: list[float] = []
    right: list[bool] = []
    for expected, actual in zip(gold, predicted, strict=True):
        known: set[Any] = strict_entities(expected)
        for entity in actual.entities:
            if not entity.is_root and entity.score is not None:
                scores.append(entity.score)
                right.append((entity.type, entity.start, entity.end) in known)
    return np.array(scores), np.array(right, dtype=bool)
