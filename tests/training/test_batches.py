"""Batches hold every document once an epoch, in an order that seed and epoch decide."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cman.training.batches import POOL, bucketed

LENGTHS = st.lists(st.integers(1, 100), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 16), st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_every_document_stands_in_exactly_one_batch(lengths, size, seed):
    batches = bucketed(lengths, size, seed)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(1 <= len(batch) <= size for batch in batches)


@given(LENGTHS, st.integers(1, 16), st.integers(0, 9), st.integers(0, 9))
def test_seed_and_epoch_decide_the_order(lengths, size, seed, epoch):
    assert bucketed(lengths, size, (seed, epoch)) == bucketed(lengths, size, (seed, epoch))


def test_another_epoch_has_another_order():
    lengths = list(range(1, 200))
    assert bucketed(lengths, 8, (1, 0)) != bucketed(lengths, 8, (1, 1))


def test_bucketing_leaves_little_padding():
    lengths = np.random.default_rng(0).integers(1, 100, size=8 * POOL)
    padded = sum(max(lengths[batch]) * len(batch) for batch in bucketed(lengths.tolist(), 8, (1, 0)))
    assert padded < 1.1 * lengths.sum()
