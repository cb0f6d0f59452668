"""Rounds, their order, and what is counted; no test asks how long anything takes."""

import gc
import itertools
import time
from collections import Counter

import pytest

from cman.speed.timing import FEWEST_ROUNDS, MOST_ROUNDS, Timing, elapsed, interleave, plan, schedule


def test_contenders_take_turns_in_the_order_given_and_one_with_fewer_rounds_is_spread_over_all_of_them():
    assert list(schedule({"a": 3, "b": 3, "c": 3})) == ["a", "b", "c"] * 3
    order = list(schedule({"fast": 6, "slow": 2}))
    assert Counter(order) == {"fast": 6, "slow": 2}
    assert order == ["fast", "fast", "fast", "slow", "fast", "fast", "fast", "slow"]
    assert list(schedule({})) == []
    assert interleave({}, 1.0) == {}


def test_the_time_of_a_contender_stays_near_its_budget():
    for seconds, budget in itertools.product([1e-9, 1e-6, 1e-3, 0.02, 0.3, 1.0, 2.9], [0.01, 1.0, 10.0]):
        planned = plan(seconds, budget)
        assert 1 <= planned.rounds <= MOST_ROUNDS, (seconds, budget)
        spent = planned.rounds * planned.calls * seconds
        assert spent <= max(2 * budget, FEWEST_ROUNDS * seconds), (seconds, budget)
        if seconds >= 1e-6:
            assert spent >= min(budget / 3, seconds), (seconds, budget)


def test_fast_calls_are_timed_in_batches_and_very_slow_ones_once():
    assert plan(1e-5, 1.0).calls == 2500
    assert plan(1e-5, 1.0).rounds == MOST_ROUNDS
    assert plan(0.2, 1.0) == plan(0.2, 1.0).__class__(5, 1)
    assert plan(60.0, 1.0) == plan(60.0, 1.0).__class__(1, 1)
    assert (plan(60.0, 1.0, 20).rounds, plan(0.2, 1.0, 20).rounds, plan(0.2, 1.0, 50).rounds) == (20, 20, 50)
    assert plan(1e-5, 1.0, 20).rounds == MOST_ROUNDS


def test_every_contender_is_called_as_often_as_its_timing_says_and_in_turns():
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in ("a", "b")}
    timings = interleave(calls, 0.002)
    for name, timing in timings.items():
        assert timing.calls * len(timing.seconds) <= order.count(name)
        assert all(seconds >= 0 for seconds in timing.seconds)
    turns = [name for n, name in enumerate(order) if n == 0 or order[n - 1] != name]
    assert turns[:2] == ["a", "b"]
    assert len(turns) >= len(timings["a"].seconds) + len(timings["b"].seconds)


def test_the_garbage_collector_rests_while_the_clock_runs_and_not_after_a_call_that_raises():
    seen = set()
    assert gc.isenabled()
    interleave({"a": lambda: seen.add(gc.isenabled())}, 0.0001)
    assert False in seen
    assert gc.isenabled()

    def fail():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        interleave({"a": fail}, 0.001)
    assert gc.isenabled()


def test_a_batch_is_as_many_calls_as_wanted_and_the_median_of_the_rounds_is_reported():
    calls = []
    assert elapsed(lambda: calls.append(1), 7) >= 0
    assert len(calls) == 7
    assert Timing((3.0, 1.0, 2.0), 1).median == 2.0
    assert Timing((3.0, 1.0, 2.0, 4.0, 5.0), 1).quartiles == (2.0, 4.0) and Timing((3.0,), 1).quartiles == (3.0, 3.0)


def test_the_call_that_finds_cold_caches_is_told_apart_from_warm_ones():
    timing = interleave({"fast": lambda: None, "slow": lambda: time.sleep(0.002)}, 0.02)
    assert len(timing["fast"].cold) == len(timing["fast"].seconds) and timing["fast"].cold_median is not None
    assert timing["slow"].calls == 1 and timing["slow"].cold == () and timing["slow"].cold_median is None


def test_cpu_time_stands_beside_wall_time_and_tells_a_busy_machine():
    timing = interleave({"sleeps": lambda: time.sleep(0.002), "computes": lambda: sum(range(20000))}, 0.02)
    for each in timing.values():
        assert len(each.cpu) == len(each.seconds) and all(value >= 0 for value in each.cpu)
    assert timing["sleeps"].waited  # it does not compute, as one that waits for a core
    assert timing["sleeps"].cpu_median < 0.001
    assert not Timing((1.0, 1.05, 1.02), 1, (1.0, 1.0, 0.99)).waited and Timing((2.0,), 1, (1.0,)).waited
    assert not Timing((1.0,), 1).waited and Timing((1.0,), 1).cpu_median is None
