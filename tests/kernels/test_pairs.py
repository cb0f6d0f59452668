"""Scores of all token pairs: the formula, shapes of every kind, saturation, padding and strides."""

import math

import pytest
import torch
from crf_problem import examples
from hypothesis import given
from hypothesis import strategies as st
from implementations import once
from pair_problem import INFINITY, pairs
from torch import Tensor

WITH_BIAS = pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no-bias"])


def looped(a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, lengths: Tensor) -> Tensor:
    result = torch.zeros(len(a), a.shape[1], a.shape[1], len(V), dtype=torch.float64)
    for b, n in enumerate(lengths.tolist()):
        for i in range(n):
            for j in range(n):
                for r in range(len(V)):
                    total = 0.0 if bias is None else float(bias[r])
                    for d in range(a.shape[2]):
                        total += float(V[r, d]) * math.tanh(float(a[b, i, d]) + float(c[b, j, d]))
                    result[b, i, j, r] = total
    return result


@examples
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 2**20),
)
def test_every_cell_is_the_formula_for_its_row_column_and_label(operations, lengths, size, labels, with_bias, seed):
    for dtype in (torch.float32, torch.float64):
        case = pairs(lengths, size=size, labels=labels, with_bias=with_bias, seed=seed, dtype=dtype)
        tolerance = case.tolerance if dtype == torch.float32 else 1e-12
        expected = looped(*case.arguments)
        scores = operations.pair_scores(*case.arguments)
        assert scores.dtype == dtype
        torch.testing.assert_close(scores.double(), expected, rtol=0, atol=tolerance)
        torch.testing.assert_close(case.exact(), expected, rtol=0, atol=1e-12)  # what the other tests compare with


def test_rows_are_read_from_the_first_argument_and_columns_from_the_second(operations):
    a, c = torch.zeros(1, 2, 1), torch.zeros(1, 2, 1)
    a[0, 1], c[0, 0] = 5.0, -0.5
    scores = operations.pair_scores(a, c, torch.ones(1, 1), None, torch.tensor([2]))[0, :, :, 0]
    expected = [math.tanh(-0.5), 0.0, math.tanh(4.5), math.tanh(5.0)]
    assert scores.flatten().tolist() == pytest.approx(expected, abs=3e-6)


@WITH_BIAS
@pytest.mark.parametrize("labels", [1, 5, 6, 12, 13, 40])
def test_single_precision_scores_are_within_their_tolerance_of_exact_ones(operations, labels, with_bias):
    case = pairs([33, 16, 1, 0, 17], size=129, labels=labels, dtype=torch.float32, with_bias=with_bias)
    scores = operations.pair_scores(*case.arguments)
    torch.testing.assert_close(scores.double(), case.exact(), rtol=0, atol=case.tolerance)
    assert not scores[~case.cells.expand_as(scores)].any()


@pytest.mark.parametrize("size", [1, 7, 8, 16, 31, 64, 100])
@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 31, 50])
def test_sizes_and_lengths_need_not_be_multiples_of_anything(operations, length, size):
    case = pairs([length, max(length - 3, 0)], size=size, labels=5, dtype=torch.float32)
    scores = operations.pair_scores(*case.arguments)
    torch.testing.assert_close(scores.double(), case.exact(), rtol=0, atol=case.tolerance)


@pytest.mark.parametrize("top", [5.0, 9.0, 20.0, 60.0])
def test_arguments_up_to_60_with_opposite_signs_are_as_exact_as_small_ones(operations, top):
    """Where exp(a) exp(c) would be infinity times zero: the sum a + c is small all the same."""
    case = pairs([40, 17], size=32, labels=6, dtype=torch.float32)
    generator = torch.Generator().manual_seed(3)
    large = (torch.rand(case.a.shape, generator=generator) - 0.5) * 2 * top
    case.a = large
    case.c = -large.roll(1, 1) + 0.25 * case.c
    case.c[:, ::3] = -large[:, ::3] + 0.01 * case.c[:, ::3]
    scores = operations.pair_scores(*case.arguments)
    torch.testing.assert_close(scores.double(), case.exact(), rtol=0, atol=case.tolerance)


def test_saturated_cells_are_plus_and_minus_one(operations):
    a, c = torch.tensor([[[60.0], [-60.0]]]), torch.tensor([[[-60.0], [60.0]]])
    scores = operations.pair_scores(a, c, torch.ones(1, 1), None, torch.tensor([2]))[0, :, :, 0]
    assert scores.flatten().tolist() == pytest.approx([0.0, 1.0, -1.0, 0.0], abs=3e-6)


@pytest.mark.parametrize("huge", [100.0, 1e4, 3e38, INFINITY])
def test_one_huge_argument_saturates_its_cells_and_spoils_no_other(operations, huge):
    case = pairs([18], size=5, labels=3, dtype=torch.float32)
    case.a[0, 4, 2], case.c[0, 7, 3] = huge, -huge
    scores = operations.pair_scores(*case.arguments)
    torch.testing.assert_close(scores.double(), case.exact(), rtol=0, atol=case.tolerance)


