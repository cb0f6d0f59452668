"""Forbidden transitions of the CRF: what `allowed` and minus infinity leave, and what is left without any path."""

import pytest
import torch
from crf_problem import INFINITY, bio_allowed, examples, gradients, permitted, problem
from hypothesis import given
from hypothesis import strategies as st
from implementations import once

TOLERANCE = {torch.float32: {"rtol": 2e-6, "atol": 5e-6}, torch.float64: {"rtol": 1e-10, "atol": 1e-10}}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=["float32", "float64"])
lengths_and_seed = (st.lists(st.integers(0, 5), min_size=1, max_size=3), st.integers(0, 2**20))
masks = st.lists(st.booleans(), min_size=20, max_size=20).map(lambda values: torch.tensor(values).view(5, 4))


@DTYPES
@examples
@given(*lengths_and_seed, masks)
def test_only_allowed_paths_count_whatever_is_allowed(operations, dtype, lengths, seed, allowed):
    case = problem(4, lengths, seed=seed, dtype=dtype)
    partition = operations.crf_log_partition(*case.arguments, allowed=allowed)
    torch.testing.assert_close(partition.double(), case.log_partition(allowed).double(), **TOLERANCE[dtype])
    marginals = operations.crf_marginals(*case.arguments, allowed=allowed)
    torch.testing.assert_close(marginals.double(), case.marginals(allowed), rtol=0, atol=2e-6)
    tags, scores = operations.crf_decode(*case.arguments, allowed=allowed)
    several, their_scores = operations.crf_decode(*case.arguments, allowed=allowed, nbest=6)
    for sentence, length in enumerate(lengths):
        ordered = case.paths(sentence, allowed)[1].sort(descending=True).values[:6]
        count = len(ordered)
        torch.testing.assert_close(their_scores[sentence, :count].double(), ordered, **TOLERANCE[dtype])
        assert (their_scores[sentence, count:] == -INFINITY).all() and (several[sentence, count:] == -1).all()
        found = several[sentence, :count, :length]
        assert permitted(found, allowed).all()
        torch.testing.assert_close(case.scores(sentence, found), ordered, **TOLERANCE[dtype])
        if count:
            assert permitted(tags[sentence : sentence + 1, :length], allowed).all()
            torch.testing.assert_close(scores[sentence].double(), ordered[0], **TOLERANCE[dtype])
        else:
            assert scores[sentence] == -INFINITY


@DTYPES
def test_bio_is_obeyed_however_much_the_emissions_speak_against_it(operations, dtype):
    case, allowed = problem(4, [5, 1], dtype=dtype), bio_allowed()
    case.emissions[:, :, 2] = 1e6
    tags, _ = operations.crf_decode(*case.arguments, allowed=allowed)
    assert tags[0].tolist() == [1, 2, 2, 2, 2]
    assert tags[1, 0] != 2 and (tags[1, 1:] == -1).all()
    several, scores = operations.crf_decode(*case.arguments, allowed=allowed, nbest=8)
    assert permitted(several[0][scores[0] > -INFINITY], allowed).all()


@pytest.mark.parametrize("tags", [9, 17, 33])
def test_bio_is_never_violated_in_a_large_batch(operations, tags):
    """Odd tags open what the even tag after them goes on with."""
    allowed = torch.ones(tags + 1, tags, dtype=torch.bool)
    for inner in range(2, tags, 2):
        allowed[:, inner] = False
        allowed[[inner - 1, inner], inner] = True
    case = problem(tags, [30, 29, 1, 0, 12] * 5, dtype=torch.float32, scale=5)
    path, scores = operations.crf_decode(*case.arguments, allowed=allowed)
    assert torch.isfinite(scores).all()
    for row, length in enumerate(case.lengths.tolist()):
        assert permitted(path[row : row + 1, :length], allowed).all()
    marginals = operations.crf_marginals(*case.arguments, allowed=allowed)
    assert not marginals[:, 0, 2::2].any()
    torch.testing.assert_close(marginals.sum(2), case.inside.float(), rtol=0, atol=2e-6)


def constrained(dtype, form):
    """Return a case with forbidden transitions in one of two forms, and what to pass as `allowed`."""
    case, allowed = problem(4, [4, 2, 0], dtype=dtype), bio_allowed()
    case.gold = torch.tensor([[1, 2, 0, 3], [0, 1, 0, 0], [0, 0, 0, 0]])
    if form == "allowed":
        return case, allowed
    case.transitions[~allowed[:-1]] = -INFINITY
    case.start[~allowed[-1]] = -INFINITY
    return case, None


@DTYPES
@pytest.mark.parametrize("form", ["allowed", "minus infinity"])
def test_forbidden_transitions_have_the_gradient_zero_and_no_nan(operations, form, dtype):
    case, allowed = constrained(dtype, form)
    for name, gold in (("crf_log_partition", ()), ("crf_nll", (case.gold,))):
        found = gradients(
            lambda *values: getattr(operations, name)(*values, *gold, case.lengths, allowed=allowed),  # noqa: B023
            case.leaves(),
        )
        assert all(torch.isfinite(value).all() for value in found)
        assert not found[1][~bio_allowed()[:-1]].any() and not found[2][2]
        assert found[1][bio_allowed()[:-1]].any()
    expected = case.log_partition(bio_allowed())
    assert operations.crf_log_partition(*case.arguments, allowed=allowed).tolist() == pytest.approx(
        expected.tolist(), rel=2e-6, abs=5e-6
    )


@DTYPES
def test_both_forms_of_forbidding_give_the_same_results(operations, dtype):
    results = []
    for form in ("allowed", "minus infinity"):
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


@DTYPES
def test_a_gold_path_over_a_forbidden_transition_has_the_loss_infinity_and_the_gradient_zero(operations, dtype):
    for form in ("allowed", "minus infinity"):
        case, allowed = constrained(dtype, form)
        case.gold[0, 1] = 3
        case.gold[0, 2] = 2  # after B-y
        leaves = case.leaves()
        loss = operations.crf_nll(*leaves, case.gold, case.lengths, allowed=allowed)
        assert loss[0] == INFINITY and torch.isfinite(loss[1:]).all()
        loss.sum().backward()
        assert all(torch.isfinite(leaf.grad).all() for leaf in leaves), form
        assert not leaves[0].grad[0].any(), form
        assert leaves[0].grad[1].any(), form


@DTYPES
@pytest.mark.parametrize("form", ["allowed", "minus infinity"])
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
