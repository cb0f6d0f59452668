"""What the operations refuse: an error of one sentence that begins with the argument's name, whoever computes."""

import pytest
import torch
from crf_problem import problem
from implementations import once
from pair_problem import pairs

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
LONG = torch.int64
CRF = {
    "crf_decode": ("emissions", "transitions", "start", "end", "lengths", "allowed"),
    "crf_log_partition": ("emissions", "transitions", "start", "end", "lengths", "allowed"),
    "crf_nll": ("emissions", "transitions", "start", "end", "tags", "lengths", "allowed"),
    "crf_marginals": ("emissions", "transitions", "start", "end", "lengths", "allowed"),
}
PAIRS = {
    "pair_scores": ("a", "c", "V", "bias", "lengths"),
    "pair_bce": ("a", "c", "V", "bias", "gold", "lengths"),
    "pair_select": ("a", "c", "V", "bias", "anchors", "lengths"),
}
BOTH = {**CRF, **PAIRS}
EVERY = [(operation, name) for operation, names in BOTH.items() for name in names]
FLOATING = ("emissions", "transitions", "start", "end", "a", "c", "V", "bias")


def right(dtype=torch.float32):
    """Return good arguments of all operations, by name: B = 2, L = N = 4, K = R = 3, D = 5."""
    case, relations = problem(3, [4, 2], dtype=dtype), pairs([4, 2], size=5, labels=3, dtype=dtype)
    return {
        **dict(zip(("emissions", "transitions", "start", "end", "lengths"), case.arguments, strict=True)),
        "tags": case.gold,
        "allowed": torch.ones(4, 3, dtype=torch.bool),
        **dict(zip(("a", "c", "V", "bias"), relations.arguments[:4], strict=True)),
        "gold": torch.tensor([[0, 1, 2, 0], [1, 1, 0, 2]]),
        "anchors": torch.tensor([[0, 1], [0, 3], [1, 0]]),
    }


def call(operations, operation, arguments, **options):
    """Call an operation with those of the arguments that are its own."""
    names = BOTH[operation]
    if "allowed" in names:
        options["allowed"] = arguments["allowed"]
    given = [arguments[name] for name in names if name != "allowed"]
    if operation == "pair_select":
        given.append(0.0)
    return getattr(operations, operation)(*given, **options)


def assert_refused(operations, operation, name, error, arguments, **options):
    with pytest.raises(Exception) as caught:
        call(operations, operation, arguments, **options)
    message = str(caught.value)
    assert type(caught.value) is error, message
    assert message.startswith(f"{name}: got "), message
    assert ", wanted " in message and "\n" not in message


@once
@pytest.mark.parametrize("operation", BOTH)
def test_good_arguments_are_not_refused(operations, operation):
    call(operations, operation, right())


@once
@pytest.mark.parametrize(("operation", "name"), EVERY)
def test_a_wrong_shape_is_refused(operations, operation, name):
    good = right()
    value = good[name]
    for wrong in (
        value.unsqueeze(0),  # a dimension too many
        value.select(0, 0),  # one too few
        torch.cat([value, value[..., :1]], -1),  # one column more
    ):
        if name in ("emissions", "a") and wrong.dim() == 3:
            continue  # the first argument says what the others must fit to
        if name == "lengths" and wrong.dim() == 1 and len(wrong) == 2:
            continue
        assert_refused(operations, operation, name, ValueError, {**good, name: wrong})


@once
@pytest.mark.parametrize("operation", CRF)
def test_emissions_without_any_tag_are_refused(operations, operation):
    assert_refused(operations, operation, "emissions", ValueError, {**right(), "emissions": torch.zeros(2, 4, 0)})


@once
@pytest.mark.parametrize(
    ("operation", "name"), [pair for pair in EVERY if pair[1] in ("lengths", "transitions", "tags", "c", "bias")]
)
def test_shapes_that_would_broadcast_are_refused(operations, operation, name):
    value = right()[name]
    wrong = value[tuple(slice(0, 1) for _ in value.shape)]  # sizes of 1
    assert_refused(operations, operation, name, ValueError, {**right(), name: wrong})


@once
@pytest.mark.parametrize(("operation", "name"), EVERY)
def test_a_wrong_type_is_refused(operations, operation, name):
    good = right()
    for wrong in (torch.int32, torch.complex64, torch.bool if name not in ("allowed",) else torch.uint8):
        assert_refused(operations, operation, name, TypeError, {**good, name: good[name].to(wrong)})


@once
@pytest.mark.parametrize(
    ("operation", "name"), [pair for pair in EVERY if pair[1] in FLOATING and pair[1] not in ("emissions", "a")]
)
@DTYPES
def test_float32_and_float64_together_are_refused(operations, operation, name, dtype):
    other = torch.float64 if dtype == torch.float32 else torch.float32
    good = right(dtype)
    assert_refused(operations, operation, name, TypeError, {**good, name: good[name].to(other)})


