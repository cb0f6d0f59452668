"""What the operations refuse: an error of one sentence that begins with the argument's name, whoever computes."""

import pytest
import torch
from crf_problem import problem
from implementations import FLOATS, on_cpu, once
from pair_problem import pairs

POTENTIALS = ("emissions", "transitions", "start", "end")
ARGUMENTS = {
    "crf_decode": (*POTENTIALS, "lengths", "allowed"),
    "crf_log_partition": (*POTENTIALS, "lengths", "allowed"),
    "crf_nll": (*POTENTIALS, "tags", "lengths", "allowed"),
    "crf_marginals": (*POTENTIALS, "lengths", "allowed"),
    "crf_span_marginals": (*POTENTIALS, "lengths", "spans", "tags", "next_tag"),
    "pair_scores": ("a", "c", "V", "bias", "lengths"),
    "pair_bce": ("a", "c", "V", "bias", "gold", "lengths"),
    "pair_select": ("a", "c", "V", "bias", "anchors", "lengths"),
}
EVERY = [(operation, name) for operation, names in ARGUMENTS.items() for name in names]
FIRST = ("emissions", "a")  # says what the others must fit to
FLOATING = (*POTENTIALS, "a", "c", "V", "bias")


def good(dtype=torch.float32):
    """Return good arguments of all operations, by name: B = 2, L = N = 4, K = R = 3, D = 5."""
    case, relations = problem(3, [4, 2], dtype=dtype), pairs([4, 2], size=5, labels=3, dtype=dtype)
    return {
        **dict(zip((*POTENTIALS, "lengths"), case.arguments, strict=True)),
        "tags": case.gold,
        "allowed": torch.ones(4, 3, dtype=torch.bool),
        "spans": torch.tensor([[0, 1, 3], [1, 0, 2]]),
        "next_tag": torch.tensor([2, -1]),
        **dict(zip(("a", "c", "V", "bias"), relations.arguments[:4], strict=True)),
        "gold": torch.tensor([[0, 1, 2, 0], [1, 1, 0, 2]]),
        "anchors": torch.tensor([[0, 1], [0, 3], [1, 0]]),
    }


def call(operations, operation, arguments, **options):
    """Call an operation with those of the arguments that are its own."""
    names = ARGUMENTS[operation]
    if "allowed" in names:
        options["allowed"] = arguments["allowed"]
    given = [arguments[name] for name in names if name != "allowed"]
    return getattr(operations, operation)(*given, *([0.0] if operation == "pair_select" else []), **options)


def assert_refused(operations, operation, name, error, wrong=None, dtype=torch.float32, **options):
    """Call with one wrong argument; the message says which operation took it."""
    arguments = good(dtype) if wrong is None else {**good(dtype), name: wrong}
    what = f"{operation} with {name} {wrong if wrong is not None else options}"
    with pytest.raises(Exception) as caught:
        call(operations, operation, arguments, **options)
        pytest.fail(f"{what}: not refused")
    message = str(caught.value)
    assert type(caught.value) is error, f"{what}: {message}"
    assert message.startswith(f"{name}: got ") and ", wanted " in message and "\n" not in message, f"{what}: {message}"


@once
def test_good_arguments_are_not_refused(operations):
    for operation in ARGUMENTS:
        call(operations, operation, good())


@once
def test_a_wrong_shape_is_refused_even_if_it_would_broadcast(operations):
    for operation, name in EVERY:
        value = good()[name]
        shapes = [
            value.unsqueeze(0),  # a dimension too many
            value.select(0, 0),  # one too few
            torch.cat([value, value[..., :1]], -1),  # one column more
        ]
        if name in ("lengths", "transitions", "tags", "c", "bias"):
            shapes.append(value[tuple(slice(0, 1) for _ in value.shape)])  # sizes of 1
        for wrong in shapes:
            if not (name in FIRST and wrong.dim() == 3):
                assert_refused(operations, operation, name, ValueError, wrong)
        if name == "emissions":
            assert_refused(operations, operation, name, ValueError, torch.zeros(2, 4, 0))


@once
def test_a_wrong_type_is_refused_and_so_are_float32_and_float64_together(operations):
    for operation, name in EVERY:
        for dtype in (torch.int32, torch.complex64, torch.uint8 if name == "allowed" else torch.bool):
            assert_refused(operations, operation, name, TypeError, good()[name].to(dtype))
        if name in FLOATING and name not in FIRST:
            for dtype, other in (FLOATS, FLOATS[::-1]):
                assert_refused(operations, operation, name, TypeError, good()[name].to(other), dtype)


@on_cpu
def test_another_device_is_refused(operations):
    for operation, name in EVERY:
        if name not in FIRST:
            assert_refused(operations, operation, name, ValueError, good()[name].to("meta"))


