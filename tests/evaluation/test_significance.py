"""Approximate randomisation against cases by hand, all swaps enumerated and SciPy; Holm's correction."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from cman.evaluation.significance import holm, randomisation

Stratum = list[list[list[int]]]  # (sentences, 2, 3)
NOTHING = [0, 0, 0]


def random_counts(sentences: int, stream: np.random.Generator, quality: float, gold: np.ndarray) -> np.ndarray:
    right = stream.binomial(gold, quality)
    extra = stream.binomial(2, 1 - quality, size=gold.shape)
    return np.stack([right, right + extra, gold], axis=-1)


def random_pairs(seed: int, strata: int, sentences: int) -> list[tuple[np.ndarray, np.ndarray]]:
    stream = np.random.default_rng(seed)
    gold = stream.integers(0, 4, size=(sentences, 2))
    return [
        (random_counts(sentences, stream, 0.8, gold), random_counts(sentences, stream, 0.6, gold))
        for _ in range(strata)
    ]


def figures(strata: list[Stratum]) -> list[Fraction]:
    """Mean F1 over strata of entities, relations and overall, by exact arithmetic and without matrices."""
    sums = [Fraction(0), Fraction(0)]
    for sentences in strata:
        for task in (0, 1):
            right, found, wanted = (sum(sentence[task][place] for sentence in sentences) for place in range(3))
            sums[task] += Fraction(200 * right, found + wanted) if found + wanted else 0
    entities, relations = (total / len(strata) for total in sums)
    return [entities, relations, (entities + relations) / 2]


def all_swaps(splits: list[list[tuple[Stratum, Stratum]]]) -> list[Fraction]:
    """The exact p of each task: the share of all exchanges of sentences, each in all pairs of its split, as extreme."""
    sizes = [len(pairs[0][0]) for pairs in splits]
    observed: list[Fraction] = []
    extreme, count = [0, 0, 0], 0
    for bits in itertools.product((0, 1), repeat=sum(sizes)):
        flips = iter(bits)
        coins = [[next(flips) for _ in range(size)] for size in sizes]
        swapped = [
            [sides[::-1] if coin else sides for coin, *sides in zip(split_coins, first, second, strict=True)]
            for split_coins, pairs in zip(coins, splits, strict=True)
            for first, second in pairs
        ]
        sides = [figures([[pair[side] for pair in stratum] for stratum in swapped]) for side in (0, 1)]
        differences = [abs(a - b) for a, b in zip(*sides, strict=True)]
        observed = observed or differences  # the first exchange leaves all in place
        extreme = [n + (d >= o) for n, d, o in zip(extreme, differences, observed, strict=True)]
        count += 1
    return [Fraction(n, count) for n in extreme]


def test_a_case_by_hand():
    # Two sentences of one gold entity each: the first system finds both; the second predicts a wrong one in the first.
    first = np.array([[[1, 1, 1], NOTHING], [[1, 1, 1], NOTHING]])
    second = np.array([[[0, 1, 1], NOTHING], [[0, 0, 1], NOTHING]])
    # F1 100 against 0. One swap gives 50 against 66.67 or the reverse, both swaps 0 against 100: 2 of 4 are as extreme.
    assert all_swaps([[(first.tolist(), second.tolist())]])[0] == Fraction(1, 2)
    result = randomisation({"main": [(first, second)]}, 20_000, 1)
    assert result.difference == (100.0, 0.0, 50.0)
    assert result.p[0] == pytest.approx(0.5, abs=0.015)  # four standard errors
    assert result.p[1] == 1.0  # no relations: every exchange is as extreme as none


def of_seeds(pairs):
    """All pairs as seeds of one split."""
    return {"main": pairs}


def of_folds(pairs):
    """Each pair as a split of its own."""
    return {f"fold{place}": [pair] for place, pair in enumerate(pairs)}


@pytest.mark.parametrize("arranged", [of_seeds, of_folds])
@pytest.mark.parametrize("seed", range(3))
def test_p_approaches_that_of_all_swaps(seed, arranged):
    pairs = arranged(random_pairs(seed, strata=2, sentences=5))
    exact = all_swaps([[(a.tolist(), b.tolist()) for a, b in members] for members in pairs.values()])
    result = randomisation(pairs, 20_000, seed)
    for p, wanted in zip(result.p, map(float, exact), strict=True):
        assert p == pytest.approx(wanted, abs=4 * math.sqrt(wanted * (1 - wanted) / 20_000) + 1 / 20_000)


def test_a_copied_run_makes_nothing_more_significant():
    (pair,) = random_pairs(3, strata=1, sentences=8)
    once, thrice = (randomisation(of_seeds([pair] * copies), 4000, 1) for copies in (1, 3))
    assert 0.01 < once.p[2] < 0.99
    assert once.p == thrice.p


def difference_by_place(pairs: list[tuple[np.ndarray, np.ndarray]], task: int):
    """SciPy exchanges the elements of two samples: here places in a table of all sentences of both systems."""
    table = np.concatenate([np.concatenate([first for first, _ in pairs]), np.concatenate([b for _, b in pairs])])
    sizes = [len(first) for first, _ in pairs]
    places = np.arange(sum(sizes)), sum(sizes) + np.arange(sum(sizes))

    def f1(chosen: np.ndarray) -> float:
        total = chosen.sum(axis=0)
        single = [200 * right / (found + gold) if found + gold else 0.0 for right, found, gold in total]
        return [*single, sum(single) / 2][task]

    def statistic(first: np.ndarray, second: np.ndarray) -> float:
        ends = np.cumsum(sizes)[:-1]
        means = [np.mean([f1(table[part]) for part in np.split(side.astype(int), ends)]) for side in (first, second)]
        return abs(means[0] - means[1])

    return places, statistic


@pytest.mark.parametrize("task", range(3))
def test_p_is_that_of_scipy_over_all_exchanges(task):
    pairs = random_pairs(11, strata=2, sentences=5)
    places, statistic = difference_by_place(pairs, task)
    exact = scipy.stats.permutation_test(
        places, statistic, permutation_type="samples", alternative="greater", n_resamples=np.inf, vectorized=False
    )
    result = randomisation(of_folds(pairs), 20_000, 3)
    assert abs(result.difference[task]) == pytest.approx(exact.statistic)
    assert result.p[task] == pytest.approx(exact.pvalue, abs=0.015)


def test_p_is_that_of_scipy_where_only_random_exchanges_are_possible():
    stream = np.random.default_rng(5)
    gold = stream.integers(0, 4, size=(40, 2))
    pairs = [(random_counts(40, stream, 0.75, gold), random_counts(40, stream, 0.7, gold)) for _ in range(3)]
    places, statistic = difference_by_place(pairs, 2)
    drawn = scipy.stats.permutation_test(
        places, statistic, permutation_type="samples", alternative="greater", n_resamples=2000, rng=1, vectorized=False
    )
    assert 0.01 < drawn.pvalue < 0.99  # a p at the border would agree whatever was computed
    assert randomisation(of_folds(pairs), 10_000, 1).p[2] == pytest.approx(drawn.pvalue, abs=0.05)


@pytest.mark.parametrize("task", range(3))
def test_p_over_seeds_is_that_of_scipy_where_a_sentence_is_one_sample(task):
    pairs = random_pairs(12, strata=3, sentences=9)
    table = np.stack([np.concatenate([first, second]) for first, second in pairs])  # (seeds, 2 x sentences, 2, 3)

    def f1(places):
        totals = table[:, places.astype(int)].sum(axis=1)
        single = [[200 * r / (f + g) if f + g else 0.0 for r, f, g in total] for total in totals]
        return np.mean([[*values, sum(values) / 2][task] for values in single])

    exact = scipy.stats.permutation_test(
        (np.arange(9), 9 + np.arange(9)),
        lambda first, second: abs(f1(first) - f1(second)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=False,
    )
    result = randomisation(of_seeds(pairs), 20_000, 3)
    assert abs(result.difference[task]) == pytest.approx(exact.statistic)
    assert result.p[task] == pytest.approx(exact.pvalue, abs=0.015)


def test_equal_systems_have_no_difference_and_p_one():
    ((first, _),) = random_pairs(1, strata=1, sentences=30)
    assert randomisation(of_seeds([(first, first)]), 500, 1) == randomisation(of_seeds([(first, first)]), 500, 2)
    assert randomisation(of_seeds([(first, first)]), 500, 1).p == (1.0, 1.0, 1.0)


def test_p_is_never_smaller_than_one_round_in_all():
    better = np.array([[[2, 2, 2], [1, 1, 1]]] * 60)
    worse = np.array([[[0, 2, 2], [0, 1, 1]]] * 60)
    assert randomisation(of_seeds([(better, worse)]), 999, 1).p == (0.001, 0.001, 0.001)


def test_the_systems_in_the_other_order_have_the_same_p_and_the_opposite_difference():
    pairs = random_pairs(7, strata=3, sentences=20)
    one = randomisation(of_seeds(pairs), 2000, 4)
    other = randomisation(of_seeds([(second, first) for first, second in pairs]), 2000, 4)
    assert one.p == other.p
    assert one.difference == pytest.approx([-value for value in other.difference])


def test_exchanges_stay_within_a_fold():
    # Across folds, sentences of unequal systems would mix: here each fold has one sentence, so exchanging all of a fold
    # is all that is possible, and the difference of the mean over folds is 100, 0, 0 or 100.
    good, bad = np.array([[[1, 1, 1], NOTHING]]), np.array([[[0, 1, 1], NOTHING]])
    result = randomisation(of_folds([(good, bad), (good, bad)]), 20_000, 1)
    assert result.p[0] == pytest.approx(0.5, abs=0.015)


def test_the_same_seed_gives_the_same_p_and_another_seed_another():
    pairs = of_seeds(random_pairs(2, strata=2, sentences=12))
    assert randomisation(pairs, 1000, 1) == randomisation(pairs, 1000, 1)
    assert randomisation(pairs, 1000, 1).p != randomisation(pairs, 1000, 2).p


def test_runs_on_other_sentences_are_refused():
    ((first, second),) = random_pairs(1, strata=1, sentences=5)
    with pytest.raises(ValueError, match="same sentences"):
        randomisation(of_seeds([(first, second[:4])]), 10, 1)
    with pytest.raises(ValueError, match="same sentences"):
        randomisation(of_seeds([(first, second + np.array([0, 0, 1]))]), 10, 1)
    with pytest.raises(ValueError, match="at least one"):
        randomisation({}, 10, 1)


# ---- Holm


def test_holm_of_a_case_by_hand():
    # Sorted: .005 * 4 = .02, .01 * 3 = .03, .03 * 2 = .06, and .04 * 1 is raised to .06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_what_rejecting_step_by_step_gives(p):
    def rejected(level: float) -> set[int]:
        """The hypotheses that Holm's procedure rejects at a level."""
        done: set[int] = set()
        for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
            if p[place] * (len(p) - rank) > level:
                break
            done.add(place)
        return done

    adjusted = holm(p)
    assert all(a >= value and a <= 1 for a, value in zip(adjusted, p, strict=True))
    for level in (0.01, 0.05, 0.5):
        assert {place for place, value in enumerate(adjusted) if value <= level} == rejected(level)


def test_a_growth_is_tested_as_the_difference_of_its_groups():
    pairs = random_pairs(5, 2, 30)
    same = random_pairs(6, 1, 30)[0][0]

    def grouped(first: list[np.ndarray]) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
        both = zip(first, pairs, strict=True)
        return of_seeds([(np.stack([x, a], axis=1), np.stack([y, b], axis=1)) for (x, y), (a, b) in both])

    alone = randomisation(of_seeds(pairs), 500, 1)
    constant = randomisation(grouped([(same, same)] * 2), 500, 1, (-1.0, 1.0))
    assert constant.difference == pytest.approx(alone.difference) and constant.p == alone.p
    # Both groups differ by as much: nothing grows, and every exchange is as extreme.
    none = randomisation(grouped(pairs), 500, 1, (-1.0, 1.0))
    assert none.difference == pytest.approx((0, 0, 0)) and none.p == (1.0, 1.0, 1.0)
