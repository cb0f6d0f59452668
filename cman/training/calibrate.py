"""The lines through the logits and the threshold of a trained model, fitted on documents that it was not trained on."""

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cman.corpora.document import Document
from cman.corpora.ranking import Ranking
from cman.evaluation.counts import strict_entities
from cman.evaluation.ranking import best_threshold, ranked
from cman.features.batch import EncodedDocuments
from cman.model.annotate import annotate
from cman.model.calibration import LIMIT, Calibration, Line
from cman.model.cman import Cman
from cman.model.multihead import MultiHead

log = logging.getLogger(__name__)

FEWEST = 20  # scores, and both right and wrong ones among them: fewer say nothing
RIDGE = 0.05  # pulls log T and b to 0: of separable scores, or all equal ones, the likelihood has no maximum
STEPS = 100
DIGITS = 6


def calibrate(model: Cman | MultiHead, dev: EncodedDocuments, given: bool = False) -> Calibration:
    """Return what dev says of a model's scores; the model stays as it is.

    The lines are fitted on what is reported, relations above the threshold; right is what strict matching calls so.

    Args:
        given: the entities are gold (`ner.given`) and have no scores.
    """
    ranking: Ranking = {}
    predicted = annotate(model, dev, confidences=not given, ranking=ranking)
    entities = Line() if given else fitted(*_entities(dev.documents, predicted))
    threshold = best_threshold(dev.documents, predicted, ranking)
    scores, right, _ = ranked(dev.documents, predicted, ranking)
    auto = model.relations.settings.threshold == "auto" and threshold is not None
    reported = scores > (threshold if auto else model.relations.threshold)
    relations = fitted(scores[reported], right[reported])
    result = Calibration(entities, relations, threshold)
    log.info("fitted on dev: %s", result)
    return result


def fitted(scores: np.ndarray, right: np.ndarray) -> Line:
    """Return the line under which scores are most likely, by quasi-Newton steps; the identity for too few.

    Args:
        scores: (S,) probabilities.
        right: (S,) bool.
    """
    if len(scores) < FEWEST or right.all() or not right.any():
        return Line()
    bounded = torch.from_numpy(np.clip(scores, LIMIT, 1 - LIMIT)).double()
    logits, gold = torch.logit(bounded), torch.from_numpy(right).double()
    heat, shift = (torch.zeros((), dtype=torch.float64, requires_grad=True) for _ in range(2))  # log T and b
    optimiser = torch.optim.LBFGS([heat, shift], max_iter=STEPS, tolerance_change=1e-12, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        line = logits * torch.exp(-heat) + shift
        total = nn.functional.binary_cross_entropy_with_logits(line, gold, reduction="sum")
        total = total + RIDGE / 2 * (heat**2 + shift**2)
        torch.autograd.backward(total)
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return Line(round(math.exp(heat.item()), DIGITS), round(shift.item(), DIGITS))


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
