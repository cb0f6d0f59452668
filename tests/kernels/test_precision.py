"""Half precision is computed in float32, whoever asks for it; float32 and float64 agree."""

import torch
from crf_problem import problem
from implementations import everywhere, for_each, once
from pair_problem import pairs

HALVES = for_each(half=[torch.float16, torch.bfloat16])


def crf_results(operations, potentials, case):
    leaves = [value.clone().requires_grad_() for value in potentials]
    nll = operations.crf_nll(*leaves, case.gold, case.lengths)
    nll.sum().backward()
    tags, scores = operations.crf_decode(*potentials, case.lengths)
    several, their_scores = operations.crf_decode(*potentials, case.lengths, nbest=2)
    results = [
        nll.detach(),
        scores,
        their_scores,
        operations.crf_log_partition(*potentials, case.lengths),
        operations.crf_marginals(*potentials, case.lengths),
    ]
    return results, [tags, several], [leaf.grad for leaf in leaves]


def pair_results(operations, values, case, gold, anchors):
    # Leaves of their own for each: gradients in half precision are also added in half precision.
    leaves, others = ([value.clone().requires_grad_() for value in values] for _ in range(2))
    scores = operations.pair_scores(*leaves, case.lengths)
    scores.square().sum().backward()
    loss = operations.pair_bce(*others, gold, case.lengths, pos_weight=2.0)
    loss.sum().backward()
    cells, selected = operations.pair_select(*values, anchors, case.lengths, 0.0)
    return [scores.detach(), loss.detach(), selected], [cells], [leaf.grad for leaf in (*leaves, *others)]


def assert_computed_in_float32(operations, in_half, in_single, dtypes):
    """Compare results of rounded arguments with those of the same numbers in float32."""
    for actual, expected in zip(in_half[0], in_single[0], strict=True):
        assert actual.dtype == torch.float32
        operations.assert_same(actual, expected)
    for actual, expected in zip(in_half[1], in_single[1], strict=True):
        assert torch.equal(actual, expected)
    for actual, expected, dtype in zip(in_half[2], in_single[2], dtypes, strict=True):
        assert actual.dtype == dtype  # a gradient has the type of what it is of
        if operations.device == "cpu":
            assert torch.equal(actual, expected.to(dtype))
        else:  # sums in any order, then rounded
            torch.testing.assert_close(actual.float(), expected, rtol=0.01, atol=0.01)


@once
@HALVES
def test_half_precision_alone_or_beside_float32_is_computed_and_returned_in_float32(operations, half):
    case = problem(5, [6, 1, 0, 4], extra=1, dtype=torch.float32)
    relations = pairs([9, 4, 0], size=6, labels=3, dtype=torch.float32)
    rest = relations, relations.gold(8), relations.anchors(0.7)
    for types in ((half,) * 4, (half, torch.float32) * 2):
        mixed = [value.to(dtype) for value, dtype in zip(case.potentials, types, strict=True)]
        single = [value.float() for value in mixed]
        results = (crf_results(operations, potentials, case) for potentials in (mixed, single))
        assert_computed_in_float32(operations, *results, types)
        mixed = [value.to(dtype) for value, dtype in zip(relations.arguments[:4], types, strict=True)]
        single = [value.float() for value in mixed]
        results = (pair_results(operations, values, *rest) for values in (mixed, single))
        assert_computed_in_float32(operations, *results, types * 2)


@once
@for_each(differentiated=[False, True])
def test_autocast_does_not_lower_the_precision(operations, differentiated):
    """Under autocast, linear layers make bfloat16 emissions; parameters stay in float32."""
    case = problem(9, [20, 7], dtype=torch.float32, scale=3)
    relations = pairs([20, 7], size=30, labels=6, dtype=torch.float32)
    gold, anchors = relations.gold(20), relations.anchors(0.5)

    def results():
        with torch.set_grad_enabled(differentiated):
            return [
                operations.crf_log_partition(*case.leaves(), case.lengths),
                operations.crf_nll(*case.leaves(), case.gold, case.lengths),
                operations.crf_marginals(*case.arguments),
                *operations.crf_decode(*case.arguments),
                operations.pair_scores(*relations.leaves(), relations.lengths),
                operations.pair_bce(*relations.leaves(), gold, relations.lengths),
                *operations.pair_select(*relations.arguments[:4], anchors, relations.lengths, 0.0),
            ]

    expected = results()
    with torch.autocast(operations.device, torch.bfloat16):
        lowered = results()
    for value, exact in zip(lowered, expected, strict=True):
        assert value.dtype == exact.dtype
        operations.assert_same(value, exact)


@once
def test_a_layer_under_autocast_is_trained_through_the_operations(operations):
    """The whole way: bfloat16 out of a linear layer, a float32 loss, a float32 gradient of the layer's weight."""
    torch.manual_seed(0)
    layer, case = torch.nn.Linear(8, 5), problem(5, [6, 3], dtype=torch.float32)
    features = torch.randn(2, 6, 8)
    grads = []
    for enabled in (False, True):
        layer.weight.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            emissions = layer(features)
            assert emissions.dtype == (torch.bfloat16 if enabled else torch.float32)
            loss = operations.crf_nll(emissions, *case.arguments[1:4], case.gold, case.lengths).sum()
        assert loss.dtype == torch.float32
        loss.backward()
        grads.append(layer.weight.grad.clone())
    assert grads[1].dtype == torch.float32
    # bfloat16 has three digits.
    torch.testing.assert_close(grads[1], grads[0], rtol=0.02, atol=0.02 * float(grads[0].abs().max()))


@everywhere
def test_float32_and_float64_agree(operations):
    case = problem(9, [40, 7, 1], dtype=torch.float32)
    (results, paths, _), (exact, their_paths, _) = (
        crf_results(operations, each.potentials, each) for each in (case, case.to(torch.float64))
    )
    for single, double in zip(results, exact, strict=True):
        assert single.dtype == torch.float32 and double.dtype == torch.float64
        torch.testing.assert_close(single.double(), double, rtol=2e-6, atol=5e-6)
    assert all(torch.equal(first, second) for first, second in zip(paths, their_paths, strict=True))
