"""`torch.ops.cman`: schemas, and what torch demands of an operation that is to be compiled and differentiated."""

import torch
from crf_problem import bio_allowed, problem
from implementations import FLOATS, compiled_on_cpu, compiled_only, for_each
from pair_problem import pairs
from torch.library import opcheck
from torch.utils._pytree import tree_map_only

from cman import kernels
from cman.kernels import crf as crf_operations
from cman.kernels import pairs as pair_operations
from cman.kernels import recurrent as recurrent_operations

SCHEMAS = (*crf_operations.SCHEMAS, *pair_operations.SCHEMAS, *recurrent_operations.SCHEMAS)
SPANS, NEXT_TAGS = torch.tensor([[0, 1, 3], [3, 0, 2], [0, 0, 1]]), torch.tensor([2, 1, -1])
NAMES = [schema.partition("(")[0] for schema in SCHEMAS]


def test_every_function_is_an_operation_with_the_schema_that_python_states():
    for name, schema in zip(NAMES, SCHEMAS, strict=True):
        operation = getattr(torch.ops.cman, name).default
        assert str(operation._schema) == str(torch._C.parse_schema(f"cman::{schema}"))
    functions = {name for name in kernels.__all__ if name.startswith(("crf_", "pair_", "lstm"))}
    assert functions == set(NAMES)


def checked_on(device):
    """Return opcheck of arguments that are moved to a device."""

    def checked(op, arguments, options=None):
        moved = tree_map_only(torch.Tensor, lambda value: value.to(device), (arguments, options or {}))
        opcheck(op, *moved)

    return checked


def crf(dtype, differentiated):
    case = problem(4, [5, 1, 0, 3], extra=1, dtype=dtype)
    case.gold = torch.tensor([[1, 2, 2, 0, 3, 0], [0] * 6, [0] * 6, [1, 2, 0, 0, 0, 0]])
    return case, case.leaves() if differentiated else list(case.potentials)


@compiled_only
@for_each(dtype=FLOATS, differentiated=[False, True], constrained=[False, True])
def test_the_operations_of_the_crf_pass_opcheck(operations, constrained, differentiated, dtype):
    case, potentials = crf(dtype, differentiated)
    options = {"allowed": bio_allowed() if constrained else None}
    ops, opcheck = torch.ops.cman, checked_on(operations.device)
    opcheck(ops.crf_log_partition.default, (*potentials, case.lengths), options)
    opcheck(ops.crf_nll.default, (*potentials, case.gold, case.lengths), options)
    opcheck(ops.crf_marginals.default, (*potentials, case.lengths), options)
    opcheck(ops.crf_span_marginals.default, (*potentials, case.lengths, SPANS, case.gold, NEXT_TAGS))
    opcheck(ops.crf_decode.default, (*potentials, case.lengths), options)
    opcheck(ops.crf_decode.default, (*potentials, case.lengths), {**options, "nbest": 3})


@compiled_only
@for_each(dtype=FLOATS, differentiated=[False, True], with_bias=[True, False])
def test_the_operations_of_the_pairs_pass_opcheck(operations, with_bias, differentiated, dtype):
    case = pairs([5, 1, 0, 3], labels=3, extra=1, dtype=dtype, with_bias=with_bias)
    values = case.leaves() if differentiated else list(case.arguments[: 4 if with_bias else 3])
    values += [] if with_bias else [None]
    ops, opcheck = torch.ops.cman, checked_on(operations.device)
    opcheck(ops.pair_scores.default, (*values, case.lengths))
    opcheck(ops.pair_bce.default, (*values, case.gold(6), case.lengths), {"pos_weight": 2.0})
    opcheck(ops.pair_select.default, (*values, case.anchors(0.8), case.lengths, 0.0))


def recurrent(differentiated):
    generator = torch.Generator().manual_seed(1)
    x, *weights = (torch.randn(shape, generator=generator) for shape in ((4, 6, 5), (12, 5), (12, 3), (12,)))
    values = x, torch.tensor([5, 1, 0, 3]), *weights
    return [value.requires_grad_(differentiated and value.is_floating_point()) for value in values]


