"""Counts of every test sentence by itself, which tests and intervals over sentences exchange and draw again.

Strict matching (`cman.evaluation.counts`). A run is a matrix of the shape (sentences, 2, 3): entities and relations,
and of each the true positive, predicted and gold items. Sums of such matrices over sentences are the counts of
`scores.json`, and micro F1 follows from them; overall F1 is the mean of entity and relation F1.
"""

from collections.abc import Sequence

import numpy as np

from cman.corpora.document import Document
from cman.evaluation.counts import strict_entities, strict_relations

TASKS = ("entities", "relations", "overall")  # what `f1_of` returns, in this order


def sentence_counts(gold: Sequence[Document], predicted: Sequence[Document]) -> np.ndarray:
    """Return the strict counts (sentences, 2, 3) of paired documents, as whole numbers."""
    rows = []
    for expected, actual in zip(gold, predicted, strict=True):
        pairs = [(items(expected), items(actual)) for items in (strict_entities, strict_relations)]
        rows.append([(len(known & answered), len(answered), len(known)) for known, answered in pairs])
    return np.array(rows, dtype=np.int64).reshape(-1, 2, 3)


def f1_of(totals: np.ndarray) -> np.ndarray:
    """Return micro F1 in percent (..., 3) of entities, relations and overall.

    Args:
        totals: summed counts (..., 2, 3). Where nothing is predicted and nothing is gold, F1 is 0.
    """
    items = totals[..., 1] + totals[..., 2]
    single = 200.0 * totals[..., 0] / np.maximum(items, 1)
    return np.concatenate([single, single.mean(axis=-1, keepdims=True)], axis=-1)
