"""Results do not depend on the number of threads: the same bits on one and on two."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from crf_problem import bio_allowed, problem
from implementations import FLOATS, every_set, for_each, need_compiled
from pair_problem import pairs

from cman.kernels import pair_scores

# Work is shared out when there is enough of it; all of these are enough.
CRF_SHAPES = ((256, 64, 9), (64, 128, 20))
PAIR_SHAPES = ((64, 64, 128, 6), (2, 200, 64, 5), (30, 20, 33, 12))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        assert torch.get_num_threads() == count
        yield
    finally:
        torch.set_num_threads(before)


def assert_equal_on_one_and_two(results) -> None:
    with threads(1):
        one = results()
    with threads(2):
        two = results()
    for index, (first, second) in enumerate(zip(one, two, strict=True)):
        assert torch.equal(first, second), f"result {index}"


def lengths_of(batch: int, length: int) -> list[int]:
    return [length, *torch.randint(0, length + 1, (batch - 1,), generator=torch.Generator().manual_seed(0)).tolist()]


@every_set
@for_each(shape=CRF_SHAPES)
def test_the_crf_gives_the_same_bits(operations, shape):
    batch, length, tags = shape
    case = problem(tags, lengths_of(batch, length), dtype=torch.float32)

    def results():
        leaves = case.leaves()
        loss = operations.crf_nll(*leaves, case.gold, case.lengths)
        loss.sum().backward()
        decoded = operations.crf_decode(*case.arguments)
        return [loss.detach(), *(leaf.grad for leaf in leaves), *decoded, operations.crf_marginals(*case.arguments)]

    assert_equal_on_one_and_two(results)


@every_set
def test_double_precision_constraints_and_the_n_best_give_the_same_bits(operations):
    case = problem(4, lengths_of(300, 30))

    def results():
        leaves = case.leaves()
        total = operations.crf_log_partition(*leaves, case.lengths, allowed=bio_allowed())
        total.sum().backward()
        decoded = operations.crf_decode(*case.arguments, allowed=bio_allowed(), nbest=4)
        return [total.detach(), *(leaf.grad for leaf in leaves), *decoded]

    assert_equal_on_one_and_two(results)


@every_set
@for_each(shape=PAIR_SHAPES, dtype=FLOATS)
def test_the_pairs_give_the_same_bits(operations, shape, dtype):
    batch, length, size, labels = shape
    if dtype == torch.float64:
        batch = max(1, batch // 8)
    case = pairs(lengths_of(batch, length), size=size, labels=labels, dtype=dtype)
    gold, anchors = case.gold(300), case.anchors(0.3)

    def results():
        leaves, others = case.leaves(), case.leaves()
        scores = operations.pair_scores(*leaves, case.lengths)
        scores.sin().sum().backward()
        loss = operations.pair_bce(*others, gold, case.lengths, pos_weight=2.0)
        loss.sum().backward()
        selected = operations.pair_select(*case.arguments[:4], anchors, case.lengths, 1.0)
        gradients = [leaf.grad for leaf in (*leaves, *others)]
        return [scores.detach(), loss.detach(), *gradients, *selected]

    assert_equal_on_one_and_two(results)


def seconds_of_other_threads() -> float:
    """Processor time of this process's threads other than the main one."""
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != os.getpid():
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # user and system
    return ticks / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two cores")
def test_large_work_is_shared_with_a_second_thread():
    need_compiled()
    a, c, V = torch.randn(64, 64, 128), torch.randn(64, 64, 128), torch.randn(6, 128)
    lengths = torch.full((64,), 64)
    with threads(2):
        pair_scores(a, c, V, None, lengths)
        idle = seconds_of_other_threads()
        for _ in range(100):
            pair_scores(a, c, V, None, lengths)
        busy = seconds_of_other_threads()
    assert busy - idle > 0.1  # of about half a second of work in all; an idle thread spins for milliseconds
