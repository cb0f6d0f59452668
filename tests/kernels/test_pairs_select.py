"""Cells between anchors above a threshold: what the full table and `nonzero` give."""

import pytest
import torch
from crf_problem import examples
from hypothesis import given
from hypothesis import strategies as st
from implementations import FLOATS, everywhere, for_each, once
from pair_problem import EMPTY, INFINITY, pairs

from cman.kernels.reference import pairs as definition

NO_ANCHORS = torch.zeros(0, 2, dtype=torch.int64)


def expected_cells(case, anchors, scores, threshold):
    chosen = torch.zeros(case.inside.shape, dtype=torch.bool)
    chosen[anchors.unbind(1)] = True
    both = (chosen.unsqueeze(2) & chosen.unsqueeze(1)).unsqueeze(3)
    cells = ((scores > threshold) & both).nonzero()
    return cells, scores[cells.unbind(1)]


def assert_full_table(operations, case, anchors, threshold):
    """Compare with the exact table, but for scores within rounding of the threshold."""
    cells, scores = operations.pair_select(*case.arguments[:4], anchors, case.lengths, threshold)
    assert cells.dtype == torch.int64 and scores.dtype == case.a.dtype
    exact = case.exact()
    tolerance = case.tolerance if case.a.dtype == torch.float32 else 1e-12
    close = (exact - threshold).abs() <= tolerance
    expected, their_scores = expected_cells(case, anchors, exact, threshold)
    if not close.any():
        assert torch.equal(cells, expected)
        torch.testing.assert_close(scores.double(), their_scores, rtol=0, atol=tolerance)
        return
    clear = expected[~close[expected.unbind(1)]]
    assert set(map(tuple, clear.tolist())) <= set(map(tuple, cells.tolist()))
    assert len(cells) <= len(expected) + int(close.sum())


@examples
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=3),
    st.integers(1, 4),
    st.floats(0, 1),
    st.sampled_from([-INFINITY, -1.0, 0.0, 0.7, INFINITY]),
    st.integers(0, 2**20),
)
@everywhere
@for_each(dtype=FLOATS)
def test_it_selects_what_the_full_table_and_nonzero_do_in_the_same_order(
    operations, dtype, lengths, labels, share, threshold, seed
):
    case = pairs(lengths, labels=labels, seed=seed, extra=1, dtype=dtype)
    assert_full_table(operations, case, case.anchors(share, seed), threshold)


@everywhere
@for_each(labels=[1, 5, 6, 12, 13, 40], with_bias=[True, False])
def test_large_tables_are_selected_from_in_order(operations, labels, with_bias):
    case = pairs([50, 17, 0, 1, 33], size=40, labels=labels, with_bias=with_bias, dtype=torch.float32)
    for share in (0.3, 1.0):
        assert_full_table(operations, case, case.anchors(share), 1.25)


@everywhere
def test_its_scores_are_those_of_the_full_table(operations):
    case = pairs([30, 7], size=24, labels=6, dtype=torch.float32)
    table = operations.pair_scores(*case.arguments)
    cells, scores = operations.pair_select(*case.arguments[:4], case.anchors(0.5), case.lengths, 0.0)
    assert len(cells) > 50
    torch.testing.assert_close(scores, table[cells.unbind(1)], rtol=0, atol=case.tolerance)


def test_the_definition_scores_pairs_in_slices_of_any_size(monkeypatch: pytest.MonkeyPatch):
    for dtype in FLOATS:
        case = pairs([13, 0, 1, 6], size=7, labels=3, extra=2, dtype=dtype)
        for share in (0.5, 1.0):
            anchors = case.anchors(share)
            expected = expected_cells(case, anchors, definition.pair_scores(*case.arguments), 0.1)
            for limit in (1, 7 * 13, 7 * 13 * 3 + 1, 2**18):
                monkeypatch.setattr(definition, "SLICE", limit)
                cells, scores = definition.pair_select(*case.arguments[:4], anchors, case.lengths, 0.1)
                assert torch.equal(cells, expected[0]), limit
                torch.testing.assert_close(scores, expected[1])


