"""The fused loss of the pairwise scores: binary cross-entropy with gold cells."""

import math

import pytest
import torch
from implementations import FLOATS, compiled_only, everywhere, for_each, once
from pair_problem import EMPTY, INFINITY, opposite, pairs
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import binary_cross_entropy_with_logits

NO_CELLS = torch.zeros(0, 4, dtype=torch.int64)


def loss_of(operations, case, gold, pos_weight=1.0):
    def loss(a, c, V, bias=None):
        return operations.pair_bce(a, c, V, bias, gold, case.lengths, pos_weight=pos_weight)

    return loss


def exact_results(case, gold, pos_weight, weight):
    """Return the loss and the gradients of its weighted sum, in float64."""
    wide, leaves = case.with_leaves()
    loss = wide.exact_loss(gold, pos_weight)
    (loss * weight.double()).sum().backward()
    return loss.detach(), [leaf.grad for leaf in leaves]


def assert_exact(operations, case, gold, pos_weight=1.0):
    weight = torch.linspace(-1, 2, len(case.lengths))
    expected, gradients = exact_results(case, gold, pos_weight, weight)
    leaves = case.leaves()
    loss = loss_of(operations, case, gold, pos_weight)(*leaves)
    torch.testing.assert_close(loss.detach().double(), expected, rtol=3e-6, atol=1e-5)
    (loss * weight.to(loss)).sum().backward()
    for leaf, exact in zip(leaves, gradients, strict=True):
        scale = max(1.0, float(exact.abs().max())) if exact.numel() else 1.0
        torch.testing.assert_close(leaf.grad.double(), exact, rtol=0, atol=5e-6 * scale)


@everywhere
@for_each(with_bias=[True, False], pos_weight=[1.0, 0.3, 7.5], labels=[1, 5, 6, 12, 13, 40])
def test_loss_and_gradients_are_those_of_the_formula(operations, labels, pos_weight, with_bias):
    case = pairs([33, 16, 1, 0, 17], size=20, labels=labels, dtype=torch.float32, with_bias=with_bias)
    assert_exact(operations, case, case.gold(30), pos_weight)


@everywhere
@for_each(size=[1, 16, 33], length=[1, 15, 16, 17, 50])
def test_sizes_and_lengths_need_not_be_multiples_of_anything(operations, length, size):
    case = pairs([length, max(length - 3, 0)], size=size, labels=5, dtype=torch.float32)
    assert_exact(operations, case, case.gold(7), 2.0)


@everywhere
@for_each(pos_weight=[1.0, 0.3, 7.5], dtype=FLOATS)
def test_it_is_the_cross_entropy_of_the_scores(operations, dtype, pos_weight):
    case = pairs([9, 4, 0], labels=3, extra=1, dtype=dtype)
    gold = case.gold(10)
    scores = operations.pair_scores(*case.arguments)
    weight = torch.tensor(pos_weight, dtype=dtype)
    cells = binary_cross_entropy_with_logits(scores, case.target(gold).to(dtype), reduction="none", pos_weight=weight)
    expected = cells.masked_fill(~case.cells, 0).sum((1, 2, 3))
    loss = loss_of(operations, case, gold, pos_weight)(*case.arguments[:4])
    assert loss.dtype == dtype
    tolerance = 5e-6 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(loss, expected, rtol=tolerance, atol=tolerance)


@everywhere
@for_each(with_bias=[True, False], pos_weight=[1.0, 7.5])
def test_the_gradient_is_right_for_every_argument(operations, pos_weight, with_bias):
    case = pairs([3, 1, 0], extra=1, with_bias=with_bias)
    assert gradcheck(loss_of(operations, case, case.gold(4), pos_weight), case.leaves())


@compiled_only
@for_each(with_bias=[True, False])
def test_the_gradient_of_the_gradient_is_right_for_every_argument(operations, with_bias):
    case = pairs([3, 1, 0], extra=1, with_bias=with_bias)
    assert gradgradcheck(loss_of(operations, case, case.gold(4), 2.0), case.leaves())


@everywhere
def test_a_gold_cell_that_comes_twice_counts_once_in_any_order(operations):
    case = pairs([9, 4], labels=3, dtype=torch.float32)
    unique = case.gold(12).unique(dim=0)
    repeated = torch.cat([unique.flip(0), unique[:5], unique[2:3]])
    for pos_weight in (1.0, 3.0):
        one, other = case.leaves(), case.leaves()
        first = loss_of(operations, case, unique, pos_weight)(*one)
        second = loss_of(operations, case, repeated, pos_weight)(*other)
        operations.assert_same(second, first)
        first.sum().backward()
        second.sum().backward()
        for x, y in zip(one, other, strict=True):
            operations.assert_same(y.grad, x.grad)


