"""What a difference of two systems owes to test sentences and to seeds, and which difference a design would show.

A bootstrap draws both anew in each round: the sentences of a split, the same draw for all runs, and of each system as
many of its runs as there are. Few runs drawn from few deviate by sqrt((n - 1) / n) too little; their deviation from
the mean is made larger by as much. Centred at zero these draws are the null, shifted by an effect they are a planted
one: the detectable effect is the one of which 80 % of the draws lie beyond the bounds that hold 95 % of the null.

A run is an array of counts (sentences, groups, 2, 3), see `cman.evaluation.sentences`, and its figure is a contrast of
the F1 of its groups: with one group that F1, with two, last minus first, how much it grows.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cman.evaluation.sentences import TASKS, f1_of

ROUNDS = 2_000
LEVEL, POWER = 0.95, 0.80

Arm = Mapping[str, Sequence[np.ndarray]]  # by split, the counts (sentences, groups, 2, 3) of each run


@dataclass(frozen=True)
class Figure:
    """What is compared: F1 of `entities`, `relations` or `overall`, in a contrast of groups."""

    task: str = "relations"
    contrast: tuple[float, ...] = (1.0,)

    def of(self, totals: np.ndarray) -> np.ndarray:
        """Return the figure (...) of summed counts (..., groups, 2, 3), in points of F1."""
        found: np.ndarray = f1_of(totals)[..., TASKS.index(self.task)] @ np.array(self.contrast)
        return found


def effect(first: Arm, second: Arm, figure: Figure) -> float:
    """Return the mean figure of the first system minus that of the second, over the splits that both have."""
    splits = sorted(first.keys() & second.keys())
    means = [
        [np.mean([figure.of(run.sum(axis=0)) for run in arm[split]]) for split in splits] for arm in (first, second)
    ]
    return float(np.mean(means[0]) - np.mean(means[1]))


def draws(first: Arm, second: Arm, figure: Figure, rounds: int = ROUNDS, seed: int = 1) -> np.ndarray:
    """Return the difference (rounds,) with sentences and runs drawn anew.

    Raises:
        ValueError: the systems have no split in common, or runs of one do not hold the same sentences.
    """
    splits = sorted(first.keys() & second.keys())
    if not splits:
        raise ValueError("found no split that both systems have, wanted at least one")
    total = np.zeros(rounds)
    for split in splits:
        stream = np.random.default_rng([seed, zlib.crc32(split.encode())])
        sentences = len(first[split][0])
        if {len(run) for run in (*first[split], *second[split])} != {sentences}:
            raise ValueError(f"{split}: found runs of other sizes, wanted the same sentences in each")
        drawn = stream.multinomial(sentences, np.full(sentences, 1 / sentences), size=rounds).astype(np.float64)
        for sign, runs in ((1, first[split]), (-1, second[split])):
            total += sign * _drawn_runs(runs, drawn, stream, figure)
    return total / len(splits)


def _drawn_runs(
    runs: Sequence[np.ndarray], drawn: np.ndarray, stream: np.random.Generator, figure: Figure
) -> np.ndarray:
    """Return the mean figure (rounds,) of the drawn runs on the drawn sentences (rounds, sentences)."""
    totals = [(drawn @ run.reshape(len(run), -1)).reshape(len(drawn), *run.shape[1:]) for run in runs]
    figures = np.stack([figure.of(each) for each in totals], axis=1)
    count = len(runs)
    mean: np.ndarray = figures.mean(axis=1)
    if count == 1:
        return mean
    chosen = np.take_along_axis(figures, stream.integers(0, count, size=figures.shape), axis=1).mean(axis=1)
    wider: np.ndarray = mean + np.sqrt(count / (count - 1)) * (chosen - mean)
    return wider


def bounds(values: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Return the interval that so large a share of draws lies in."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def detectable(values: np.ndarray, level: float = LEVEL, power: float = POWER) -> float:
    """Return the smallest effect that these draws would show: centred they are the null, shifted the planted effect."""
    null = values - values.mean()
    return float(np.quantile(np.abs(null), level) - np.quantile(null, 1 - power))
