"""Transitions that depend on the token: plain PyTorch alone has them."""

import pytest
import torch
from crf_problem import bio_allowed, examples, gradients, permitted, problem, problems
from hypothesis import given
from implementations import for_each
from torch.autograd import gradcheck

from cman.kernels import crf_decode, crf_log_partition, crf_marginals, crf_nll


@examples
@given(problems)
def test_transitions_of_each_token_count_where_they_lead(drawn):
    case = problem(**drawn, per_position=True)
    torch.testing.assert_close(crf_log_partition(*case.arguments), case.log_partition())
    torch.testing.assert_close(crf_marginals(*case.arguments), case.marginals())
    tags, scores = crf_decode(*case.arguments)
    several, their_scores = crf_decode(*case.arguments, nbest=3)
    nll = crf_nll(*case.with_gold)
    for sentence, length in enumerate(case.lengths.tolist()):
        ordered = case.paths(sentence)[1].sort(descending=True).values
        torch.testing.assert_close(scores[sentence], ordered[0])
        torch.testing.assert_close(case.scores(sentence, tags[sentence : sentence + 1, :length])[0], ordered[0])
        count = min(3, len(ordered))
        torch.testing.assert_close(their_scores[sentence, :count], ordered[:count])
        torch.testing.assert_close(case.scores(sentence, several[sentence, :count, :length]), ordered[:count])
        own = case.scores(sentence, case.gold[sentence : sentence + 1, :length])[0]
        torch.testing.assert_close(nll[sentence], case.log_partition()[sentence] - own)


def test_the_gradient_is_right_for_the_transitions_of_each_token():
    case = problem(3, [4, 1, 0, 2], extra=1, per_position=True)
    assert gradcheck(lambda *values: crf_log_partition(*values, case.lengths), case.leaves())
    assert gradcheck(lambda *values: crf_nll(*values, case.gold, case.lengths), case.leaves())
    found = gradients(lambda *values: crf_log_partition(*values, case.lengths), case.leaves())
    assert float(found[1].sum()) == pytest.approx(7 - 3)
    assert not found[1][:, 0].any(), "no transition leads to the first token"


@for_each(garbage=[float("nan"), float("inf"), 1e30])
def test_transitions_into_the_padding_and_into_the_first_token_are_not_read(garbage):
    found = []
    for value in (0.0, garbage):
        case = problem(3, [4, 1, 2], extra=2, per_position=True)
        case.emissions[~case.inside] = value
        case.transitions[~case.inside] = value
        case.transitions[:, 0] = value
        found.append(gradients(lambda *values: crf_nll(*values, case.gold, case.lengths), case.leaves()))  # noqa: B023
        found[-1] += [*crf_decode(*case.arguments), crf_marginals(*case.arguments)]
    for clean, dirty in zip(*found, strict=True):
        assert torch.equal(clean, dirty)


def test_constraints_hold_for_the_transitions_of_each_token():
    case, allowed = problem(4, [5, 2], per_position=True), bio_allowed()
    torch.testing.assert_close(crf_log_partition(*case.arguments, allowed=allowed), case.log_partition(allowed))
    tags, scores = crf_decode(*case.arguments, allowed=allowed)
    assert permitted(tags[:1], allowed).all() and permitted(tags[1:, :2], allowed).all()
    assert float(scores[0]) == pytest.approx(float(case.paths(0, allowed)[1].max()))