@once
@pytest.mark.parametrize(("operation", "name"), [pair for pair in EVERY if pair[1] not in ("emissions", "a")])
def test_another_device_is_refused(operations, operation, name):
    if operations.device != "cpu":
        pytest.skip("these operations move their arguments to one device")
    good = right()
    assert_refused(operations, operation, name, ValueError, {**good, name: good[name].to("meta")})


@once
@pytest.mark.parametrize("lengths", [[5, 2], [4, -1], [4, 2**40], [-(2**62), 2]], ids=str)
@pytest.mark.parametrize("operation", BOTH)
def test_a_length_outside_of_zero_to_the_padded_length_is_refused(operations, operation, lengths):
    given = {**right(), "lengths": torch.tensor(lengths)}
    if operations.device == "cpu":
        assert_refused(operations, operation, "lengths", ValueError, given)
    elif operation.startswith("crf") and operation != "crf_marginals":
        result = call(operations, operation, given)
        wrong = 0 if lengths[0] not in range(5) else 1
        assert torch.isnan((result[1] if isinstance(result, tuple) else result)[wrong])


@once
@pytest.mark.parametrize("tag", [-1, 3, 2**40, -(2**62)])
@pytest.mark.parametrize("place", [(0, 3), (1, 0)], ids=str)
def test_a_gold_tag_of_a_token_that_is_no_tag_is_refused(operations, place, tag):
    good = right()
    good["tags"] = good["tags"].clone()
    good["tags"][place] = tag
    if operations.device == "cpu":
        assert_refused(operations, "crf_nll", "tags", ValueError, good)
    else:
        assert torch.isnan(call(operations, "crf_nll", good)[place[0]])


@once
@pytest.mark.parametrize("nbest", [0, -1])
def test_fewer_than_one_path_is_refused(operations, nbest):
    assert_refused(operations, "crf_decode", "nbest", ValueError, right(), nbest=nbest)


@once
@pytest.mark.parametrize("pos_weight", [0.0, -1.0, float("nan")])
def test_a_weight_that_is_not_above_zero_is_refused(operations, pos_weight):
    assert_refused(operations, "pair_bce", "pos_weight", ValueError, right(), pos_weight=pos_weight)


# Sentence 1 has two tokens of four.
OUTSIDE = [(2, 0, 0, 0), (-1, 0, 0, 0), (0, 4, 0, 0), (0, 0, 4, 0), (0, -1, 0, 0), (0, 0, -1, 0), (0, 0, 0, 3)]
OUTSIDE += [(0, 0, 0, -1), (1, 2, 0, 0), (1, 0, 2, 0), (2**40, 0, 0, 0), (0, 2**62, 0, 0)]


@once
@pytest.mark.parametrize("cell", OUTSIDE, ids=str)
def test_a_gold_cell_that_is_none_of_its_sentence_is_refused(operations, cell):
    if operations.device != "cpu":
        pytest.skip("looking at values would have to wait for the GPU")
    given = {**right(), "gold": torch.tensor([[0, 0, 0, 0], cell, [0, 1, 1, 1]])}
    assert_refused(operations, "pair_bce", "gold", ValueError, given)


@once
@pytest.mark.parametrize(
    "anchors",
    [[[2, 0]], [[-1, 0]], [[0, 4]], [[0, -1]], [[1, 2]], [[0, 0], [2**40, 0]], [[0, -(2**62)]]],
    ids=str,
)
def test_an_anchor_that_is_no_token_is_refused(operations, anchors):
    if operations.device != "cpu":
        pytest.skip("looking at values would have to wait for the GPU")
    given = {**right(), "anchors": torch.tensor(anchors)}
    assert_refused(operations, "pair_select", "anchors", ValueError, given)


@once
@pytest.mark.parametrize("anchors", [[[0, 1], [0, 1]], [[0, 2], [0, 1]], [[1, 0], [0, 1]]], ids=str)
def test_anchors_out_of_order_or_twice_are_refused(operations, anchors):
    if operations.device != "cpu":
        pytest.skip("looking at values would have to wait for the GPU")
    given = {**right(), "anchors": torch.tensor(anchors)}
    assert_refused(operations, "pair_select", "anchors", ValueError, given)


@once
def test_gold_cells_of_no_sentence_are_refused(operations):
    """Where there is nothing that an index could lie in."""
    if operations.device != "cpu":
        pytest.skip("looking at values would have to wait for the GPU")
    case = pairs([], extra=3, labels=2, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"^gold: "):
        operations.pair_bce(*case.arguments[:4], torch.zeros(1, 4, dtype=LONG), case.lengths)
    with pytest.raises(ValueError, match=r"^anchors: "):
        operations.pair_select(*case.arguments[:4], torch.zeros(1, 2, dtype=LONG), case.lengths, 0.0)