@everywhere
def test_every_cell_may_be_gold_and_none_may_be_and_large_arguments_are_exact(operations):
    case = pairs([17, 3], size=4, labels=3, dtype=torch.float32)
    assert_exact(operations, case, case.cells.expand(-1, -1, -1, 3).nonzero(), 2.0)
    assert_exact(operations, case, NO_CELLS, 2.0)
    case = opposite(pairs([40, 17], size=32, labels=6, dtype=torch.float32), 60.0)
    assert_exact(operations, case, case.gold(30), 2.0)


@everywhere
def test_losses_of_large_scores_neither_overflow_nor_vanish(operations):
    """A gold cell with the score -300 costs 300; one with 300 costs nothing."""
    a, c, bias = torch.full((1, 2, 1), 30.0), torch.zeros(1, 2, 1), torch.zeros(2)
    V = torch.tensor([[300.0], [-300.0]])
    lengths, gold = torch.tensor([2]), torch.tensor([[0, 0, 0, 0], [0, 0, 1, 1]])
    leaves = [value.requires_grad_() for value in (a, c, V, bias)]
    loss = operations.pair_bce(*leaves, gold, lengths, pos_weight=2.0)
    # Label 0 has 300 in four cells, one of them gold; label 1 has -300, the gold one of them counts twice.
    assert float(loss.detach()) == pytest.approx(3 * 300 + 2 * 300, rel=1e-6)
    loss.sum().backward()
    assert leaves[3].grad.tolist() == pytest.approx([3.0, -2.0], abs=1e-6)


@everywhere
@for_each(garbage=[math.nan, INFINITY, 1e30])
def test_what_stands_in_the_padding_reaches_neither_loss_nor_gradients(operations, garbage):
    results = []
    for value in (0.0, garbage):
        case = pairs([19, 1, 0, 16], size=17, labels=6, extra=2, dtype=torch.float32)
        gold = case.gold(20)
        case.a[~case.inside], case.c[~case.inside] = value, value
        leaves = case.leaves()
        loss = loss_of(operations, case, gold)(*leaves)
        loss.sum().backward()
        results.append([loss.detach(), *(leaf.grad for leaf in leaves)])
    for clean, dirty in zip(*results, strict=True):
        operations.assert_same(dirty, clean)


@everywhere
def test_a_batch_gives_what_its_sentences_give_alone_in_any_order(operations):
    case = pairs([20, 2, 0, 1, 16], size=20, labels=6, dtype=torch.float32)
    gold = case.gold(40)
    together = loss_of(operations, case, gold)(*case.arguments[:4])
    close = {"rtol": 3e-6, "atol": 1e-5}
    for row in range(5):
        own = gold[gold[:, 0] == row].clone()
        own[:, 0] = 0
        alone = case.alone(row)
        torch.testing.assert_close(loss_of(operations, alone, own)(*alone.arguments[:4])[0], together[row], **close)
    order = torch.tensor([4, 2, 0, 1, 3])
    mixed, moved = case.pick(order), gold.clone()
    moved[:, 0] = order.argsort()[gold[:, 0]]
    torch.testing.assert_close(loss_of(operations, mixed, moved)(*mixed.arguments[:4]), together[order], **close)


@everywhere
@for_each(index=range(4))
def test_one_argument_alone_may_require_a_gradient(operations, index):
    case = pairs([5, 2], labels=3)
    gold = case.gold(6)
    _, exact = exact_results(case, gold, 2.0, torch.ones(2))
    values = list(case.arguments[:4])
    values[index] = values[index].clone().requires_grad_()
    loss_of(operations, case, gold, 2.0)(*values).sum().backward()
    torch.testing.assert_close(values[index].grad, exact[index])


@once
def test_gold_cells_are_read_in_their_own_strides_and_arguments_left_as_they_were(operations):
    case = pairs([9, 4], labels=3, dtype=torch.float32)
    gold = case.gold(12)
    before = [value.clone() for value in (*case.arguments, gold)]
    expected = loss_of(operations, case, gold)(*case.arguments[:4])
    assert all(torch.equal(old, new) for old, new in zip(before, (*case.arguments, gold), strict=True))
    columns = gold.t().contiguous().t()
    assert not columns.is_contiguous()
    operations.assert_same(loss_of(operations, case, columns)(*case.arguments[:4]), expected)
    repeated = gold[:1].expand(5, 4)
    once_only = loss_of(operations, case, gold[:1])(*case.arguments[:4])
    operations.assert_same(loss_of(operations, case, repeated)(*case.arguments[:4]), once_only)


@everywhere
@for_each(dtype=FLOATS, sizes=EMPTY)
def test_whatever_may_be_empty_may_be_empty(operations, sizes, dtype):
    assert_exact(operations, pairs(**sizes, dtype=dtype), NO_CELLS)
