"""Batches of similar length: the one rule behind every batch of sentences, in training, prediction and encoders.

Padding computes what nobody reads, and the larger the differences within a batch, the more of it there is. So what is
batched is sorted by length first; neighbours of equal length keep their order, which makes the batches a function of
the lengths alone.
"""

from collections.abc import Sequence

import numpy as np


def batches_by_length(
    lengths: Sequence[int], *, rows: int | None = None, padded: int | None = None, equal: bool = False
) -> list[list[int]]:
    """Return the positions of each batch, the shortest first.

    Args:
        rows: most members of a batch.
        padded: largest product of members and greatest length, which is what memory grows with; a single member may
            exceed it.
        equal: only members of the same length share a batch.
    """
    batches: list[list[int]] = []
    for index in np.argsort(np.asarray(lengths, dtype=np.int64), kind="stable").tolist():
        size = len(batches[-1]) + 1 if batches else 0
        full = (rows is not None and size > rows) or (padded is not None and size * lengths[index] > padded)
        if not batches or full or (equal and lengths[index] != lengths[batches[-1][0]]):
            batches.append([])
        batches[-1].append(index)
    return batches
