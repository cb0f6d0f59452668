"""Interleaved timing: in every round each contender runs once, so that a busy machine slows all of them alike.

A contender's run is a batch of calls long enough for the clock, and its median is over the rounds. Slow contenders take
part in fewer rounds, spread evenly; each has about the same time in all. On a CPU the time that this process computed
is kept beside the wall's: on a busy machine the two differ, and only the first still says what a contender costs.

Before a batch comes one call that finds the processor's caches as the contender before has left them: a cold call,
which may take ten times as long as a warm one and is kept apart. A contender of one call a round has cold calls alone.
"""

import gc
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import torch

from cman.speed.operations import Call

MOST_ROUNDS = 40
FEWEST_ROUNDS = 3
WAITED = 1.1  # wall time over CPU time from which a contender is said to have waited for its cores
TOO_SLOW = 3  # a contender whose call takes this many budgets is timed once


@dataclass(frozen=True)
class Plan:
    """How often a contender runs, and how many calls a run is."""

    rounds: int
    calls: int


@dataclass(frozen=True)
class Timing:
    """Seconds a call, one value a round."""

    seconds: tuple[float, ...]
    calls: int
    cpu: tuple[float, ...] = ()  # seconds of CPU of all threads; none on a GPU
    cold: tuple[float, ...] = ()  # seconds of the one call before a batch; none where a round is one call

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """A quarter of the rounds took no more than the first, and a quarter no less than the second."""
        if len(self.seconds) == 1:
            return self.seconds[0], self.seconds[0]
        first, _, third = quantiles(self.seconds, n=4, method="inclusive")
        return first, third

    @property
    def cold_median(self) -> float | None:
        """The middle of the calls that came first in their rounds."""
        return median(self.cold) if self.cold else None

    @property
    def cpu_median(self) -> float | None:
        """The middle of the rounds' CPU time."""
        return median(self.cpu) if self.cpu else None

    @property
    def waited(self) -> bool:
        """Whether other processes had the cores for part of the time."""
        return bool(self.cpu) and self.median > WAITED * median(self.cpu)


def plan(seconds: float, budget: float, fewest: int | None = None) -> Plan:
    """Return the rounds and calls of a contender whose call takes about `seconds`, for `budget` seconds in all.

    Args:
        fewest: rounds, however long they take; None: `FEWEST_ROUNDS`, and one of a contender that is too slow.
    """
    if fewest is None and seconds > TOO_SLOW * budget:
        return Plan(1, 1)
    calls = max(1, round(budget / MOST_ROUNDS / max(seconds, 1e-7)))
    rounds = max(fewest or FEWEST_ROUNDS, int(budget / (calls * max(seconds, 1e-7))))
    return Plan(min(max(MOST_ROUNDS, fewest or 0), rounds), calls)


def schedule(rounds: Mapping[str, int]) -> Iterator[str]:
    """Yield names round by round, in the order given; one with fewer rounds is spread evenly over all of them."""
    longest = max(rounds.values(), default=0)
    for n in range(longest):
        for name, own in rounds.items():
            if (n + 1) * own // longest > n * own // longest:
                yield name


def interleave(
    calls: Mapping[str, Call], budget: float, device: str = "cpu", fewest: int | None = None
) -> dict[str, Timing]:
    """Warm up and time all calls together; seconds a call of each. `fewest` rounds as in `plan`."""
    plans = {name: plan(_estimate(call, budget, device), budget, fewest) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    cold: dict[str, list[float]] = {name: [] for name in calls}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for name in schedule({name: planned.rounds for name, planned in plans.items()}):
            if plans[name].calls > 1:
                cold[name].append(elapsed(calls[name], 1, device))  # what ran before has emptied the caches of its data
            began = time.process_time()
            seconds[name].append(elapsed(calls[name], plans[name].calls, device))
            cpu[name].append((time.process_time() - began) / plans[name].calls)
    finally:
        if collecting:
            gc.enable()
    known = cpu if device == "cpu" else dict.fromkeys(calls, ())
    return {
        name: Timing(tuple(values), plans[name].calls, tuple(known[name]), tuple(cold[name]))
        for name, values in seconds.items()
    }


def elapsed(call: Call, times: int, device: str = "cpu") -> float:
    """Return the seconds a call, over `times` of them; on a GPU by its own events, waiting until all are done."""
    result: Any = None
    if device == "cuda":
        began = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        ended = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        began.record()
        for _ in range(times):
            result = call()
        ended.record()
        ended.synchronize()
        del result
        return float(began.elapsed_time(ended)) / 1e3 / times
    start = time.perf_counter()
    for _ in range(times):
        result = call()
    stop = time.perf_counter()
    del result  # freeing the last result is not the operation's time
    return (stop - start) / times


def _estimate(call: Call, budget: float, device: str) -> float:
    """Warm up, and return the seconds of the fastest of a few calls."""
    fastest = elapsed(call, 1, device)
    spent = fastest
    for _ in range(10):
        if spent > budget / 4:
            break
        seconds = elapsed(call, 1, device)
        fastest, spent = min(fastest, seconds), spent + seconds
    return fastest
