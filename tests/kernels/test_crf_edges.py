"""The CRF at the edges of its domain: numbers of tags, one token, huge scores, long sentences."""

from functools import cache

import pytest
import torch
from crf_problem import gradients, problem
from implementations import everywhere, for_each, implementations, once

from cman.kernels import reference

TAGS = (1, 2, 3, 9, 12, 13, 15, 16, 17, 32, 33, 64, 100)
every_on_cpu = implementations("reference", "portable", "avx2", "avx512")


def assert_near(actual, exact, atol=5e-6, rtol=2e-6):
    torch.testing.assert_close(actual.double(), exact.double(), rtol=rtol, atol=atol)


@cache
def case_of(tags):
    """Return a case, and what plain PyTorch gives for it in float64."""
    case = problem(tags, [12, 1, 7, 0, 3], dtype=torch.float32, extra=1)
    wide = case.to(torch.float64)
    exact = {
        "log-partition": reference.crf_log_partition(*wide.arguments),
        "marginals": reference.crf_marginals(*wide.arguments),
        "decoded": reference.crf_decode(*wide.arguments),
        "n best": reference.crf_decode(*wide.arguments, nbest=4)[0],
        "gradients": gradients(lambda *values: reference.crf_nll(*values, case.gold, case.lengths), wide.leaves()),
    }
    return case, exact


@everywhere
@for_each(tags=TAGS)
def test_every_number_of_tags_gives_what_plain_pytorch_gives_in_double_precision(operations, tags):
    case, exact = case_of(tags)
    assert_near(operations.crf_log_partition(*case.arguments), exact["log-partition"])
    assert_near(operations.crf_marginals(*case.arguments), exact["marginals"], atol=2e-6, rtol=0)
    path, scores = operations.crf_decode(*case.arguments)
    assert torch.equal(path, exact["decoded"][0])
    assert_near(scores, exact["decoded"][1])
    assert torch.equal(operations.crf_decode(*case.arguments, nbest=4)[0], exact["n best"])
    grads = gradients(lambda *values: operations.crf_nll(*values, case.gold, case.lengths), case.leaves())
    for single, double in zip(grads, exact["gradients"], strict=True):
        assert_near(single, double, atol=1e-5, rtol=1e-5)


@everywhere
def test_a_single_tag_has_one_path_of_probability_one(operations):
    case = problem(1, [3, 1], dtype=torch.float32)
    grads = gradients(lambda *values: operations.crf_nll(*values, case.gold, case.lengths), case.leaves())
    assert operations.crf_nll(*case.with_gold).tolist() == pytest.approx([0, 0], abs=2e-6)
    assert all(torch.allclose(grad, torch.zeros_like(grad), atol=2e-6) for grad in grads)
    assert operations.crf_decode(*case.arguments)[0].tolist() == [[0, 0, 0], [0, -1, -1]]
    assert operations.crf_decode(*case.arguments, nbest=2)[0].tolist()[1] == [[0, -1, -1], [-1, -1, -1]]


@everywhere
@for_each(tags=[4, 20])
def test_a_single_token_uses_start_emission_and_end_alone(operations, tags):
    case = problem(tags, [1], dtype=torch.float32)
    unary = (case.start + case.emissions[0, 0] + case.end).double()
    assert float(operations.crf_log_partition(*case.arguments)) == pytest.approx(float(unary.logsumexp(0)), abs=2e-6)
    assert_near(operations.crf_marginals(*case.arguments)[0, 0], unary.softmax(0), atol=2e-6, rtol=0)
    assert int(operations.crf_decode(*case.arguments)[0]) == int(unary.argmax())


@cache
def huge(tags, dtype):
    """Return a case with emissions of 10,000 and their exact log-partition."""
    case = problem(tags, [4096, 4095], dtype=dtype)
    case.emissions = case.emissions.sign() * 1e4
    return case, reference.crf_log_partition(*case.to(torch.float64).arguments)


