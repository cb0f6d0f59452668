"""Paired approximate randomisation over test sentences, within each seed, and Holm's correction.

If two systems were the same, it would not matter which of them a sentence's counts came from. So the counts of the two
are exchanged sentence by sentence, at random, between the two runs of one split and seed; the statistic is the absolute
difference of the mean over pairs of runs of micro F1 (Noreen 1989; Yeh, COLING 2000, for F1). A sentence is exchanged
in all seeds of its split or in none: trainings of one model err on the same sentences, and coins of their own would
count each sentence once a seed and make p too small. What is tested is these trained models on sentences like these: it
does not take seeds for a sample of trainings.

With counts a and b of a pair and swaps m in {0, 1}, the totals are sum a + m (b - a) and sum b - m (b - a): one matrix
product for all rounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cman.evaluation.sentences import f1_of

ROUNDS = 10_000
CELLS_AT_ONCE = 1 << 22  # swaps drawn at a time: 16 MiB as floating-point numbers
EQUAL = 1e-9  # differences of F1 in percent that are this close are the same difference, computed in another order


# Counts of the two systems' runs of one split and seed: (sentences, 2, 3), or (sentences, groups, 2, 3) for a contrast.
Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Randomised:
    """Differences of F1 in percent, first system minus second, and their p: entities, relations, overall."""

    difference: tuple[float, float, float]
    p: tuple[float, float, float]


def randomisation(
    pairs: Mapping[str, Sequence[Pair]], rounds: int, seed: int, contrast: Sequence[float] = ()
) -> Randomised:
    """Test whether two systems differ, or whether their difference does from one group of a figure to another.

    Args:
        pairs: for each split its pairs of runs, one a seed that both systems have.
        rounds: how often counts are exchanged; p is (1 + rounds at least as extreme) / (1 + rounds).
        seed: of the exchanges; equal input and seed give equal p, and so do the systems in the other order.
        contrast: a weight for each group of the counts; none where counts have no groups.

    Raises:
        ValueError: there is no pair, or the runs of a split do not hold the same sentences.
    """
    splits = [members for _, members in sorted(pairs.items()) if members]
    if not splits:
        raise ValueError("found no pair of runs, wanted at least one")
    for members in splits:
        gold = members[0][0][..., 2]
        for counts in (counts for pair in members for counts in pair):
            if counts.shape != members[0][0].shape or (counts[..., 2] != gold).any():
                raise ValueError("found two runs with other gold counts, wanted the same sentences in both")
    sizes = [len(members[0][0]) for members in splits]
    observed = _differences(splits, [np.zeros((1, size), dtype=np.float32) for size in sizes], contrast)[0]
    streams = [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(len(splits))]
    step = max(1, CELLS_AT_ONCE // max(*sizes, 1))
    extreme = np.zeros(3, dtype=np.int64)
    for start in range(0, rounds, step):
        count = min(step, rounds - start)
        swaps = [_swaps(stream, count, size) for stream, size in zip(streams, sizes, strict=True)]
        swapped = _differences(splits, swaps, contrast)
        extreme += (np.abs(swapped) >= np.abs(observed) - EQUAL).sum(axis=0)
    p = (1 + extreme) / (1 + rounds)
    return Randomised((*map(float, observed),), (*map(float, p),))  # type: ignore[arg-type]  # three of each


def _swaps(stream: np.random.Generator, rounds: int, sentences: int) -> np.ndarray:
    """Return fair coins (rounds, sentences) as 0 and 1."""
    packed = np.frombuffer(stream.bytes(rounds * -(-sentences // 8)), dtype=np.uint8).reshape(rounds, -1)
    return np.unpackbits(packed, axis=1, count=sentences).astype(np.float32)


def _differences(
    splits: Sequence[Sequence[Pair]], swaps: Sequence[np.ndarray], contrast: Sequence[float]
) -> np.ndarray:
    """Return the differences (rounds, 3) of the mean F1 over pairs after each split's swaps (rounds, sentences)."""
    total = np.zeros((len(swaps[0]), 3))
    for members, mask in zip(splits, swaps, strict=True):
        for first, second in members:
            change = (second - first).reshape(len(first), -1).astype(np.float32)  # whole numbers below 2^24: exact
            moved = (mask @ change).astype(np.float64).reshape(-1, *first.shape[1:])
            difference = f1_of(first.sum(axis=0) + moved) - f1_of(second.sum(axis=0) - moved)
            total += np.einsum("g,rgt->rt", contrast, difference) if contrast else difference
    return total / sum(len(members) for members in splits)


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's (1979) adjusted p, in the order given: step-down, monotone, at most 1."""
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda place: p[place])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = highest
    return adjusted
