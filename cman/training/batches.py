"""Length-bucketed batches whose order depends on the seed and the epoch alone, so that a resumed run repeats them."""

from collections.abc import Iterator, Sequence

import numpy as np

from cman.features.batch import Batch, EncodedDocuments
from cman.features.lengths import batches_by_length

POOL = 32  # batches; sentences are sorted by length within a pool, which keeps padding small and the order random


def bucketed(lengths: Sequence[int], batch_size: int, seed: Sequence[int] | None) -> list[list[int]]:
    """Return the documents of each batch.

    Args:
        seed: of the shuffle; None keeps the corpus's order within a pool of similar lengths, as `shuffle: false` asks.
    """
    generator = None if seed is None else np.random.default_rng(list(seed))
    order = np.arange(len(lengths)) if generator is None else generator.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), batch_size * POOL):
        pool = order[start : start + batch_size * POOL]
        similar = batches_by_length(np.asarray(lengths)[pool].tolist(), rows=batch_size)
        batches += [pool[indices].tolist() for indices in similar]
    if generator is not None:
        batches = [batches[index] for index in generator.permutation(len(batches))]
    return batches


class TrainingBatches:
    """One epoch's batches at a time; set `epoch` before iterating.

    Args:
        seed: of the run; with the epoch it decides the order.
    """

    def __init__(self, documents: EncodedDocuments, batch_size: int, seed: int, shuffle: bool) -> None:
        self.documents, self.batch_size, self.seed, self.shuffle = documents, batch_size, seed, shuffle
        self.epoch = 0

    def __len__(self) -> int:
        return -(-len(self.documents) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        seed = (self.seed, self.epoch) if self.shuffle else None
        for indices in bucketed(self.documents.lengths.tolist(), self.batch_size, seed):
            yield self.documents.batch(indices)