@every_on_cpu
@for_each(kind=[(5, torch.float32), (5, torch.float64), (20, torch.float32)])
def test_huge_emissions_over_4096_tokens_stay_finite(operations, kind):
    case, exact = huge(*kind)
    leaves = case.leaves()
    total = operations.crf_log_partition(*leaves, case.lengths)
    total.sum().backward()
    assert all(torch.isfinite(leaf.grad).all() for leaf in leaves)
    assert_near(total.detach(), exact, rtol=1e-6, atol=0)
    path, score = operations.crf_decode(*case.arguments)
    chosen = case.emissions.gather(2, path.clamp(min=0).unsqueeze(2)).squeeze(2)
    best = case.emissions.amax(2)
    assert torch.equal(chosen[case.inside], best[case.inside]), "emissions of 10,000 outweigh moves of 1"
    for row, length in enumerate(case.lengths.tolist()):
        own = float(case.scores(row, path[row : row + 1, :length])[0])
        # Viterbi adds 4096 times to a sum that reaches 4e7, whose unit in the last place is 4 in float32.
        assert float(score[row]) == pytest.approx(own, rel=4e-5 if kind[1] == torch.float32 else 1e-12)


@cache
def long(length, scale):
    """Return a case in float32 and its exact marginals."""
    case = problem(9, [length, length - 3], dtype=torch.float32, scale=scale)
    return case, reference.crf_marginals(*case.to(torch.float64).arguments)


@every_on_cpu
@for_each(kind=[(500, 10.0), (2000, 1.0), (2000, 1e4), (4096, 1e-3)])
def test_single_precision_marginals_of_a_long_sentence_are_those_of_double_precision(operations, kind):
    case, exact = long(*kind)
    grads = gradients(lambda *values: operations.crf_log_partition(*values, case.lengths), case.leaves())
    # Near a tie, probabilities of emissions of 1e4 follow scores with a rounding of 1e-3.
    tolerance = 1e-3 if kind[1] == 1e4 else 2e-5
    for marginals in (grads[0], operations.crf_marginals(*case.arguments)):
        assert_near(marginals, exact, rtol=0, atol=tolerance)


@every_on_cpu
@for_each(top=[30.0, 100.0, 1e4])
def test_transitions_of_any_size_give_what_they_give_in_double_precision(operations, top):
    """Where exponentials of scores leave the range of float32, as those of penalties of -10,000 do."""
    case = problem(6, [30, 17, 2, 1], dtype=torch.float32)
    generator = torch.Generator().manual_seed(2)
    case.transitions = (torch.rand(6, 6, generator=generator) - 0.5) * 2 * top
    case.start = torch.tensor([0.0, -top, top, 0.0, 1.0, -1.0])
    wide = case.to(torch.float64).arguments
    assert_near(operations.crf_log_partition(*case.arguments), reference.crf_log_partition(*wide), atol=1e-5)
    # Sums of scores up to 30 * top are rounded to 6e-8 of themselves.
    marginals = operations.crf_marginals(*case.arguments)
    assert_near(marginals, reference.crf_marginals(*wide), rtol=0, atol=max(2e-6, 2e-6 * top))
    tags, best = operations.crf_decode(*case.arguments)[0], reference.crf_decode(*wide)[1]
    for row, length in enumerate(case.lengths.tolist()):
        score = float(case.scores(row, tags[row : row + 1, :length])[0])
        assert score == pytest.approx(float(best[row]), rel=1e-6, abs=1e-5)


@every_on_cpu
def test_a_sentence_with_huge_scores_does_not_spoil_the_others_of_its_group(operations):
    case = problem(9, [20] * 16, dtype=torch.float32)
    alone = operations.crf_marginals(*case.arguments)
    case.emissions[5] *= 1e4
    case.emissions[11] *= 1e-4
    marginals = operations.crf_marginals(*case.arguments)
    others = [row for row in range(16) if row not in (5, 11)]
    assert_near(marginals[others], alone[others], rtol=0, atol=2e-6)
    assert_near(marginals.sum(2), torch.ones(16, 20), rtol=0, atol=2e-6)


@once
def test_nan_in_a_sentence_stays_in_its_own_results(operations):
    case = problem(5, [6] * 16, dtype=torch.float32)
    clean = operations.crf_log_partition(*case.arguments)
    case.emissions[3, 2, 1] = float("nan")
    total = operations.crf_log_partition(*case.arguments)
    assert torch.isnan(total[3])
    others = torch.arange(16) != 3
    assert_near(total[others], clean[others], rtol=1e-6, atol=1e-6)
