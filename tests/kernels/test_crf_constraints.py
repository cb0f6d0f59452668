"""Forbidden transitions of the CRF: two ways to say so, their gradients, and what is left without any path."""

import pytest
import torch
from crf_problem import INFINITY, bio_allowed, gradients, problem
from implementations import FLOATS, everywhere, for_each, once

FORMS = ("allowed", "minus infinity")


def constrained(dtype, form):
    """Return a case with forbidden transitions in one of two forms, and what to pass as `allowed`."""
    case, allowed = problem(4, [4, 2, 0], dtype=dtype), bio_allowed()
    case.gold = torch.tensor([[1, 2, 0, 3], [0, 1, 0, 0], [0, 0, 0, 0]])
    if form == "allowed":
        return case, allowed
    case.transitions[~allowed[:-1]] = -INFINITY
    case.start[~allowed[-1]] = -INFINITY
    return case, None


@everywhere
@for_each(dtype=FLOATS)
def test_both_forms_of_forbidding_give_the_same_results(operations, dtype):
    results = []
    for form in FORMS:
        case, allowed = constrained(dtype, form)
        results.append(
            [
                *operations.crf_decode(*case.arguments, allowed=allowed),
                *operations.crf_decode(*case.arguments, allowed=allowed, nbest=3),
                operations.crf_log_partition(*case.arguments, allowed=allowed),
                operations.crf_marginals(*case.arguments, allowed=allowed),
                operations.crf_nll(*case.with_gold, allowed=allowed),
            ]
        )
    for first, second in zip(*results, strict=True):
        assert torch.equal(first, second)


@everywhere
@for_each(dtype=FLOATS, form=FORMS)
def test_forbidden_transitions_have_the_gradient_zero_and_no_nan(operations, form, dtype):
    case, allowed = constrained(dtype, form)
    for name, gold in (("crf_log_partition", ()), ("crf_nll", (case.gold,))):
        grads = gradients(
            lambda *values: getattr(operations, name)(*values, *gold, case.lengths, allowed=allowed),  # noqa: B023
            case.leaves(),
        )
        assert all(torch.isfinite(grad).all() for grad in grads)
        assert not grads[1][~bio_allowed()[:-1]].any() and not grads[2][2]
        assert grads[1][bio_allowed()[:-1]].any()
    expected = case.log_partition(bio_allowed()).tolist()
    assert operations.crf_log_partition(*case.arguments, allowed=allowed).tolist() == pytest.approx(
        expected, rel=2e-6, abs=5e-6
    )


@everywhere
@for_each(dtype=FLOATS, form=FORMS)
def test_a_gold_path_over_a_forbidden_transition_has_the_loss_infinity_and_the_gradient_zero(operations, dtype, form):
    case, allowed = constrained(dtype, form)
    case.gold[0, 1] = 3
    case.gold[0, 2] = 2  # after B-y
    leaves = case.leaves()
    loss = operations.crf_nll(*leaves, case.gold, case.lengths, allowed=allowed)
    assert loss[0] == INFINITY and torch.isfinite(loss[1:]).all()
    loss.sum().backward()
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves)
    assert not leaves[0].grad[0].any() and leaves[0].grad[1].any()


@everywhere
@for_each(dtype=FLOATS, form=FORMS)
def test_a_sentence_without_any_path_has_minus_infinity_and_the_gradient_zero(operations, form, dtype):
    """One token is fine, two are impossible."""
    case = problem(2, [3, 1, 0, 2], dtype=dtype)
    allowed = torch.tensor([[False, False], [False, False], [True, True]])
    if form == "minus infinity":
        case.transitions.fill_(-INFINITY)
        allowed = None
    leaves = case.leaves()
    total = operations.crf_log_partition(*leaves, case.lengths, allowed=allowed)
    assert total[[0, 3]].tolist() == [-INFINITY] * 2 and torch.isfinite(total[1]) and total[2] == 0
    loss = operations.crf_nll(*leaves, case.gold, case.lengths, allowed=allowed)
    assert loss[[0, 3]].tolist() == [INFINITY] * 2 and torch.isfinite(loss[1])
    for result in (total, loss):
        for leaf in leaves:
            leaf.grad = None
        result.sum().backward(retain_graph=True)
        assert all(torch.isfinite(leaf.grad).all() for leaf in leaves)
        assert not leaves[0].grad[[0, 3]].any() and not leaves[1].grad.any()
    assert operations.crf_decode(*case.arguments, allowed=allowed)[1][[0, 3]].tolist() == [-INFINITY] * 2
    marginals = operations.crf_marginals(*case.arguments, allowed=allowed)
    assert not marginals[[0, 3]].any()
    assert float(marginals[1, 0].sum()) == pytest.approx(1)


@once
def test_emissions_of_minus_infinity_forbid_a_tag_at_a_token(operations):
    case = problem(3, [3, 2], dtype=torch.float32)
    case.emissions[0, 1, 2] = -INFINITY
    case.emissions[1, 0, :] = -INFINITY  # no path at all
    leaves = case.leaves()
    total = operations.crf_log_partition(*leaves, case.lengths)
    assert float(total[0].detach()) == pytest.approx(float(case.log_partition()[0]), rel=1e-6) and total[1] == -INFINITY
    total.sum().backward()
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves)
    assert leaves[0].grad[0, 1, 2] == 0 and not leaves[0].grad[1].any()
