"""Paired approximate randomisation over test sentences, stratified by seed, and Holm's correction.

If two systems were the same, it would not matter which of them a sentence's counts came from. So the counts of the two
are exchanged sentence by sentence, at random, within each pair of runs of one split and seed; the statistic is the
absolute difference of the mean over pairs of micro F1 (Noreen 1989; Yeh, COLING 2000, for F1). What it tests is these
trained models on sentences like these: it does not take seeds for a sample of trainings.

With counts a and b of a stratum and swaps m in {0, 1}, the totals are sum a + m (b - a) and sum b - m (b - a): one
matrix product for all rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cman.evaluation.sentences import f1_of

ROUNDS = 10_000
CELLS_AT_ONCE = 1 << 22  # swaps drawn at a time: 16 MiB as floating-point numbers
EQUAL = 1e-9  # differences of F1 in percent that are this close are the same difference, computed in another order


@dataclass(frozen=True)
class Randomised:
    """Differences of F1 in percent, first system minus second, and their p: entities, relations, overall."""

    difference: tuple[float, float, float]
    p: tuple[float, float, float]


def randomisation(pairs: Sequence[tuple[np.ndarray, np.ndarray]], rounds: int, seed: int) -> Randomised:
    """Test whether two systems differ.

    Args:
        pairs: for each split and seed that both systems have, the counts (sentences, 2, 3) of either.
        rounds: how often counts are exchanged; p is (1 + rounds at least as extreme) / (1 + rounds).
        seed: of the exchanges; equal input and seed give equal p, and so do the systems in the other order.

    Raises:
        ValueError: there is no pair, or a pair does not hold the same sentences.
    """
    if not pairs:
        raise ValueError("found no pair of runs, wanted at least one")
    for first, second in pairs:
        if first.shape != second.shape or (first[..., 2] != second[..., 2]).any():
            raise ValueError("found two runs with other gold counts, wanted the same sentences in both")
    observed = _differences(pairs, [np.zeros((1, len(first)), dtype=np.float32) for first, _ in pairs])[0]
    streams = [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(len(pairs))]
    longest = max(len(first) for first, _ in pairs)
    step = max(1, CELLS_AT_ONCE // max(longest, 1))
    extreme = np.zeros(3, dtype=np.int64)
    for start in range(0, rounds, step):
        count = min(step, rounds - start)
        swaps = [_swaps(stream, count, len(first)) for stream, (first, _) in zip(streams, pairs, strict=True)]
        found = _differences(pairs, swaps)
        extreme += (np.abs(found) >= np.abs(observed) - EQUAL).sum(axis=0)
    p = (1 + extreme) / (1 + rounds)
    return Randomised((*map(float, observed),), (*map(float, p),))  # type: ignore[arg-type]  # three of each


def _swaps(stream: np.random.Generator, rounds: int, sentences: int) -> np.ndarray:
    """Return fair coins (rounds, sentences) as 0 and 1."""
    packed = np.frombuffer(stream.bytes(rounds * -(-sentences // 8)), dtype=np.uint8).reshape(rounds, -1)
    return np.unpackbits(packed, axis=1, count=sentences).astype(np.float32)


def _differences(pairs: Sequence[tuple[np.ndarray, np.ndarray]], swaps: Sequence[np.ndarray]) -> np.ndarray:
    """Return the differences (rounds, 3) of the mean F1 over pairs after the swaps (rounds, sentences) of each pair."""
    total = np.zeros((len(swaps[0]), 3))
    for (first, second), mask in zip(pairs, swaps, strict=True):
        change = (second - first).reshape(len(first), -1).astype(np.float32)  # whole numbers below 2^24: exact
        moved = (mask @ change).astype(np.float64).reshape(-1, 2, 3)
        total += f1_of(first.sum(axis=0) + moved) - f1_of(second.sum(axis=0) - moved)
    return total / len(pairs)


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's (1979) adjusted p, in the order given: step-down, monotone, at most 1."""
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = highest
    return adjusted
