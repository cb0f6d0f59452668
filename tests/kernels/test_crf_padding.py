"""CRF operations on batches as they come: padding, empty sentences, empty batches, order and strides."""

import math

import torch
from crf_problem import INFINITY, bio_allowed, problem
from implementations import FLOATS, everywhere, for_each, once

LENGTHS = [4, 1, 0, 2] + [3] * 14  # more than the widest registers hold, with a group that is not full


def results(operations, case, allowed=None):
    """Return all results and gradients, by name."""
    leaves = case.leaves()
    nll = operations.crf_nll(*leaves, case.gold, case.lengths, allowed=allowed)
    nll[torch.isfinite(nll)].sum().backward()
    # Without any token, autograd may leave out what nothing depends on.
    grads = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
    tags, scores = operations.crf_decode(*case.arguments, allowed=allowed)
    several, their_scores = operations.crf_decode(*case.arguments, allowed=allowed, nbest=3)
    return {
        "nll": nll.detach(),
        "tags": tags,
        "scores": scores,
        "n best": several,
        "their scores": their_scores,
        "log-partition": operations.crf_log_partition(*case.arguments, allowed=allowed),
        "marginals": operations.crf_marginals(*case.arguments, allowed=allowed),
        "emissions": grads[0],
        "transitions": grads[1],
        "start": grads[2],
        "end": grads[3],
    }


@everywhere
@for_each(garbage=[math.nan, INFINITY, -INFINITY, 1e30])
@for_each(dtype=FLOATS)
@for_each(tags=[4, 17])
def test_what_stands_in_the_padding_never_matters(operations, tags, dtype, garbage):
    found = []
    for value in (0.0, garbage):
        case = problem(tags, LENGTHS, dtype=dtype, extra=2)
        case.emissions[~case.inside] = value
        case.gold[~case.inside] = 0 if value == 0 else -100
        found.append(results(operations, case))
    for name, clean in found[0].items():
        operations.assert_same(found[1][name], clean, name)
    assert not found[1]["emissions"][~case.inside].any()


@everywhere
@for_each(tags=[4, 17])
@for_each(constrained=[False, True])
def test_a_batch_gives_what_its_sentences_give_alone(operations, tags, constrained):
    case = problem(tags, LENGTHS, extra=2, dtype=torch.float32)
    allowed = torch.ones(tags + 1, tags, dtype=torch.bool)
    if constrained:
        allowed[[0, 2, 3], [1, 0, 2]] = False
    together = results(operations, case, allowed)
    summed = {name: torch.zeros_like(together[name]) for name in ("transitions", "start", "end")}
    for row, length in enumerate(LENGTHS):
        alone = results(operations, case.alone(row), allowed)
        assert torch.equal(alone["tags"][0], together["tags"][row, :length])
        assert torch.equal(alone["n best"][0], together["n best"][row, :, :length])
        for name in ("nll", "scores", "their scores", "log-partition"):
            torch.testing.assert_close(alone[name][0], together[name][row], rtol=2e-6, atol=5e-6)
        for name in ("marginals", "emissions"):
            torch.testing.assert_close(alone[name][0], together[name][row, :length], rtol=0, atol=2e-6)
        for name in summed:
            summed[name] += alone[name]
    for name, total in summed.items():
        torch.testing.assert_close(total, together[name], rtol=1e-5, atol=1e-5)


@everywhere
def test_the_order_of_the_sentences_does_not_matter(operations):
    case = problem(9, LENGTHS, dtype=torch.float32)
    order = torch.randperm(len(LENGTHS), generator=torch.Generator().manual_seed(0))
    straight, mixed = results(operations, case), results(operations, case.pick(order))
    for name in ("tags", "n best"):
        assert torch.equal(mixed[name], straight[name][order])
    for name in ("nll", "scores", "their scores", "log-partition", "marginals", "emissions"):
        torch.testing.assert_close(mixed[name], straight[name][order], rtol=2e-6, atol=5e-6)
    for name in ("transitions", "start", "end"):
        torch.testing.assert_close(mixed[name], straight[name], rtol=1e-5, atol=1e-5)


def strided(tensor):
    """Return the same values as every second element of a larger tensor, in the opposite order of dimensions."""
    wide = torch.full([2 * size for size in tensor.shape], -99, dtype=tensor.dtype)
    if tensor.dtype.is_floating_point:
        wide.fill_(math.nan)
    turned = wide.permute(*reversed(range(tensor.dim()))).contiguous().permute(*reversed(range(tensor.dim())))
    view = turned[tuple(slice(None, None, 2) for _ in tensor.shape)]
    return view.copy_(tensor)


