"""What a run's predictions count, sentence by sentence, at any threshold and for a figure's first and last group."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cman.corpora.document import Document, Relation
from cman.corpora.ranking import Ranking, read_ranking
from cman.evaluation.groups import DISTANCES, LENGTHS, by_distance, by_length
from cman.evaluation.sentences import sentence_counts
from cman.report.ledger.claims import Contrast
from cman.report.predictions import Predicted, predictions_file

# How a figure is made of the groups of a run: see `cman.evaluation.power`.
CONTRASTS: dict[Contrast, tuple[float, ...]] = {"": (1.0,), "distance": (-1.0, 1.0), "length": (-1.0, 1.0)}


def ranking_of(predicted: Predicted) -> Ranking | None:
    """Return a run's relations from low scores up; None for one that has not kept them."""
    path = predictions_file(predicted.run.folder, "ranking.jsonl")
    return read_ranking(path, predicted.found) if path.is_file() else None


def least(predicted: Predicted, ranking: Ranking | None) -> float:
    """Return the lowest threshold at which the relations of a run are known."""
    threshold = (predicted.run.settings.get("rel") or {}).get("threshold", 0.5)
    return 0.0 if ranking is not None else 1.0 if isinstance(threshold, str) else float(threshold)


def at_threshold(predicted: Predicted, ranking: Ranking | None, threshold: float | None) -> list[Document]:
    """Return the documents with the relations that have a higher score; None is the model's own threshold."""
    if threshold is None:
        return list(predicted.found)

    def above(document: Document) -> tuple[Relation, ...]:
        relations = document.relations if ranking is None else ranking.get(document.id, ())
        return tuple(each for each in relations if (each.score or 0.0) > threshold)

    return [replace(document, relations=above(document)) for document in predicted.found]


def counted(predicted: Predicted, found: Sequence[Document], contrast: Contrast) -> np.ndarray:
    """Return the counts (sentences, groups, 2, 3) of a run whose predictions are `found`."""
    if not contrast:
        return sentence_counts(predicted.gold, found)[:, None]
    measure, ranges = (by_distance, DISTANCES) if contrast == "distance" else (by_length, LENGTHS)
    rows = []
    for gold, actual in zip(predicted.gold, found, strict=True):
        groups = measure([gold], [actual], (ranges[0], ranges[-1]))
        rows.append([[(each.true_positive, each.predicted, each.gold) for each in (group.entities, group.relations)]
                     for group in groups])  # fmt: skip
    return np.array(rows, dtype=np.int64)
