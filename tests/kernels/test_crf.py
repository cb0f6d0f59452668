"""The linear-chain CRF against a list of all paths, free and under constraints, and against another library."""

import pytest
import torch
from crf_problem import INFINITY, bio_allowed, examples, permitted, problem, problems
from hypothesis import given
from hypothesis import strategies as st
from implementations import FLOATS, everywhere, for_each, once

# float32 results are compared with float64 sums of the same float32 potentials.
TOLERANCE = {torch.float32: {"rtol": 2e-6, "atol": 5e-6}, torch.float64: {"rtol": 1e-10, "atol": 1e-10}}
shares = st.sampled_from([None, 0.0, 0.5, 0.9])  # of the transitions that are allowed; None: without constraints


def draw(problem_drawn, share, dtype):
    """Return a problem and the transitions that it allows."""
    case = problem(**problem_drawn, dtype=dtype)
    generator = torch.Generator().manual_seed(problem_drawn["seed"])
    random = torch.rand(case.tags + 1, case.tags, generator=generator)
    return case, None if share is None else random < share


@examples
@given(problems, shares)
@everywhere
@for_each(dtype=FLOATS)
def test_sums_and_probabilities_are_those_of_all_allowed_paths(operations, dtype, drawn, share):
    case, allowed = draw(drawn, share, dtype)
    partition = operations.crf_log_partition(*case.arguments, allowed=allowed)
    assert partition.dtype == dtype
    torch.testing.assert_close(partition.double(), case.log_partition(allowed).double(), **TOLERANCE[dtype])
    marginals = operations.crf_marginals(*case.arguments, allowed=allowed)
    assert marginals.dtype == dtype
    tolerance = 2e-6 if dtype == torch.float32 else 1e-11
    torch.testing.assert_close(marginals.double(), case.marginals(allowed), rtol=0, atol=tolerance)
    loss = operations.crf_nll(*case.with_gold, allowed=allowed).double()
    for row, length in enumerate(case.lengths.tolist()):
        gold = case.gold[row : row + 1, :length]
        if allowed is None or permitted(gold, allowed).all():
            expected = case.log_partition(allowed)[row].double() - case.scores(row, gold)[0]
            torch.testing.assert_close(loss[row], expected, **TOLERANCE[dtype])
        else:
            assert loss[row] == INFINITY


@examples
@given(problems, shares, st.sampled_from([2, 5, 40]))
@everywhere
@for_each(dtype=FLOATS)
def test_decoding_gives_the_best_allowed_paths_each_once_and_their_scores(operations, dtype, drawn, share, nbest):
    case, allowed = draw(drawn, share, dtype)
    tags, scores = operations.crf_decode(*case.arguments, allowed=allowed)
    several, their_scores = operations.crf_decode(*case.arguments, allowed=allowed, nbest=nbest)
    assert tags.dtype == torch.int64 and scores.dtype == dtype
    assert torch.equal(tags >= 0, case.inside) and torch.equal(tags == -1, ~case.inside)
    assert several.shape == (len(case.lengths), nbest, case.emissions.shape[1])
    for sentence, length in enumerate(case.lengths.tolist()):
        ordered = case.paths(sentence, allowed)[1].sort(descending=True).values[:nbest]
        count = len(ordered)
        paths = several[sentence, :count, :length]
        assert len(set(map(tuple, paths.tolist()))) == count, "no path comes twice"
        torch.testing.assert_close(case.scores(sentence, paths), ordered, **TOLERANCE[dtype])
        torch.testing.assert_close(their_scores[sentence, :count].double(), ordered, **TOLERANCE[dtype])
        assert (their_scores[sentence, count:] == -INFINITY).all() and (several[sentence, count:] == -1).all()
        assert (several[sentence, :, length:] == -1).all()
        if count == 0:
            assert scores[sentence] == -INFINITY
            continue
        best = tags[sentence : sentence + 1, :length]
        torch.testing.assert_close(case.scores(sentence, best)[0], ordered[0], **TOLERANCE[dtype])
        torch.testing.assert_close(scores[sentence].double(), ordered[0], **TOLERANCE[dtype])
        if allowed is not None:
            assert permitted(best, allowed).all() and permitted(paths, allowed).all()


@everywhere
def test_of_equally_good_paths_all_implementations_choose_the_one_with_the_lowest_last_tag(operations):
    """Zeros, and small whole numbers, make many ties and no rounding."""
    for dtype in FLOATS:
        lengths = [4, 1, 3, 0] * 5
        emissions, transitions, side = (torch.zeros(*shape, dtype=dtype) for shape in ((20, 4, 9), (9, 9), (9,)))
        tags, scores = operations.crf_decode(emissions, transitions, side, side, torch.tensor(lengths))
        assert tags.tolist() == [[0] * length + [-1] * (4 - length) for length in lengths]
        assert not scores.any()
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


@everywhere
@for_each(tags=[9, 33])
def test_no_random_path_scores_higher_than_the_decoded_one(operations, tags):
    case = problem(tags, [40, 17, 1], dtype=torch.float32)
    _, best = operations.crf_decode(*case.arguments)
    generator = torch.Generator().manual_seed(1)
    for sentence, length in enumerate(case.lengths.tolist()):
        paths = torch.randint(0, tags, (1000, length), generator=generator)
        # As many scores are added as there are tokens: each rounds the float32 sum.
        assert case.scores(sentence, paths).max() <= float(best[sentence]) + 1e-6 * length


@everywhere
@for_each(tags=[9, 17, 33])
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


@everywhere
@for_each(dtype=FLOATS)
def test_bio_is_obeyed_however_much_the_emissions_speak_against_it(operations, dtype):
    case, allowed = problem(4, [5, 1], dtype=dtype), bio_allowed()
    case.emissions[:, :, 2] = 1e6
    tags, _ = operations.crf_decode(*case.arguments, allowed=allowed)
    assert tags[0].tolist() == [1, 2, 2, 2, 2]
    assert tags[1, 0] != 2 and (tags[1, 1:] == -1).all()
    several, scores = operations.crf_decode(*case.arguments, allowed=allowed, nbest=8)
    assert permitted(several[0][scores[0] > -INFINITY], allowed).all()


@once
def test_pytorch_crf_finds_paths_of_the_same_score_and_the_same_likelihoods(operations):
    torchcrf = pytest.importorskip("torchcrf")
    case = problem(9, [40, 1, 23, 40, 7], dtype=torch.float32)
    peer = torchcrf.CRF(9, batch_first=True)
    parameters = peer.transitions, peer.start_transitions, peer.end_transitions
    for parameter, value in zip(parameters, case.potentials[1:], strict=True):
        parameter.data = value
    tags, scores = operations.crf_decode(*case.arguments)
    for sentence, path in enumerate(peer.decode(case.emissions, mask=case.inside)):
        theirs, length = float(case.scores(sentence, torch.tensor([path]))[0]), len(path)
        ours = float(case.scores(sentence, tags[sentence : sentence + 1, :length])[0])
        assert [ours, float(scores[sentence])] == pytest.approx([theirs] * 2, abs=1e-4 * length)
    likelihood = peer(case.emissions, case.gold, mask=case.inside, reduction="none").detach()
    torch.testing.assert_close(operations.crf_nll(*case.with_gold), -likelihood, rtol=1e-5, atol=1e-4)