@once
def test_strided_arguments_give_the_same_as_contiguous_ones(operations):
    case, allowed = problem(4, [4, 2, 3], dtype=torch.float32), bio_allowed()
    expected = results(operations, case, allowed)
    potentials = [strided(value).requires_grad_() for value in case.potentials]
    gold, lengths, allowed = strided(case.gold), strided(case.lengths), strided(allowed)
    assert not any(value.is_contiguous() for value in (*potentials, gold, lengths, allowed))
    nll = operations.crf_nll(*potentials, gold, lengths, allowed=allowed)
    nll[torch.isfinite(nll)].sum().backward()
    given = [value.detach() for value in potentials]
    assert torch.equal(nll.detach(), expected["nll"])
    assert torch.equal(operations.crf_decode(*given, lengths, allowed=allowed)[0], expected["tags"])
    assert torch.equal(operations.crf_decode(*given, lengths, allowed=allowed, nbest=3)[0], expected["n best"])
    assert torch.equal(operations.crf_marginals(*given, lengths, allowed=allowed), expected["marginals"])
    for name, value in zip(("emissions", "transitions", "start", "end"), potentials, strict=True):
        operations.assert_same(value.grad, expected[name], name)


@once
def test_expanded_arguments_give_the_same_as_their_copies(operations):
    case = problem(3, [4, 2, 4], dtype=torch.float32)
    case.emissions = case.emissions[:1, :1].expand(3, 4, 3)
    case.transitions = case.transitions[0].expand(3, 3)
    case.start, case.end = case.start[0].expand(3), case.end[0].expand(3)
    case.lengths, case.gold = case.lengths[:1].expand(3), case.gold[:, :1].expand(3, 4)
    copies = case.pick(slice(None))
    copies.emissions, copies.transitions = case.emissions.contiguous(), case.transitions.contiguous()
    expected = results(operations, copies)
    assert torch.equal(operations.crf_log_partition(*case.arguments), expected["log-partition"])
    assert torch.equal(operations.crf_marginals(*case.arguments), expected["marginals"])
    assert torch.equal(operations.crf_decode(*case.arguments)[0], expected["tags"])
    emissions = case.emissions[:1, :1].clone().requires_grad_()  # the gradient of an expanded leaf is summed
    loss = operations.crf_nll(emissions.expand(3, 4, 3), *case.arguments[1:4], case.gold, case.lengths)
    loss.sum().backward()
    torch.testing.assert_close(emissions.grad, expected["emissions"].sum((0, 1), keepdim=True), rtol=1e-5, atol=1e-5)


@for_each(shape=[([], 0), ([], 3), ([0], 0), ([0, 0], 0), ([0, 0], 2)])
@everywhere
@for_each(dtype=FLOATS)
def test_batches_without_sentences_and_sentences_without_tokens_are_results_too(operations, shape, dtype):
    lengths, extra = shape
    case = problem(3, lengths, extra=extra, dtype=dtype)
    batch, length = len(lengths), extra
    found = results(operations, case)
    assert found["tags"].shape == (batch, length) and (found["tags"] == -1).all()
    assert found["n best"].shape == (batch, 3, length) and (found["n best"] == -1).all()
    assert found["their scores"].tolist() == [[0.0, -INFINITY, -INFINITY]] * batch
    for name in ("nll", "scores", "log-partition"):
        assert found[name].tolist() == [0.0] * batch, name
    assert found["marginals"].shape == (batch, length, 3)
    for name in ("marginals", "emissions", "transitions", "start", "end"):
        assert not found[name].any(), name


@once
def test_the_arguments_are_left_as_they_were(operations):
    case, allowed = problem(4, [4, 1, 0], extra=1), bio_allowed()
    given = [*case.with_gold, allowed]
    before = [value.clone() for value in given]
    results(operations, case, allowed)
    assert all(torch.equal(old, new) for old, new in zip(before, given, strict=True))


@once
def test_tags_take_no_part_in_differentiation_and_scores_and_marginals_do(operations):
    case = problem(3, [2, 1])
    leaves = case.leaves()
    tags, scores = operations.crf_decode(*leaves, case.lengths)
    marginals = operations.crf_marginals(*leaves, case.lengths)
    assert not tags.requires_grad
    assert scores.requires_grad and marginals.requires_grad
