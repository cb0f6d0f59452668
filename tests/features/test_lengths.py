"""Batches by length hold each member once, the shortest first, within their limits, and depend on nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from cman.features.lengths import batches_by_length

LIMIT = st.none() | st.integers(1, 40)


@given(st.lists(st.integers(1, 30)), LIMIT, LIMIT, st.booleans())
def test_each_member_stands_in_one_batch_within_the_limits(lengths, rows, padded, equal):
    batches = batches_by_length(lengths, rows=rows, padded=padded, equal=equal)
    members = [index for batch in batches for index in batch]
    assert members == sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    for batch in batches:
        sizes = [lengths[index] for index in batch]
        assert batch and (rows is None or len(batch) <= rows)
        assert padded is None or len(batch) == 1 or len(batch) * max(sizes) <= padded
        assert not equal or len(set(sizes)) == 1


def test_a_batch_is_as_full_as_its_limits_allow():
    assert batches_by_length([5, 1, 3, 1, 2], rows=2) == [[1, 3], [4, 2], [0]]
    assert batches_by_length([5, 1, 3, 1, 2], padded=6) == [[1, 3, 4], [2], [0]]
    assert batches_by_length([4, 2, 4, 2, 4], equal=True) == [[1, 3], [0, 2, 4]]
