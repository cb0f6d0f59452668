"""`torch.compile`: one graph of every operation, valid for every length, forwards and backwards."""

import pytest
import torch
from crf_problem import bio_allowed, problem
from implementations import compiled_on_cpu, compiled_only
from pair_problem import pairs
from torch._dynamo.testing import CompileCounterWithBackend

from cman import kernels

# In the first batch all sizes differ: where two are equal, the compiler takes them for the same one.
LENGTHS = ([9, 3, 6], [7, 2], [4, 0, 1, 3, 2, 2, 1], [11, 6, 11])


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def compile_once(function, device, backend="aot_eager"):
    """Return a compiled function of tensors on the CPU, and the number of its graphs."""
    counter = CompileCounterWithBackend(backend)
    compiled = torch.compile(function, fullgraph=True, dynamic=True, backend=counter)

    def called(*arguments):
        results = compiled(*(value.to(device) for value in arguments))
        return tuple(value.cpu() for value in results)

    return called, counter


def crf_step(emissions, transitions, start, end, gold, lengths, allowed):
    """What a model does around the operations: emissions come out of one layer, the loss goes into a sum."""
    emissions = emissions * 2 - 1
    loss = kernels.crf_nll(emissions, transitions, start, end, gold, lengths)
    total = kernels.crf_log_partition(emissions, transitions, start, end, lengths, allowed=allowed)
    return loss.mean() + total.sum(), loss


def crf_prediction(emissions, transitions, start, end, lengths, allowed):
    tags, scores = kernels.crf_decode(emissions, transitions, start, end, lengths, allowed=allowed)
    several, _ = kernels.crf_decode(emissions, transitions, start, end, lengths, nbest=2)
    marginals = kernels.crf_marginals(emissions, transitions, start, end, lengths)
    return tags + 1, scores, several, marginals.sum(2)


def pairs_step(a, c, V, bias, gold, lengths):
    scores = kernels.pair_scores(a.tanh(), c, V, bias, lengths)
    loss = kernels.pair_bce(a, c.tanh(), V, bias, gold, lengths, pos_weight=2.0)
    return scores.square().mean() + loss.sum(), loss


def pairs_prediction(a, c, V, bias, anchors, lengths):
    cells, scores = kernels.pair_select(a, c, V, bias, anchors, lengths, 0.5)
    return cells * 2, scores.sigmoid()


def crf_cases(dtype=torch.float32):
    for seed, lengths in enumerate(LENGTHS):
        case = problem(4, lengths, seed=seed, dtype=dtype)
        yield case.leaves(), (case.gold, case.lengths, bio_allowed())


def pair_cases(dtype=torch.float32):
    for seed, lengths in enumerate(LENGTHS):
        case = pairs(lengths, size=6, labels=2, seed=seed, dtype=dtype)
        yield case.leaves(), (case.gold(8 + seed), case.lengths)


def assert_same_training(step, cases, device, backend="aot_eager"):
    """Compare losses and gradients with those of the step as it is, and let nothing be compiled after the first batch.

    The graph of the backward pass counts as none of its own.
    """
    torch._dynamo.reset()
    compiled, counter = compile_once(step, device, backend)
    for index, (leaves, rest) in enumerate(cases()):
        others = [leaf.detach().clone().requires_grad_() for leaf in leaves]
        expected = step(*leaves, *rest)
        expected[0].backward()
        with torch._dynamo.config.patch(error_on_recompile=index > 0):
            results = compiled(*others, *rest)
            results[0].backward()
        for one, other in zip(results, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        for leaf, other in zip(leaves, others, strict=True):
            torch.testing.assert_close(other.grad, leaf.grad, rtol=1e-5, atol=1e-5)
    assert counter.frame_count == 1


@compiled_only
def test_training_is_one_graph_for_all_lengths(operations):
    assert_same_training(crf_step, crf_cases, operations.device)
    assert_same_training(pairs_step, pair_cases, operations.device)


@compiled_only
def test_prediction_is_one_graph_for_all_lengths(operations):
    decoded, decoding = compile_once(crf_prediction, operations.device)
    for seed, lengths in enumerate(LENGTHS):
        case = problem(4, lengths, seed=seed, dtype=torch.float32)
        arguments = *case.arguments, bio_allowed()
        for actual, expected in zip(decoded(*arguments), crf_prediction(*arguments), strict=True):
            torch.testing.assert_close(actual, expected)
    assert decoding.frame_count == 1


@compiled_only
def test_selection_is_one_graph_however_many_cells_there_are(operations):
    selected, selecting = compile_once(pairs_prediction, operations.device)
    sizes = set()
    for seed, lengths in enumerate(LENGTHS):
        case = pairs(lengths, size=6, labels=2, seed=seed, dtype=torch.float32)
        arguments = *case.arguments[:4], case.anchors(0.8, seed), case.lengths
        (cells, scores), (expected_cells, expected_scores) = selected(*arguments), pairs_prediction(*arguments)
        assert torch.equal(cells, expected_cells)
        torch.testing.assert_close(scores, expected_scores)
        sizes.add(len(cells))
    assert selecting.frame_count == 1 and len(sizes) > 1


@compiled_on_cpu
def test_errors_come_out_of_a_compiled_graph_as_they_are(operations):
    compiled, _ = compile_once(crf_step, operations.device)
    (leaves, (gold, lengths, allowed)), *_ = crf_cases()
    compiled(*leaves, gold, lengths, allowed)
    with pytest.raises(ValueError, match=r"^lengths: got values"):
        compiled(*leaves, gold, lengths + 9, allowed)


@compiled_only
def test_half_precision_is_compiled_too(operations):
    """Under autocast, as a model's training step is."""

    def step(features, weight, transitions, start, end, gold, lengths):
        with torch.autocast(operations.device, torch.bfloat16):
            emissions = features @ weight
            loss = kernels.crf_nll(emissions, transitions, start, end, gold, lengths)
        return (loss,)

    case = problem(4, [5, 3], dtype=torch.float32)
    features, weight = torch.randn(2, 5, 8), torch.randn(8, 4).requires_grad_()
    arguments = features, weight, *case.potentials[1:], case.gold, case.lengths
    compiled, _ = compile_once(step, operations.device)
    (loss,), (expected,) = compiled(*arguments), step(*(value.to(operations.device) for value in arguments))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected.cpu())
    loss.sum().backward()
    assert torch.isfinite(weight.grad).all() and weight.grad.any()


def small_step(emissions, transitions, start, end, gold, lengths, allowed):
    return (kernels.crf_nll(emissions * 2, transitions, start, end, gold, lengths).sum(),)


@pytest.mark.slow
@compiled_only
def test_inductor_compiles_training(operations):
    assert_same_training(small_step, crf_cases, operations.device, "inductor")