@pytest.mark.parametrize("garbage", [math.nan, INFINITY, -INFINITY, 1e30], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_what_stands_in_the_padding_reaches_neither_scores_nor_gradients(operations, dtype, garbage):
    results = []
    for value in (0.0, garbage):
        case = pairs([19, 1, 0, 16], size=17, labels=6, extra=2, dtype=dtype)
        case.a[~case.inside], case.c[~case.inside] = value, value
        leaves = case.leaves()
        scores = operations.pair_scores(*leaves, case.lengths)
        # Gradients for every cell, the padded ones too: they must not come back.
        upstream = torch.randn(scores.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
        upstream[~case.cells.expand_as(scores)] = value
        scores.backward(upstream)
        results.append([scores.detach(), *(each.grad for each in leaves)])
    for expected, found in zip(*results, strict=True):
        operations.assert_same(found, expected)
    assert not results[1][1][~case.inside].any() and not results[1][2][~case.inside].any()


def test_cells_with_a_token_in_the_padding_are_zero_in_spite_of_the_bias(operations):
    case = pairs([3, 1, 0], extra=1, dtype=torch.float32)
    scores = operations.pair_scores(*case.arguments)
    outside = ~case.cells.expand_as(scores)
    assert not scores[outside].any() and scores[~outside].all()


def test_a_batch_gives_what_its_sentences_give_alone(operations):
    case = pairs([20, 2, 0, 1, 16], size=20, labels=6, dtype=torch.float32)
    together = operations.pair_scores(*case.arguments)
    for row, n in enumerate(case.lengths.tolist()):
        alone = operations.pair_scores(*case.alone(row).arguments)
        torch.testing.assert_close(alone[0], together[row, :n, :n], rtol=0, atol=case.tolerance)


def test_the_order_of_the_sentences_does_not_matter(operations):
    case = pairs([20, 2, 0, 1, 16], size=20, labels=6, dtype=torch.float32)
    order = torch.tensor([4, 2, 0, 1, 3])
    mixed = operations.pair_scores(*case.pick(order).arguments)
    assert torch.equal(mixed, operations.pair_scores(*case.arguments)[order])


@once
def test_strided_and_expanded_arguments_give_the_same_as_contiguous_ones(operations):
    case = pairs([20, 12], size=6, labels=5, dtype=torch.float32)
    expected = operations.pair_scores(*case.arguments)
    a = case.a.transpose(1, 2).contiguous().transpose(1, 2)
    c = torch.stack([case.c, case.a], 3)[..., 0]
    V, bias = case.V.t().contiguous().t(), torch.stack([case.bias, case.bias], 1)[:, 0]
    lengths = torch.stack([case.lengths, case.lengths], 1)[:, 0]
    assert not any(value.is_contiguous() for value in (a, c, V, bias, lengths))
    close = {"rtol": 0, "atol": case.tolerance}  # other strides may mean another order of summing
    torch.testing.assert_close(operations.pair_scores(a, c, V, bias, lengths), expected, **close)
    a, c, V = case.a[:1, :1].expand(2, 20, 6), case.c[..., :1].expand(2, 20, 6), case.V[:1].expand(5, 6)
    copies = [value.contiguous() for value in (a, c, V)]
    expected = operations.pair_scores(*copies, case.bias, case.lengths)
    torch.testing.assert_close(operations.pair_scores(a, c, V, bias, lengths), expected, **close)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(
    ("lengths", "extra", "size", "labels"),
    [([], 4, 3, 2), ([], 0, 3, 2), ([0, 0], 0, 3, 2), ([0], 3, 3, 2), ([3, 2], 0, 3, 0), ([3, 2], 1, 0, 2)],
    ids=["no sentences", "nothing", "no positions", "no tokens", "no labels", "no dimensions"],
)
def test_whatever_may_be_empty_may_be_empty(operations, lengths, extra, size, labels, dtype):
    case = pairs(lengths, extra=extra, size=size, labels=labels, dtype=dtype)
    leaves = case.leaves()
    scores = operations.pair_scores(*leaves, case.lengths)
    torch.testing.assert_close(scores.detach().double(), case.exact(), rtol=0, atol=1e-6)
    scores.sum().backward()
    for leaf in leaves[:3]:
        assert leaf.grad.shape == leaf.shape and not leaf.grad.any()
    assert leaves[3].grad.tolist() == [float(case.cells.sum())] * labels


@once
def test_the_arguments_are_left_as_they_were(operations):
    case = pairs([3, 1])
    before = [value.clone() for value in case.arguments]
    operations.pair_scores(*case.arguments)
    assert all(torch.equal(old, new) for old, new in zip(before, case.arguments, strict=True))
