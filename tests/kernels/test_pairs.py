"""Scores of all token pairs and their gradients: the formula, shapes of every kind, saturation, padding and strides."""

import math

import pytest
import torch
from crf_problem import examples
from hypothesis import given
from hypothesis import strategies as st
from implementations import FLOATS, compiled_only, everywhere, for_each, once
from pair_problem import EMPTY, INFINITY, opposite, pairs
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

BATCH = [20, 2, 0, 1, 16]


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


def scores_of(operations, case):
    """Return a function of the floating arguments alone; without a bias it takes three."""

    def scores(a, c, V, bias=None):
        return operations.pair_scores(a, c, V, bias, case.lengths)

    return scores


def random_like(scores, seed=1):
    return torch.randn(scores.shape, generator=torch.Generator().manual_seed(seed), dtype=scores.dtype)


def exact_gradients(case, upstream):
    """Return the gradients by autograd over the formula, in float64."""
    wide, leaves = case.with_leaves()
    wide.exact().backward(upstream.double())
    return [leaf.grad for leaf in leaves]


def assert_exact(operations, case, upstream=None):
    """Compare scores and gradients with those of the formula; what gradients may be off grows with their sums."""
    leaves = case.leaves()
    scores = scores_of(operations, case)(*leaves)
    torch.testing.assert_close(scores.detach().double(), case.exact(), rtol=0, atol=case.tolerance)
    upstream = random_like(scores) if upstream is None else upstream
    scores.backward(upstream)
    for name, leaf, exact in zip(("a", "c", "V", "bias"), leaves, exact_gradients(case, upstream), strict=False):
        scale = max(1.0, float(exact.abs().max())) if exact.numel() else 1.0
        torch.testing.assert_close(
            leaf.grad.double(), exact, rtol=0, atol=5e-6 * scale, msg=lambda text, name=name: f"{name}: {text}"
        )
    return leaves


@examples
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 2**20),
)
@everywhere
@for_each(dtype=FLOATS)
def test_every_cell_is_the_formula_for_its_row_column_and_label(
    operations, dtype, lengths, size, labels, with_bias, seed
):
    case = pairs(lengths, size=size, labels=labels, with_bias=with_bias, seed=seed, dtype=dtype)
    expected = looped(*case.arguments)
    scores = operations.pair_scores(*case.arguments)
    assert scores.dtype == dtype
    atol = case.tolerance if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(scores.double(), expected, rtol=0, atol=atol)
    torch.testing.assert_close(case.exact(), expected, rtol=0, atol=1e-12)  # what the other tests compare with


@everywhere
def test_rows_are_read_from_the_first_argument_and_columns_from_the_second_and_large_ones_saturate(operations):
    def scores(a, c):
        a, c = (torch.tensor(values).view(1, 2, 1) for values in (a, c))
        return operations.pair_scores(a, c, torch.ones(1, 1), None, torch.tensor([2])).flatten().tolist()

    expected = [math.tanh(-0.5), 0.0, math.tanh(4.5), math.tanh(5.0)]
    assert scores([0.0, 5.0], [-0.5, 0.0]) == pytest.approx(expected, abs=3e-6)
    assert scores([60.0, -60.0], [-60.0, 60.0]) == pytest.approx([0.0, 1.0, -1.0, 0.0], abs=3e-6)


@everywhere
@for_each(with_bias=[True, False], labels=[1, 5, 6, 12, 13, 40])
def test_any_number_of_labels_is_within_the_tolerance_of_exact_scores_and_gradients(operations, labels, with_bias):
    case = pairs([33, 16, 1, 0, 17], size=129, labels=labels, dtype=torch.float32, with_bias=with_bias)
    assert_exact(operations, case)
    outside = ~case.cells.expand(-1, -1, -1, labels)
    assert not operations.pair_scores(*case.arguments)[outside].any(), "the padding is 0 in spite of the bias"


@everywhere
@for_each(size=[1, 7, 8, 16, 31, 64, 130], length=[1, 2, 15, 16, 17, 50])
def test_sizes_and_lengths_need_not_be_multiples_of_anything(operations, length, size):
    assert_exact(operations, pairs([length, max(length - 3, 0)], size=size, labels=5, dtype=torch.float32))


@everywhere
@for_each(top=[5.0, 9.0, 20.0, 60.0])
def test_arguments_up_to_60_with_opposite_signs_are_as_exact_as_small_ones(operations, top):
    """Where exp(a) exp(c) would be infinity times zero: the sum a + c is small all the same."""
    assert_exact(operations, opposite(pairs([40, 17], size=32, labels=6, dtype=torch.float32), top))