@once
def test_options_out_of_range_are_refused(operations):
    for nbest in (0, -1):
        assert_refused(operations, "crf_decode", "nbest", ValueError, nbest=nbest)
    for pos_weight in (0.0, -1.0, float("nan")):
        assert_refused(operations, "pair_bce", "pos_weight", ValueError, pos_weight=pos_weight)


@once
def test_lengths_and_tags_out_of_range_are_refused_on_the_cpu_and_give_nan_on_a_gpu(operations):
    for lengths in ([5, 2], [4, -1], [4, 2**40], [-(2**62), 2]):
        for operation in ARGUMENTS:
            if operations.device == "cpu":
                assert_refused(operations, operation, "lengths", ValueError, torch.tensor(lengths))
            elif operation.startswith("crf") and operation != "crf_marginals":  # row i of spans is of sentence i
                result = call(operations, operation, {**good(), "lengths": torch.tensor(lengths)})
                wrong = 0 if lengths[0] not in range(5) else 1
                assert torch.isnan((result[1] if isinstance(result, tuple) else result)[wrong]), (operation, lengths)
    for tag in (-1, 3, 2**40, -(2**62)):
        for position in ((0, 3), (1, 0)):
            tags = good()["tags"].clone()
            tags[position] = tag
            if operations.device == "cpu":
                assert_refused(operations, "crf_nll", "tags", ValueError, tags)
            else:
                assert torch.isnan(call(operations, "crf_nll", {**good(), "tags": tags})[position[0]])


# Sentence 1 has two tokens of four.
NO_SPANS = [[2, 0, 1], [-1, 0, 1], [0, 1, 1], [0, 2, 1], [0, -1, 1], [0, 3, 5], [1, 1, 3], [2**40, 0, 1], [0, 0, 2**62]]


@once
def test_spans_tags_and_next_tags_that_are_none_are_refused_on_the_cpu_and_give_nan_on_a_gpu(operations):
    tags = good()["tags"].clone()
    tags[0, 2] = 3
    wrong = [("spans", torch.tensor([[0, 0, 1], span])) for span in NO_SPANS]
    wrong += [("next_tag", torch.tensor([0, tag])) for tag in (-2, 3, 2**40)]
    wrong += [("tags", tags)]
    for name, value in wrong:
        if operations.device == "cpu":
            assert_refused(operations, "crf_span_marginals", name, ValueError, value)
        else:
            result = call(operations, "crf_span_marginals", {**good(), name: value})
            assert result.isnan().tolist() == [name == "tags", name != "tags"], (name, value)
    tags = good()["tags"].clone()
    tags[0, 0] = tags[0, 3] = tags[1, 2] = -100  # outside of the spans
    assert not call(operations, "crf_span_marginals", {**good(), "tags": tags}).isnan().any()


NO_CELLS = [(2, 0, 0, 0), (-1, 0, 0, 0), (0, 4, 0, 0), (0, 0, 4, 0), (0, -1, 0, 0), (0, 0, -1, 0), (0, 0, 0, 3)]
NO_CELLS += [(0, 0, 0, -1), (1, 2, 0, 0), (1, 0, 2, 0), (2**40, 0, 0, 0), (0, 2**62, 0, 0)]
NO_ANCHORS = [[[2, 0]], [[-1, 0]], [[0, 4]], [[0, -1]], [[1, 2]], [[0, 0], [2**40, 0]], [[0, -(2**62)]]]
DISORDERLY = [[[0, 1], [0, 1]], [[0, 2], [0, 1]], [[1, 0], [0, 1]]]


@once
def test_anchors_that_are_no_tokens_or_disorderly_are_refused(operations):
    for anchors in NO_ANCHORS + DISORDERLY:
        assert_refused(operations, "pair_select", "anchors", ValueError, torch.tensor(anchors))


@on_cpu
def test_indices_outside_of_the_sentences_are_refused(operations):
    for cell in NO_CELLS:
        gold = torch.tensor([[0, 0, 0, 0], cell, [0, 1, 1, 1]])
        assert_refused(operations, "pair_bce", "gold", ValueError, gold)
    nothing = pairs([], extra=3, labels=2, dtype=torch.float32)  # where there is nothing that an index could lie in
    with pytest.raises(ValueError, match=r"^gold: "):
        operations.pair_bce(*nothing.arguments[:4], torch.zeros(1, 4, dtype=torch.int64), nothing.lengths)
    with pytest.raises(ValueError, match=r"^anchors: "):
        operations.pair_select(*nothing.arguments[:4], torch.zeros(1, 2, dtype=torch.int64), nothing.lengths, 0.0)