@everywhere
def test_the_threshold_itself_is_not_above_the_threshold(operations):
    a, V, bias = torch.zeros(1, 2, 1), torch.zeros(3, 1), torch.tensor([0.5, 0.25, 0.75])  # so the bias is the score
    anchors, lengths = torch.tensor([[0, 0], [0, 1]]), torch.tensor([2])
    cells, scores = operations.pair_select(a, a, V, bias, anchors, lengths, 0.5)
    assert cells.tolist() == [[0, 0, 0, 2], [0, 0, 1, 2], [0, 1, 0, 2], [0, 1, 1, 2]]
    assert scores.tolist() == [0.75] * 4


@once
def test_an_infinite_threshold_selects_everything_that_is_a_number_or_nothing(operations):
    case = pairs([4, 3], labels=2, dtype=torch.float32)
    anchors = case.anchors(1.0)
    assert len(operations.pair_select(*case.arguments[:4], anchors, case.lengths, -INFINITY)[0]) == (16 + 9) * 2
    assert len(operations.pair_select(*case.arguments[:4], anchors, case.lengths, INFINITY)[0]) == 0
    case.a[0, 1, 0] = float("nan")
    cells, scores = operations.pair_select(*case.arguments[:4], anchors, case.lengths, -INFINITY)
    assert len(cells) == (12 + 9) * 2 and torch.isfinite(scores).all()
    assert not ((cells[:, 0] == 0) & (cells[:, 1] == 1)).any()


@once
@for_each(garbage=[float("nan"), INFINITY, 1e30])
def test_neither_padding_nor_tokens_that_are_no_anchors_matter(operations, garbage):
    case = pairs([6, 2, 0], labels=3, extra=2, dtype=torch.float32)
    anchors = torch.tensor([[0, 0], [0, 3], [0, 5], [1, 1]])
    expected = operations.pair_select(*case.arguments[:4], anchors, case.lengths, -INFINITY)
    others = torch.ones(case.inside.shape, dtype=torch.bool)
    others[anchors.unbind(1)] = False
    case.a[others], case.c[others] = garbage, garbage
    cells, scores = operations.pair_select(*case.arguments[:4], anchors, case.lengths, -INFINITY)
    assert torch.equal(cells, expected[0]) and torch.equal(scores, expected[1])


@everywhere
def test_nothing_is_selected_from_nothing(operations):
    for sizes in (*EMPTY[:5], {"lengths": [3, 2]}):
        case = pairs(**sizes, dtype=torch.float32)
        anchors = case.anchors(1.0) if len(case.V) == 0 else NO_ANCHORS
        cells, scores = operations.pair_select(*case.arguments[:4], anchors, case.lengths, -INFINITY)
        assert cells.shape == (0, 4) and scores.shape == (0,), sizes
        assert cells.dtype == torch.int64 and scores.dtype == torch.float32, sizes


@once
def test_anchors_are_read_in_their_own_strides_and_only_scores_are_differentiable(operations):
    case = pairs([6, 2], labels=3, dtype=torch.float32)
    anchors = case.anchors(1.0)
    expected = operations.pair_select(*case.arguments[:4], anchors, case.lengths, 0.0)
    turned = anchors.t().contiguous().t()
    assert not turned.is_contiguous()
    cells, scores = operations.pair_select(*case.arguments[:4], turned, case.lengths, 0.0)
    assert torch.equal(cells, expected[0]) and torch.equal(scores, expected[1])
    cells, scores = operations.pair_select(*case.leaves(), turned, case.lengths, 0.0)
    assert scores.requires_grad and not cells.requires_grad
    assert torch.equal(cells, expected[0])
    torch.testing.assert_close(scores.detach(), expected[1])
