"""Gradients of the pairwise scores: against differences, and against autograd over the formula in float64."""

import pytest
import torch
from implementations import compiled_only, once
from pair_problem import INFINITY, pairs
from torch.autograd import gradcheck, gradgradcheck

WITH_BIAS = pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no-bias"])


def scores_of(operations, case):
    """Return a function of the floating arguments alone; without a bias it takes three."""

    def scores(a, c, V, bias=None):
        return operations.pair_scores(a, c, V, bias, case.lengths)

    return scores


def exact_gradients(case, upstream):
    """Return the gradients by autograd over the formula, in float64."""
    wide = case.to(torch.float64)
    leaves = wide.leaves()
    wide.a, wide.c, wide.V = leaves[:3]
    wide.bias = leaves[3] if len(leaves) > 3 else None
    wide.exact().backward(upstream.double())
    return [leaf.grad for leaf in leaves]


def assert_close_gradients(case, found, upstream):
    """Compare with the exact gradients; what may be off grows with the size of the sums."""
    exact = exact_gradients(case, upstream)
    names = ("a", "c", "V", "bias")
    for name, single, double in zip(names, found, exact, strict=False):
        scale = max(1.0, float(double.abs().max())) if double.numel() else 1.0
        torch.testing.assert_close(
            single.double(), double, rtol=0, atol=5e-6 * scale, msg=lambda text, name=name: f"{name}: {text}"
        )


@WITH_BIAS
def test_the_gradient_is_right_for_every_argument(operations, with_bias):
    case = pairs([3, 1, 0], extra=1, with_bias=with_bias)
    assert gradcheck(scores_of(operations, case), case.leaves())


@compiled_only
@WITH_BIAS
def test_the_gradient_of_the_gradient_is_right_for_every_argument(operations, with_bias):
    case = pairs([3, 1, 0], extra=1, with_bias=with_bias)
    assert gradgradcheck(scores_of(operations, case), case.leaves())


@WITH_BIAS
@pytest.mark.parametrize("labels", [1, 5, 6, 12, 13, 40])
def test_single_precision_gradients_are_those_of_the_formula(operations, labels, with_bias):
    case = pairs([33, 16, 1, 0, 17], size=40, labels=labels, dtype=torch.float32, with_bias=with_bias)
    leaves = case.leaves()
    scores = scores_of(operations, case)(*leaves)
    upstream = torch.randn(scores.shape, generator=torch.Generator().manual_seed(1))
    scores.backward(upstream)
    assert_close_gradients(case, [leaf.grad for leaf in leaves], upstream)


@pytest.mark.parametrize("size", [1, 8, 17, 100, 130])
@pytest.mark.parametrize("length", [1, 15, 16, 17, 50])
def test_gradients_of_sizes_and_lengths_that_are_multiples_of_nothing(operations, length, size):
    case = pairs([length, max(length - 3, 0)], size=size, labels=5, dtype=torch.float32)
    leaves = case.leaves()
    scores = scores_of(operations, case)(*leaves)
    upstream = torch.randn(scores.shape, generator=torch.Generator().manual_seed(1))
    scores.backward(upstream)
    assert_close_gradients(case, [leaf.grad for leaf in leaves], upstream)


@pytest.mark.parametrize("top", [9.0, 20.0, 60.0])
def test_arguments_up_to_60_with_opposite_signs_have_exact_gradients(operations, top):
    case = pairs([40, 17], size=32, labels=6, dtype=torch.float32)
    large = (torch.rand(case.a.shape, generator=torch.Generator().manual_seed(3)) - 0.5) * 2 * top
    case.a, case.c = large, -large.roll(1, 1) + 0.25 * case.c
    leaves = case.leaves()
    scores = scores_of(operations, case)(*leaves)
    upstream = torch.randn(scores.shape, generator=torch.Generator().manual_seed(1))
    scores.backward(upstream)
    assert_close_gradients(case, [leaf.grad for leaf in leaves], upstream)


@pytest.mark.parametrize("huge", [100.0, 3e38, INFINITY])
def test_saturated_arguments_have_the_gradient_zero_and_no_nan(operations, huge):
    case = pairs([18], size=5, labels=3, dtype=torch.float32)
    case.a[0, 4, 2], case.c[0, 7, 3] = huge, -huge
    leaves = case.leaves()
    upstream = torch.randn(1, 18, 18, 3, generator=torch.Generator().manual_seed(1))
    upstream[0, 4, 7] = 0  # where infinity meets minus infinity, if in one dimension
    scores_of(operations, case)(*leaves).backward(upstream)
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves)
    assert leaves[0].grad[0, 4, 2] == 0 and leaves[1].grad[0, 7, 3] == 0
    assert_close_gradients(case, [leaf.grad for leaf in leaves], upstream)


@pytest.mark.parametrize("place", range(4))
def test_one_argument_alone_may_require_a_gradient(operations, place):
    case = pairs([5, 2], labels=3)
    upstream = torch.randn(2, 5, 5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    values = list(case.arguments[:4])
    values[place] = values[place].clone().requires_grad_()
    scores_of(operations, case)(*values).backward(upstream)
    torch.testing.assert_close(values[place].grad, exact_gradients(case, upstream)[place])


@once
def test_gradients_from_above_are_read_in_their_own_strides(operations):
    case = pairs([5, 2], labels=3)
    upstream = torch.randn(3, 5, 5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for given in (upstream.permute(3, 2, 1, 0), torch.tensor(2.0, dtype=torch.float64).expand(2, 5, 5, 3)):
        leaves = case.leaves()
        scores_of(operations, case)(*leaves).backward(given)
        for leaf, expected in zip(leaves, exact_gradients(case, given.contiguous()), strict=True):
            torch.testing.assert_close(leaf.grad, expected)


@once
def test_one_tensor_may_be_both_row_and_column(operations):
    case = pairs([4, 2], labels=3)
    both = case.a.clone().requires_grad_()
    operations.pair_scores(both, both, case.V, case.bias, case.lengths).sum().backward()
    case.c = case.a
    expected = exact_gradients(case, torch.ones(2, 4, 4, 3))
    torch.testing.assert_close(both.grad, expected[0] + expected[1])
