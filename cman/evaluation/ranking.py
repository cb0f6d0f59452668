"""Relations at every threshold: average precision, F1 at another threshold than the model's, and its choice on dev.

The entities are the predicted ones, and a ranked relation is right under strict matching (`cman.evaluation.counts`).
Average precision is the sum over scores, from the highest down, of precision times the recall that it adds, equal
scores at once and nothing interpolated. Gold relations that are not ranked are never found, so the ranking's end at
`LEAST` can only lower it. A threshold that is chosen on test would flatter; it comes from dev or there is none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cman.corpora.document import Document
from cman.corpora.ranking import LEAST, Ranking
from cman.evaluation.counts import Counts, strict_relations

GRID = tuple(round(LEAST + step / 100, 2) for step in range(97))  # 0.02 to 0.98
USUAL = 0.5
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the curve in `scores.json`


def ranked(
    gold: Sequence[Document], predicted: Sequence[Document], ranking: Ranking
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the scores of the ranked relations, highest first, whether each is right, and how many are gold."""
    scores, right, total = list[float](), list[bool](), 0
    for expected, actual in zip(gold, predicted, strict=True):
        wanted, best = strict_relations(expected), dict[Any, float]()
        for relation in ranking.get(actual.id, ()):
            (key,) = strict_relations(replace(actual, relations=(relation,)))
            best[key] = max(relation.score or 0.0, best.get(key, 0.0))
        scores += best.values()
        right += [key in wanted for key in best]
        total += len(wanted)
    order = np.argsort(np.array(scores, dtype=np.float64))[::-1]
    return np.array(scores, dtype=np.float64)[order], np.array(right, dtype=bool)[order], total


def average_precision(scores: np.ndarray, right: np.ndarray, gold: int) -> float | None:
    """Return the average precision in [0, 1] of what `ranked` gives; None where nothing is gold."""
    if not gold:
        return None
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]  # of the relations of one score
    hits, places = np.cumsum(right)[last], np.arange(1, len(scores) + 1)[last]
    return float((np.diff(hits, prepend=0) * hits / places).sum() / gold)


def counts_above(scores: np.ndarray, right: np.ndarray, gold: int, threshold: float) -> Counts:
    """Return the counts of the relations with a higher score than a threshold."""
    above = scores > threshold
    return Counts(int((right & above).sum()), int(above.sum()), gold)


def best_threshold(
    gold: Sequence[Document], predicted: Sequence[Document], ranking: Ranking, grid: Iterable[float] = GRID
) -> float | None:
    """Return the threshold of the highest strict F1, of equal ones that nearest to 0.5; None where nothing is gold."""
    found = ranked(gold, predicted, ranking)
    if not found[2]:
        return None
    return max(grid, key=lambda threshold: (counts_above(*found, threshold).f1, -abs(threshold - USUAL), threshold))


def ranking_scores(
    gold: Sequence[Document], predicted: Sequence[Document], ranking: Ranking, dev_threshold: float | None
) -> dict[str, Any]:
    """Return what `scores.json` says of a ranking of paired documents, with null for what is not defined.

    Args:
        dev_threshold: that was chosen on dev, if one was.
    """
    found = ranked(gold, predicted, ranking)
    precision = average_precision(*found)
    at = None if dev_threshold is None else vars(counts_above(*found, dev_threshold))
    return {
        "least": LEAST,
        "average_precision": None if precision is None else round(precision, 6),
        "dev_threshold": dev_threshold,
        "at_dev_threshold": at,
        "by_threshold": [{"threshold": threshold, **vars(counts_above(*found, threshold))} for threshold in THRESHOLDS],
    }
