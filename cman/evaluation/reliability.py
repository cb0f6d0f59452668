"""Whether scores mean what they say: the calibration error of entities and of relations.

The calibration error is the expected one of Guo et al. (2017): predictions in ten bins of equal width by their score,
the mean over predictions of the distance between their bin's mean score and its share of right ones (strict matching).

Of few predictions it is never 0, however well their scores are calibrated: among 30 that say 0.5 the share of right
ones is 0.07 away from that in the mean. `by_chance` is what the error would be if every score were exactly right.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cman.corpora.document import Document
from cman.evaluation.counts import strict_entities, strict_relations

BINS = 10
DIGITS = 6


def reliability(gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, Any]:
    """Return calibration error and bins of the predicted entities and relations that have a score.

    A task without any is null. A bin is [its lower end, predictions, their mean score, share that is right]; one
    without predictions is left out.
    """
    scored: dict[str, list[tuple[float, bool]]] = {"entities": [], "relations": []}
    for expected, actual in zip(gold, predicted, strict=True):
        known: dict[str, set[Hashable]] = {
            "entities": strict_entities(expected),
            "relations": strict_relations(expected),
        }
        for entity in actual.entities:
            if entity.score is not None and not entity.is_root:
                scored["entities"].append((entity.score, (entity.type, entity.start, entity.end) in known["entities"]))
        for relation in actual.relations:
            if relation.score is not None:
                (item,) = strict_relations(replace(actual, relations=(relation,)))
                scored["relations"].append((relation.score, item in known["relations"]))
    return {task: _error(pairs) if pairs else None for task, pairs in scored.items()}


def by_chance(bins: Sequence[Sequence[float]]) -> float:
    """Return the calibration error that is expected of scores which are right, of as many predictions in these bins.

    Args:
        bins: as `reliability` gives them; only how many predictions they have and their mean scores count.
    """
    total = sum(int(count) for _, count, *_ in bins)
    return sum(int(count) * _distance(int(count), score) for _, count, score, _ in bins) / total


def _distance(count: int, score: float) -> float:
    """Return how far the share of right ones among `count`, each right with probability `score`, is from it on average.

    It is the mean absolute deviation of the binomial distribution in de Moivre's form (Diaconis and Zabell 1991).
    """
    above = math.floor(count * score) + 1  # the least number of right ones above the mean
    if not 0 < score < 1 or above > count:  # above: a mean that rounding has put at `count`
        return 0.0
    ways = math.lgamma(count + 1) - math.lgamma(above + 1) - math.lgamma(count - above + 1)
    terms = ways + above * math.log(score) + (count - above + 1) * math.log1p(-score)
    return 2 * above / count * math.exp(terms)


def _error(pairs: list[tuple[float, bool]]) -> dict[str, Any]:
    scores, right = np.array([score for score, _ in pairs]), np.array([each for _, each in pairs])
    places = np.minimum((scores * BINS).astype(int), BINS - 1)
    bins, error = [], 0.0
    for place in range(BINS):
        inside = places == place
        if inside.any():
            score, share = float(scores[inside].mean()), float(right[inside].mean())
            error += float(inside.mean()) * abs(score - share)
            bins.append([place / BINS, int(inside.sum()), round(score, DIGITS), round(share, DIGITS)])
    return {"error": round(error, DIGITS), "bins": bins}