@compiled_on_cpu
@for_each(differentiated=[False, True], backwards=[False, True])
def test_the_operations_of_the_lstm_pass_opcheck(operations, differentiated, backwards):
    given, ops = recurrent(differentiated), torch.ops.cman
    opcheck(ops.lstm.default, (*given, backwards))
    given = recurrent(False)
    opcheck(ops._lstm_forward.default, (*given, backwards))
    kept = ops._lstm_forward(*given, backwards)
    opcheck(ops._lstm_backward.default, (torch.randn(kept[0].shape), *given[:4], *kept, backwards))


@compiled_on_cpu
@for_each(dtype=FLOATS)
def test_the_inner_operations_pass_opcheck(operations, dtype):
    case, potentials = crf(dtype, False)
    allowed, ops = bio_allowed(), torch.ops.cman
    opcheck(ops._crf_decode.default, (*potentials, case.lengths, allowed, 1))
    opcheck(ops._crf_decode.default, (*potentials, case.lengths, allowed, 3))
    opcheck(ops._crf_marginals.default, (*potentials, case.lengths, None))
    opcheck(ops._crf_span_marginals.default, (*potentials, case.lengths, SPANS, case.gold, NEXT_TAGS))
    for tags in (None, case.gold):
        opcheck(ops._crf_forward.default, (*potentials, tags, case.lengths, allowed, False))
        # What is kept for the gradient has places that nothing writes and nothing reads: only its form can be compared.
        kept = (*potentials, tags, case.lengths, allowed, True)
        opcheck(ops._crf_forward.default, kept, test_utils=("test_schema", "test_faketensor"))
        _, workspace = ops._crf_forward(*kept)
        grad = torch.randn(4, dtype=dtype)
        opcheck(ops._crf_backward.default, (grad, workspace, *potentials, tags, case.lengths, allowed))
    case = pairs([5, 1, 0, 3], labels=3, extra=1, dtype=dtype)
    a, c, V, bias, lengths = case.arguments
    grad = torch.randn(4, 6, 6, 3, dtype=dtype)
    for given_bias in (bias, None):
        opcheck(ops._pair_scores.default, (a, c, V, given_bias, lengths))
        opcheck(ops._pair_bce.default, (a, c, V, given_bias, case.gold(6), lengths, 2.0, True))
        opcheck(ops._pair_bce.default, (a, c, V, given_bias, case.gold(6), lengths, 2.0, False))
        opcheck(ops._pair_select.default, (a, c, V, given_bias, case.anchors(0.8), lengths, 0.0))
    opcheck(ops._pair_scores_backward.default, (grad, a, c, V, lengths))


@compiled_on_cpu
@for_each(batch=[1, 7, 16, 17, 40])
def test_the_workspace_has_the_size_that_its_fake_kernel_says(operations, batch):
    case = problem(5, [3] * batch, dtype=torch.float32)
    given = (*case.potentials, None, case.lengths, None, True)
    meta = [value.to("meta") if isinstance(value, torch.Tensor) else value for value in given]
    assert torch.ops.cman._crf_forward(*given)[1].shape == torch.ops.cman._crf_forward(*meta)[1].shape


@compiled_on_cpu
def test_operations_and_functions_give_the_same(operations):
    case, relations = problem(4, [5, 2]), pairs([5, 2], labels=3)
    gold, anchors, a = relations.gold(5), relations.anchors(1.0), relations.arguments
    for name, arguments, options in (
        ("crf_decode", case.arguments, {"nbest": 2}),
        ("crf_decode", case.arguments, {}),
        ("crf_log_partition", case.arguments, {"allowed": bio_allowed()}),
        ("crf_nll", case.with_gold, {}),
        ("crf_marginals", case.arguments, {}),
        ("crf_span_marginals", (*case.arguments, torch.tensor([[0, 1, 4]]), case.gold, torch.tensor([0])), {}),
        ("pair_scores", a, {}),
        ("pair_bce", (*a[:4], gold, a[4]), {"pos_weight": 2.0}),
        ("pair_select", (*a[:4], anchors, a[4], 0.5), {}),
        ("lstm", tuple(recurrent(False)), {"backwards": True}),
    ):
        expected = getattr(torch.ops.cman, name)(*arguments, **options)
        torch.testing.assert_close(getattr(operations, name)(*arguments, **options), expected)
