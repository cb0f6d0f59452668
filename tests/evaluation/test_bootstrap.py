"""Bootstrap intervals against cases by hand and against SciPy's percentile method."""

import numpy as np
import pytest
import scipy.stats

from cman.evaluation.bootstrap import intervals
from cman.evaluation.sentences import f1_of

RIGHT, WRONG = [[1, 1, 1], [1, 1, 1]], [[0, 1, 1], [0, 1, 1]]


def random_run(seed: int, sentences: int = 60) -> np.ndarray:
    stream = np.random.default_rng(seed)
    gold = np.random.default_rng(0).integers(0, 4, size=(sentences, 2))
    right = stream.binomial(gold, 0.7)
    return np.stack([right, right + stream.binomial(2, 0.3, size=gold.shape), gold], axis=-1)


def test_sentences_that_are_all_alike_leave_no_interval():
    assert intervals({"main": [np.array([RIGHT] * 9)]}, 200, 1) == ((100.0, 100.0),) * 3


def test_a_case_by_hand():
    # One sentence right, one wrong: a draw of two has F1 0, 50, 50 or 100, a quarter of the time each.
    run = {"main": [np.array([RIGHT, WRONG])]}
    assert intervals(run, 4000, 1)[0] == (0.0, 100.0)
    assert intervals(run, 4000, 1, level=0.4)[0] == (50.0, 50.0)


def test_all_seeds_meet_the_same_draw():
    # Where one run is right the other is wrong: with the same draw in both, their mean is 50 whatever is drawn.
    runs = {"main": [np.array([RIGHT, WRONG]), np.array([WRONG, RIGHT])]}
    assert intervals(runs, 500, 1) == ((50.0, 50.0),) * 3


@pytest.mark.parametrize("task", range(3))
def test_the_bounds_are_those_of_scipy(task):
    runs = [random_run(seed) for seed in (1, 2)]

    def statistic(chosen: np.ndarray) -> float:
        return float(np.mean([f1_of(run[chosen].sum(axis=0))[task] for run in runs]))

    wanted = scipy.stats.bootstrap(
        (np.arange(60),), statistic, n_resamples=4000, method="percentile", vectorized=False, rng=1
    ).confidence_interval
    found = intervals({"main": runs}, 10_000, 1)[task]
    assert found == pytest.approx((wanted.low, wanted.high), abs=0.6)  # intervals are about 10 points wide
    assert found[1] - found[0] > 5


def test_folds_are_drawn_each_by_itself_and_averaged():
    # Two folds of one right and one wrong sentence: both draw all wrong in one of sixteen cases, so 2.5 % hold a 0.
    folds = {name: [np.array([RIGHT, WRONG])] for name in ("fold0", "fold1")}
    assert intervals(folds, 8000, 1)[0] == (0.0, 100.0)
    assert intervals(folds, 8000, 1, level=0.8)[0] == (25.0, 75.0)  # five of sixteen are at 25 or below


def test_draws_depend_on_the_seed_and_not_on_other_experiments():
    run = random_run(3)
    assert intervals({"main": [run]}, 500, 1) == intervals({"main": [run]}, 500, 1)
    assert intervals({"main": [run]}, 500, 1) != intervals({"main": [run]}, 500, 2)


def test_the_draw_of_many_sentences_in_pieces_is_whole(monkeypatch):
    run = random_run(3)
    whole = intervals({"main": [run]}, 500, 1)
    monkeypatch.setattr("cman.evaluation.bootstrap.CELLS_AT_ONCE", 60 * 7)  # seven rounds at a time
    assert intervals({"main": [run]}, 500, 1) == whole


def test_runs_on_other_sentences_are_refused():
    with pytest.raises(ValueError, match="same sentences"):
        intervals({"main": [random_run(1), random_run(1, 59)]}, 10, 1)
    with pytest.raises(ValueError, match="at least one"):
        intervals({"main": []}, 10, 1)
