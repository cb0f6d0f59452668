"""The probability that a stretch carries given tags and then ends, against a list of all paths."""

import pytest
import torch
from crf_problem import INFINITY, examples, problem, problems
from hypothesis import given
from hypothesis import strategies as st
from implementations import FLOATS, everywhere, for_each
from torch import Tensor

from cman.kernels import crf_span_marginals, reference


def expected(case, spans: Tensor, next_tags: Tensor) -> Tensor:
    """Return the mass of the paths with a stretch's tags and without its next one, in float64."""
    result = []
    for (sentence, first, after), onward in zip(spans.tolist(), next_tags.tolist(), strict=True):
        paths, scores = case.paths(sentence)
        counted = (paths[:, first:after] == case.gold[sentence, first:after]).all(1)
        if after < int(case.lengths[sentence]):
            counted &= paths[:, after] != onward
        probabilities = scores.softmax(0) if scores.max() > -INFINITY else torch.zeros_like(scores)
        result.append(probabilities[counted].sum())
    return torch.stack(result) if result else torch.zeros(0, dtype=torch.float64)


@st.composite
def stretches(draw):
    """Return a problem, as arguments of `problem`, and two stretches of each sentence that has tokens, in any order."""
    drawn = draw(problems)
    rows = []
    for sentence, length in enumerate(drawn["lengths"]):
        for _ in range(2 if length else 0):
            first = draw(st.integers(0, length - 1))
            after, onward = draw(st.integers(first + 1, length)), draw(st.integers(-1, drawn["tags"] - 1))
            rows.append((sentence, first, after, onward))
    table = torch.tensor(draw(st.permutations(rows)), dtype=torch.int64).view(-1, 4)
    return drawn, table[:, :3], table[:, 3]


@examples
@given(stretches(), st.sampled_from([0.0, 0.3, 1.0]))
@everywhere
@for_each(dtype=FLOATS)
def test_a_span_marginal_is_the_mass_of_the_paths_with_its_tags_and_without_the_next_one(operations, dtype, drawn, cut):
    """Transitions of minus infinity are forbidden; where they leave a sentence no path, nothing has a probability."""
    arguments, spans, next_tags = drawn
    case = problem(**arguments, dtype=dtype)
    random = torch.rand(case.transitions.shape, generator=torch.Generator().manual_seed(arguments["seed"]))
    case.transitions[random < cut] = -INFINITY
    found = operations.crf_span_marginals(*case.arguments, spans, case.gold, next_tags)
    assert found.dtype == dtype
    tolerance = 3e-6 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(found.double(), expected(case, spans, next_tags), rtol=0, atol=tolerance)


@examples
@given(stretches())
def test_so_it_is_for_transitions_of_each_token(drawn):
    arguments, spans, next_tags = drawn
    case = problem(**arguments, per_position=True)
    found = crf_span_marginals(*case.arguments, spans, case.gold, next_tags)
    torch.testing.assert_close(found, expected(case, spans, next_tags), rtol=0, atol=1e-10)


@everywhere
@for_each(tags=[9, 40])
def test_long_sentences_and_scores_far_apart_give_what_float64_gives_in_plain_pytorch(operations, tags):
    case = problem(tags, [90, 1, 40], dtype=torch.float32)
    spans = torch.tensor([[0, 0, 90], [0, 80, 90], [0, 50, 51], [1, 0, 1], [2, 38, 40], [0, 7, 9]])
    next_tags = torch.tensor([0, -1, 3, 2, 1, -1])
    for scale in (1.0, 300.0):
        case.emissions *= scale
        path = operations.crf_decode(*case.arguments)[0]
        found = operations.crf_span_marginals(*case.arguments, spans, path, next_tags)
        wide = case.to(torch.float64)
        exact = reference.crf_span_marginals(*wide.arguments, spans, path, next_tags)
        tolerance = 1e-3 if operations.is_reference and scale > 1 else 1e-5  # whose messages are float32
        torch.testing.assert_close(found.double(), exact, rtol=0, atol=tolerance)


@everywhere
def test_span_marginals_of_no_span_are_empty(operations):
    nothing = torch.zeros(0, dtype=torch.int64)
    for lengths in ([2], [], [0]):
        case = problem(3, lengths)
        assert operations.crf_span_marginals(*case.arguments, nothing.view(0, 3), case.gold, nothing).shape == (0,)


@everywhere
@for_each(garbage=[float("nan"), 1e30])
def test_span_marginals_do_not_read_the_padding(operations, garbage):
    spans, onward = torch.tensor([[0, 1, 3], [2, 0, 2], [1, 0, 1]]), torch.tensor([2, 1, 0])
    results = []
    for value in (0.0, garbage):
        case = problem(3, [4, 1, 2], extra=2)
        case.emissions[~case.inside] = value
        results.append(operations.crf_span_marginals(*case.arguments, spans, case.gold, onward))
    assert torch.equal(*results)


@everywhere
def test_span_marginals_have_a_gradient(operations):
    case = problem(3, [4, 2])
    leaves = case.leaves()
    spans, onward = torch.tensor([[0, 1, 3], [1, 0, 2]]), torch.tensor([2, -1])
    operations.crf_span_marginals(*leaves, case.lengths, spans, case.gold, onward).sum().backward()
    assert all(leaf.grad is not None and leaf.grad.isfinite().all() for leaf in leaves)
    with pytest.raises(ValueError, match=r"^next_tag: got values from 3 to 3"):
        crf_span_marginals(*case.arguments, spans[:1], case.gold, torch.tensor([3]))
