"""Agreement with the float64 definition: the peers agree, and what is wrong in any way is refused."""

import math

import torch

from cman.kernels import reference
from cman.speed.contenders import EAGER, OURS, contenders
from cman.speed.inputs import Inputs, make_inputs
from cman.speed.kernels import checked
from cman.speed.operations import OPERATIONS, Outputs, calls_of
from cman.speed.parity import share_of_tolerance, truth
from cman.speed.peers import Contender
from cman.speed.rows import FAILED, TIMED, SpeedRow
from cman.speed.shapes import Shape

SHAPES = {"crf": Shape("crf", (5, 12, 4)), "pairs": Shape("pairs", (4, 20, 8, 3)), "lstm": Shape("lstm", (3, 7, 5, 4))}


def inputs(operation: str) -> Inputs:
    return make_inputs(SHAPES[OPERATIONS[operation].kind])


def outputs(operation: str, x: Inputs) -> Outputs:
    return tuple(calls_of(reference)[operation](x)())


def share(operation: str, actual: Outputs) -> float:
    x = inputs(operation)
    return share_of_tolerance(operation, actual, truth(operation, x, reference), x)


def test_every_contender_agrees_with_the_definition():
    for contender in contenders():
        if contender.missing():
            continue
        for operation in contender.builds:
            row = SpeedRow(operation, "", 1, contender.name, "")
            x = inputs(operation)
            with torch.set_grad_enabled(OPERATIONS[operation].differentiated):
                exact = truth(operation, x, reference)
                call = checked(contender, OPERATIONS[operation], x, exact, row)
            assert call is not None and row.status == TIMED, f"{contender.name}, {operation}: {row.note}"
            assert row.parity is not None and row.parity <= 1, f"{contender.name}, {operation}"


def test_ours_and_the_plain_pytorch_ones_know_every_operation():
    known = {one.name: set(one.builds) for one in contenders()}
    assert known[OURS] == known[EAGER] == set(OPERATIONS)


def test_every_output_is_compared_and_neither_nan_nor_another_shape_is_agreement():
    for operation in OPERATIONS:
        right = outputs(operation, inputs(operation))
        assert share(operation, right) <= 1, operation
        for n, value in enumerate(right):
            changed = value.clone()
            first = (0,) * value.dim()
            # Of a path, one tag more could be as good a path: 4 is no tag.
            changed[first] = 4 if operation == "crf_decode" and n == 0 else value[first] + 1
            wrong = tuple(changed if m == n else other for m, other in enumerate(right))
            assert share(operation, wrong) > 1, f"{operation}, output {n}"
        *others, last = right
        assert share(operation, (*others, torch.full_like(last, math.nan))) == math.inf, operation
        first_output, *rest = right
        assert share(operation, (first_output[:-1], *rest)) == math.inf, operation


def test_another_path_with_the_same_score_is_agreement():
    x = inputs("crf_decode")
    even = x.cast("cpu")
    for scores in (even.emissions, even.transitions, even.start, even.end):
        scores.zero_()
    path = torch.zeros_like(even.tags).masked_fill(~even.mask, -1)
    other = torch.full_like(even.tags, 3).masked_fill(~even.mask, -1)
    exact = truth("crf_decode", even, reference)
    assert share_of_tolerance("crf_decode", (path,), exact, even) == 0
    assert share_of_tolerance("crf_decode", (other,), exact, even) == 0


def test_a_path_that_is_not_the_best_is_refused_and_so_are_tags_in_the_padding():
    x = inputs("crf_decode")
    tags, scores = outputs("crf_decode", x)
    padded = int((x.lengths < tags.shape[1]).nonzero()[0])
    filled = tags.clone()
    filled[padded, -1] = 0
    assert share("crf_decode", (filled, scores)) == math.inf
    other = tags.clone()
    other[0, 0] = (tags[0, 0] + 1) % 4
    assert share("crf_decode", (other, scores)) > 1


def test_selected_cells_that_are_missed_invented_or_unsorted_are_refused():
    indices, scores = outputs("pair_select", inputs("pair_select"))
    assert len(indices) > 2
    assert share("pair_select", (indices[1:], scores[1:])) == math.inf
    assert share("pair_select", (indices.flip(0), scores.flip(0))) == math.inf
    twice = torch.cat([indices[:1], indices]), torch.cat([scores[:1], scores])
    assert share("pair_select", twice) == math.inf
    assert share("pair_select", (indices + 20, scores)) == math.inf


def test_the_definition_by_sentence_is_the_definition_of_the_batch():
    x = inputs("pair_bce_backward")
    at_once = calls_of(reference)["pair_bce_backward"](x.cast(torch.float64))()
    for by_sentence, expected in zip(truth("pair_bce_backward", x, reference), at_once, strict=True):
        torch.testing.assert_close(by_sentence, expected)


def checked_alone(build):
    """Return the row of a contender with one operation, and its call if there is one."""
    operation, row = "crf_log_partition", SpeedRow("crf_log_partition", "", 1, "other", "")
    x = inputs(operation)
    other = Contender("other", {operation: build})
    return row, checked(other, OPERATIONS[operation], x, truth(operation, x, reference), row)


def test_a_contender_that_disagrees_or_raises_is_reported_and_not_called_again():
    calls = []

    def wrong(x):
        def call():
            calls.append(1)
            return (reference.crf_log_partition(*x.leaves, x.lengths) + 1,)

        return call

    def broken(x):
        raise ValueError("no such thing\nand more")

    row, call = checked_alone(wrong)
    assert (call, len(calls), row.status) == (None, 1, FAILED)
    assert row.note.startswith("differs from the float64 definition, ")
    assert row.parity is not None and row.parity > 1
    row, call = checked_alone(broken)
    assert (call, row.status, row.note, row.parity) == (None, FAILED, "ValueError: no such thing", None)
