"""Bootstrap intervals of F1 over test sentences: the percentile method (Efron and Tibshirani 1993, chapter 13).

The sentences of a test split are drawn again with replacement, the same draw for each seed, and the figure is computed
anew: mean over the runs of micro F1. The interval says how much the figure owes to the choice of test sentences; what
it owes to the seed of training is the standard deviation beside it. Drawn sentences are weights w, and w @ counts the
totals of all rounds in one matrix product.
"""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from cman.evaluation.sentences import f1_of

LEVEL = 0.95
CELLS_AT_ONCE = 1 << 20  # sentences drawn at a time


def intervals(
    runs: Mapping[str, Sequence[np.ndarray]], rounds: int, seed: int, level: float = LEVEL
) -> tuple[tuple[float, float], ...]:
    """Return (low, high) of the mean F1 in percent: entities, relations, overall.

    Args:
        runs: for each split the counts (sentences, 2, 3) of its runs, one a seed.
        rounds: how often the sentences are drawn.
        seed: of the draws; a split's draws depend on this seed, its name and its size alone, so that all experiments
            meet the same ones.

    Raises:
        ValueError: there is no run, or runs of a split do not hold the same sentences.
    """
    return _bounds(_drawn(runs, rounds, seed), level)


def difference_intervals(
    pairs: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]], rounds: int, seed: int, level: float = LEVEL
) -> tuple[tuple[float, float], ...]:
    """Return (low, high) of the difference of mean F1 in percent, first system minus second, both on the same draws.

    Args:
        pairs: for each split the counts (sentences, 2, 3) of its pairs of runs, one pair a seed that both systems have.
        rounds, seed: as in `intervals`, which raises the same errors.
    """
    first, second = ({split: [pair[side] for pair in members] for split, members in pairs.items()} for side in (0, 1))
    return _bounds(_drawn(first, rounds, seed) - _drawn(second, rounds, seed), level)


def _drawn(runs: Mapping[str, Sequence[np.ndarray]], rounds: int, seed: int) -> np.ndarray:
    """Return the mean over runs of F1 in percent in each round (rounds, 3)."""
    if not any(runs.values()):
        raise ValueError("found no run, wanted at least one")
    total = np.zeros((rounds, 3))
    for split, members in sorted(runs.items()):
        if len({len(counts) for counts in members}) != 1:
            raise ValueError(f"{split}: found runs of other sizes, wanted the same sentences in each")
        stream = np.random.default_rng([seed, zlib.crc32(split.encode())])
        sentences = len(members[0])
        flat = np.concatenate([counts.reshape(sentences, -1) for counts in members], axis=1).astype(np.float32)
        step = max(1, CELLS_AT_ONCE // sentences)
        for start in range(0, rounds, step):
            weights = _weights(stream, min(step, rounds - start), sentences)
            totals = (weights @ flat).astype(np.float64).reshape(len(weights), len(members), 2, 3)
            total[start : start + step] += f1_of(totals).sum(axis=1)
    return total / sum(len(members) for members in runs.values())


def _bounds(values: np.ndarray, level: float) -> tuple[tuple[float, float], ...]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))


def _weights(stream: np.random.Generator, rounds: int, sentences: int) -> np.ndarray:
    """Return how often each sentence is drawn in each round (rounds, sentences); every row adds up to sentences."""
    drawn = stream.integers(0, sentences, size=(rounds, sentences))
    drawn += np.arange(rounds)[:, None] * sentences
    counts = np.bincount(drawn.ravel(), minlength=rounds * sentences)
    return counts.reshape(rounds, sentences).astype(np.float32)
