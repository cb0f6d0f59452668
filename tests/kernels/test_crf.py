"""The linear-chain CRF against a list of all paths."""

import pytest
import torch
from crf_problem import INFINITY, examples, problem, problems
from hypothesis import given
from implementations import once

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
# float32 results are compared with float64 sums of the same float32 potentials.
TOLERANCE = {
    torch.float32: {"rtol": 2e-6, "atol": 5e-6},
    torch.float64: {"rtol": 1e-10, "atol": 1e-10},
}


@DTYPES
@examples
@given(problems)
def test_the_log_partition_sums_over_all_paths(operations, dtype, drawn):
    case = problem(**drawn, dtype=dtype)
    result = operations.crf_log_partition(*case.arguments)
    assert result.dtype == dtype
    torch.testing.assert_close(result.double(), case.log_partition(), **TOLERANCE[dtype])


@DTYPES
@examples
@given(problems)
def test_the_decoded_path_has_the_best_score_of_all_paths_and_this_score_is_returned(operations, dtype, drawn):
    case = problem(**drawn, dtype=dtype)
    tags, scores = operations.crf_decode(*case.arguments)
    assert tags.dtype == torch.int64 and scores.dtype == dtype
    assert torch.equal(tags >= 0, case.inside) and torch.equal(tags == -1, ~case.inside)
    for sentence, length in enumerate(case.lengths.tolist()):
        best = case.paths(sentence)[1].max()
        path = tags[sentence : sentence + 1, :length]
        torch.testing.assert_close(case.scores(sentence, path)[0], best, **TOLERANCE[dtype])
        torch.testing.assert_close(scores[sentence].double(), best, **TOLERANCE[dtype])


@DTYPES
@pytest.mark.parametrize("nbest", [2, 5, 40])
@examples
@given(problems)
def test_the_n_best_paths_are_the_first_of_all_paths_by_score(operations, dtype, nbest, drawn):
    case = problem(**drawn, dtype=dtype)
    tags, scores = operations.crf_decode(*case.arguments, nbest=nbest)
    assert tags.shape == (len(case.lengths), nbest, case.emissions.shape[1])
    for sentence, length in enumerate(case.lengths.tolist()):
        ordered = case.paths(sentence)[1].sort(descending=True).values[:nbest]
        count = len(ordered)
        found = tags[sentence, :count, :length]
        assert len(set(map(tuple, found.tolist()))) == count, "no path comes twice"
        torch.testing.assert_close(case.scores(sentence, found), ordered, **TOLERANCE[dtype])
        torch.testing.assert_close(scores[sentence, :count].double(), ordered, **TOLERANCE[dtype])
        assert (scores[sentence, count:] == -INFINITY).all() and (tags[sentence, count:] == -1).all()
        assert (tags[sentence, :, length:] == -1).all()


@DTYPES
@examples
@given(problems)
def test_marginals_are_the_probability_mass_of_the_paths_through_a_tag(operations, dtype, drawn):
    case = problem(**drawn, dtype=dtype)
    result = operations.crf_marginals(*case.arguments)
    assert result.dtype == dtype
    tolerance = {torch.float32: 2e-6, torch.float64: 1e-11}[dtype]
    torch.testing.assert_close(result.double(), case.marginals(), rtol=0, atol=tolerance)


@DTYPES
@examples
@given(problems)
def test_the_nll_is_minus_the_log_probability_of_the_gold_path(operations, dtype, drawn):
    case = problem(**drawn, dtype=dtype)
    result = operations.crf_nll(*case.with_gold)
    lengths = case.lengths.tolist()
    own = [case.scores(row, case.gold[row : row + 1, :length])[0] for row, length in enumerate(lengths)]
    torch.testing.assert_close(result.double(), case.log_partition() - torch.stack(own), **TOLERANCE[dtype])


@DTYPES
def test_ties_go_to_the_lowest_tag_everywhere_in_the_path(operations, dtype):
    lengths = [4, 1, 3, 0] * 5
    emissions, transitions, side = (torch.zeros(*shape, dtype=dtype) for shape in ((20, 4, 9), (9, 9), (9,)))
    tags, scores = operations.crf_decode(emissions, transitions, side, side, torch.tensor(lengths))
    assert tags.tolist() == [[0] * length + [-1] * (4 - length) for length in lengths]
    assert not scores.any()


def test_of_equally_good_paths_all_implementations_choose_the_same(operations):
    """Small whole numbers make many ties and no rounding; the last token's tag is the lowest first."""
    generator = torch.Generator().manual_seed(0)
    emissions, transitions = (torch.randint(0, 3, shape, generator=generator).float() for shape in ((8, 5, 4), (4, 4)))
    side, lengths = torch.zeros(4), torch.tensor([5, 4, 3, 2, 1, 5, 0, 5])
    tags, _ = operations.crf_decode(emissions, transitions, side, side, lengths)
    case = problem(4, lengths.tolist())
    case.emissions, case.transitions, case.start, case.end = emissions, transitions, side, side
    for sentence, length in enumerate(lengths.tolist()):
        paths, scores = case.paths(sentence)
        best = paths[scores == scores.max()].tolist()
        assert tags[sentence, :length].tolist() == min(best, key=lambda path: path[::-1])


@pytest.mark.parametrize("tags", [9, 33])
def test_no_random_path_scores_higher_than_the_decoded_one(operations, tags):
    case = problem(tags, [40, 17, 1], dtype=torch.float32)
    _, best = operations.crf_decode(*case.arguments)
    generator = torch.Generator().manual_seed(1)
    for sentence, length in enumerate(case.lengths.tolist()):
        paths = torch.randint(0, tags, (1000, length), generator=generator)
        # As many scores are added as there are tokens: each rounds the float32 sum.
        assert case.scores(sentence, paths).max() <= float(best[sentence]) + 1e-6 * length


@once
def test_pytorch_crf_finds_paths_of_the_same_score_and_the_same_likelihoods(operations):
    torchcrf = pytest.importorskip("torchcrf")
    case = problem(9, [40, 1, 23, 40, 7], dtype=torch.float32)
    peer = torchcrf.CRF(9, batch_first=True)
    peer.transitions.data, peer.start_transitions.data, peer.end_transitions.data = (
        case.transitions,
        case.start,
        case.end,
    )
    tags, scores = operations.crf_decode(*case.arguments)
    for sentence, path in enumerate(peer.decode(case.emissions, mask=case.inside)):
        theirs = float(case.scores(sentence, torch.tensor([path]))[0])
        length = len(path)
        assert float(scores[sentence]) == pytest.approx(theirs, abs=1e-4 * length)
        ours = float(case.scores(sentence, tags[sentence : sentence + 1, :length])[0])
        assert ours == pytest.approx(theirs, abs=1e-4 * length)
    likelihood = peer(case.emissions, case.gold, mask=case.inside, reduction="none").detach()
    torch.testing.assert_close(operations.crf_nll(*case.with_gold), -likelihood, rtol=1e-5, atol=1e-4)