@everywhere
@for_each(huge=[100.0, 1e4, 3e38, INFINITY])
def test_one_huge_argument_saturates_its_cells_with_gradient_zero_and_spoils_no_other(operations, huge):
    case = pairs([18], size=5, labels=3, dtype=torch.float32)
    case.a[0, 4, 2], case.c[0, 7, 3] = huge, -huge
    upstream = random_like(case.exact().float())
    upstream[0, 4, 7] = 0  # where infinity meets minus infinity, if in one dimension
    leaves = assert_exact(operations, case, upstream)
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves)
    assert leaves[0].grad[0, 4, 2] == 0 and leaves[1].grad[0, 7, 3] == 0


@everywhere
@for_each(with_bias=[True, False])
def test_the_gradient_is_right_for_every_argument(operations, with_bias):
    case = pairs([3, 1, 0], extra=1, with_bias=with_bias)
    assert gradcheck(scores_of(operations, case), case.leaves())


@compiled_only
@for_each(with_bias=[True, False])
def test_the_gradient_of_the_gradient_is_right_for_every_argument(operations, with_bias):
    case = pairs([3, 1, 0], extra=1, with_bias=with_bias)
    assert gradgradcheck(scores_of(operations, case), case.leaves())


@everywhere
@for_each(garbage=[math.nan, INFINITY, -INFINITY, 1e30], dtype=FLOATS)
def test_what_stands_in_the_padding_reaches_neither_scores_nor_gradients(operations, dtype, garbage):
    results = []
    for value in (0.0, garbage):
        case = pairs([19, 1, 0, 16], size=17, labels=6, extra=2, dtype=dtype)
        case.a[~case.inside], case.c[~case.inside] = value, value
        leaves = case.leaves()
        scores = operations.pair_scores(*leaves, case.lengths)
        # Gradients for every cell, the padded ones too: they must not come back.
        upstream = random_like(scores)
        upstream[~case.cells.expand_as(scores)] = value
        scores.backward(upstream)
        results.append([scores.detach(), *(each.grad for each in leaves)])
    for clean, dirty in zip(*results, strict=True):
        operations.assert_same(dirty, clean)
    assert not results[1][1][~case.inside].any() and not results[1][2][~case.inside].any()


@everywhere
def test_a_batch_gives_what_its_sentences_give_alone_in_any_order(operations):
    case = pairs(BATCH, size=20, labels=6, dtype=torch.float32)
    together = operations.pair_scores(*case.arguments)
    for row, n in enumerate(BATCH):
        alone = operations.pair_scores(*case.alone(row).arguments)
        torch.testing.assert_close(alone[0], together[row, :n, :n], rtol=0, atol=case.tolerance)
    order = torch.tensor([4, 2, 0, 1, 3])
    assert torch.equal(operations.pair_scores(*case.pick(order).arguments), together[order])


@once
def test_strided_and_expanded_arguments_give_the_same_as_contiguous_ones_and_are_left_as_they_were(operations):
    case = pairs([20, 12], size=6, labels=5, dtype=torch.float32)
    before = [value.clone() for value in case.arguments]
    expected = operations.pair_scores(*case.arguments)
    assert all(torch.equal(old, new) for old, new in zip(before, case.arguments, strict=True))
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


@once
def test_gradients_from_above_are_read_in_their_own_strides(operations):
    case = pairs([5, 2], labels=3)
    upstream = torch.randn(3, 5, 5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for given_gradient in (upstream.permute(3, 2, 1, 0), torch.tensor(2.0, dtype=torch.float64).expand(2, 5, 5, 3)):
        assert_exact(operations, case, given_gradient)


@everywhere
def test_one_argument_alone_may_require_a_gradient_and_one_tensor_may_be_row_and_column(operations):
    case = pairs([5, 2], labels=3)
    upstream = random_like(case.exact())
    for index in range(4):
        values = list(case.arguments[:4])
        values[index] = values[index].clone().requires_grad_()
        scores_of(operations, case)(*values).backward(upstream)
        torch.testing.assert_close(values[index].grad, exact_gradients(case, upstream)[index])
    both = case.a.clone().requires_grad_()
    operations.pair_scores(both, both, case.V, case.bias, case.lengths).backward(upstream)
    case.c = case.a
    expected = exact_gradients(case, upstream)
    torch.testing.assert_close(both.grad, expected[0] + expected[1])


@everywhere
@for_each(dtype=FLOATS, sizes=EMPTY)
def test_whatever_may_be_empty_may_be_empty(operations, sizes, dtype):
    case = pairs(**sizes, dtype=dtype)
    leaves = case.leaves()
    scores = operations.pair_scores(*leaves, case.lengths)
    torch.testing.assert_close(scores.detach().double(), case.exact(), rtol=0, atol=1e-6)
    scores.sum().backward()
    for leaf in leaves[:3]:
        assert leaf.grad.shape == leaf.shape and not leaf.grad.any()
    assert leaves[3].grad.tolist() == [float(case.cells.sum())] * len(case.V)
