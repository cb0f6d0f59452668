"""Gradients of the CRF's log-partition and loss: against differences, and what they must add up to."""

import pytest
import torch
from crf_problem import bio_allowed, examples, gradients, problem, problems
from hypothesis import given
from implementations import compiled_only, everywhere, for_each
from torch.autograd import gradcheck, gradgradcheck

NAMED = for_each(name=["crf_log_partition", "crf_nll"], constrained=[False, True])
LENGTHS = [4, 1, 0, 2]


def loss_of(name, operations, constrained):
    """Return a function of the potentials alone, a case for it, and the leaves to call it with."""
    case = problem(4, LENGTHS, extra=1)
    allowed = bio_allowed() if constrained else None
    case.gold = torch.tensor([[1, 2, 2, 0], [3, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]])  # keeps to BIO
    case.gold = torch.nn.functional.pad(case.gold, (0, 1), value=-100)
    between = (case.gold,) if name == "crf_nll" else ()

    def function(*potentials):
        return getattr(operations, name)(*potentials, *between, case.lengths, allowed=allowed)

    return function, case.leaves()


@everywhere
@NAMED
def test_the_gradient_is_right_for_every_potential(operations, name, constrained):
    assert gradcheck(*loss_of(name, operations, constrained))


@compiled_only
@NAMED
def test_the_gradient_of_the_gradient_is_right_for_every_potential(operations, name, constrained):
    assert gradgradcheck(*loss_of(name, operations, constrained))


@compiled_only
@for_each(name=["crf_log_partition", "crf_nll"])
def test_the_gradient_that_can_be_differentiated_again_is_the_same(operations, name):
    function, leaves = loss_of(name, operations, True)
    once = torch.autograd.grad(function(*leaves).sum(), leaves)
    twice = torch.autograd.grad(function(*leaves).sum(), leaves, create_graph=True)
    torch.testing.assert_close(twice, once)


@everywhere
@for_each(place=range(4))
def test_one_potential_alone_may_require_a_gradient(operations, place):
    case = problem(4, [4, 1, 3])
    every = gradients(lambda *potentials: operations.crf_log_partition(*potentials, case.lengths), case.leaves())
    potentials = list(case.potentials)
    potentials[place] = potentials[place].clone().requires_grad_()
    operations.crf_log_partition(*potentials, case.lengths).sum().backward()
    torch.testing.assert_close(potentials[place].grad, every[place])


@examples
@given(problems)
@everywhere
def test_the_gradient_of_the_log_partition_at_the_emissions_is_the_marginals(operations, drawn):
    for dtype, tolerance in ((torch.float32, 2e-6), (torch.float64, 1e-11)):
        case = problem(**drawn, dtype=dtype)
        found = gradients(lambda *values: operations.crf_log_partition(*values, case.lengths), case.leaves())  # noqa: B023
        torch.testing.assert_close(found[0], operations.crf_marginals(*case.arguments), rtol=0, atol=tolerance)
        torch.testing.assert_close(found[0].double(), case.marginals(), rtol=0, atol=tolerance)


@everywhere
@for_each(tags=[2, 9, 17, 33])
def test_marginals_sum_to_one_at_tokens_and_to_zero_in_the_padding(operations, tags):
    case = problem(tags, [60, 31, 1, 0, 60], dtype=torch.float32, extra=2, scale=2)
    sums = operations.crf_marginals(*case.arguments).sum(2)
    torch.testing.assert_close(sums, case.inside.float(), rtol=0, atol=2e-6)
    assert not sums[~case.inside].any()


@everywhere
@for_each(tags=[4, 9, 33])
def test_the_gradient_at_the_transitions_sums_to_the_number_of_steps(operations, tags):
    case = problem(tags, [50, 31, 1, 0, 9], dtype=torch.float32)
    found = gradients(lambda *values: operations.crf_log_partition(*values, case.lengths), case.leaves())
    steps = 50 + 31 + 1 + 9 - 4
    assert float(found[1].sum()) == pytest.approx(steps, rel=2e-6)
    assert float(found[2].sum()) == pytest.approx(4, rel=2e-6)
    assert float(found[3].sum()) == pytest.approx(4, rel=2e-6)


@everywhere
def test_the_gradient_of_the_nll_is_the_marginals_minus_the_gold_path(operations):
    case = problem(5, [7, 1, 4], extra=1)
    found = gradients(
        lambda *values: operations.crf_nll(*values, case.gold, case.lengths), case.leaves(), torch.tensor([2.0, 0, -1])
    )
    gold = torch.nn.functional.one_hot(case.gold, 5) * case.inside.unsqueeze(2)
    weight = torch.tensor([2.0, 0, -1]).double()[:, None, None]
    torch.testing.assert_close(found[0], (operations.crf_marginals(*case.arguments) - gold) * weight)
    first = (operations.crf_marginals(*case.arguments) - gold)[:, 0] * weight[:, 0]
    torch.testing.assert_close(found[2], first.sum(0))


@everywhere
def test_the_gradients_of_a_large_batch_are_those_of_plain_pytorch_in_double_precision(operations):
    """Full and half-filled groups of sentences, and so many of them that partial sums are added up."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(0, 24, (70,), generator=generator).tolist()
    case = problem(9, lengths, dtype=torch.float32)
    weight = torch.randn(70, generator=generator)
    exact = gradients(
        lambda *values: operations.crf_nll(*values, case.gold, case.lengths), case.to(torch.float64).leaves(), weight
    )
    found = gradients(lambda *values: operations.crf_nll(*values, case.gold, case.lengths), case.leaves(), weight)
    for single, double in zip(found, exact, strict=True):
        torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=2e-5)


@everywhere
def test_a_constant_added_to_a_token_shifts_the_log_partition_by_exactly_that(operations):
    case = problem(3, [4, 2], dtype=torch.float32)
    shift = torch.tensor([1.0, -2.0, 0.5, 7.0])
    before = operations.crf_log_partition(*case.arguments)
    after = operations.crf_log_partition(case.emissions + shift[None, :, None], *case.arguments[1:])
    assert (after - before).tolist() == pytest.approx([6.5, -1.0], abs=4e-6)


@everywhere
def test_the_gradient_of_an_expanded_sum_is_read_in_its_own_strides(operations):
    case = problem(3, [4, 2, 3])
    leaves = case.leaves()
    result = operations.crf_log_partition(*leaves, case.lengths)
    result.backward(torch.tensor(2.0, dtype=torch.float64).expand(3))
    torch.testing.assert_close(leaves[0].grad, 2 * operations.crf_marginals(*case.arguments))


@everywhere
def test_the_backward_pass_reads_what_its_own_forward_pass_kept(operations):
    """Two forward passes before either backward pass, of different shapes."""
    first, second = problem(3, [5, 2]), problem(9, [3, 7, 1], seed=1)
    one, two = first.leaves(), second.leaves()
    results = [
        operations.crf_log_partition(*leaves, case.lengths).sum() for leaves, case in ((one, first), (two, second))
    ]
    for result in results:
        result.backward()
    torch.testing.assert_close(one[0].grad, operations.crf_marginals(*first.arguments))
    torch.testing.assert_close(two[0].grad, operations.crf_marginals(*second.arguments))
