"""The LSTM over padded sentences: PyTorch's own on each sentence alone, gradients, padding, batches and threads."""

import functools

import pytest
import torch
from crf_problem import examples
from hypothesis import given
from hypothesis import strategies as st
from implementations import FLOATS, compiled_on_cpu, every_set, everywhere, for_each
from torch import Tensor, nn

from cman import kernels
from cman.kernels import reference

Case = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def case(lengths, size=5, hidden=3, extra=0, seed=1, dtype=torch.float32) -> Case:
    generator = torch.Generator().manual_seed(seed)
    randn = functools.partial(torch.randn, generator=generator, dtype=torch.float64)
    shape = (len(lengths), max(lengths, default=0) + extra, size)
    values = randn(shape), randn(4 * hidden, size), randn(4 * hidden, hidden), randn(4 * hidden)
    x, W, U, bias = (value.to(dtype) for value in values)
    return x, torch.tensor(lengths, dtype=torch.int64), W, U, bias


def leaves(given_case: Case, dtype=None) -> Case:
    x, lengths, *weights = given_case
    x, W, U, bias = (value.detach().to(dtype or value.dtype).clone().requires_grad_() for value in (x, *weights))
    return x, lengths, W, U, bias


def gradients(arguments: Case) -> list[Tensor]:
    given_to = [arguments[index] for index in (0, 2, 3, 4)]
    return [torch.zeros_like(each) if each.grad is None else each.grad for each in given_to]


def torchs(arguments: Case, backwards: bool) -> Tensor:
    """Return what `torch.nn.LSTM`, one sentence at a time, makes of a batch."""
    x, lengths, W, U, bias = arguments
    unit = nn.LSTM(x.shape[2], U.shape[1], batch_first=True, dtype=x.dtype)
    weights = {"weight_ih_l0": W, "weight_hh_l0": U, "bias_ih_l0": bias, "bias_hh_l0": torch.zeros_like(bias)}
    rows = []
    for sentence, n in zip(x, lengths.tolist(), strict=True):
        read = sentence[:n].flip(0) if backwards else sentence[:n]
        outputs = read.new_zeros(0, U.shape[1])
        if n:
            outputs = torch.func.functional_call(unit, weights, (read.unsqueeze(0),))[0][0]
        rows.append(nn.functional.pad(outputs.flip(0) if backwards else outputs, (0, 0, 0, x.shape[1] - n)))
    return torch.stack(rows)


def assert_as_torch(operations, given_case: Case, backwards: bool) -> None:
    arguments, exact = leaves(given_case), leaves(given_case, torch.float64)
    outputs, expected = operations.lstm(*arguments, backwards), torchs(exact, backwards)
    assert outputs.dtype == given_case[0].dtype
    tolerance = 1e-12 if outputs.dtype == torch.float64 else 3e-6
    torch.testing.assert_close(outputs.detach().double(), expected.detach(), rtol=0, atol=tolerance)
    upstream = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    outputs.backward(upstream.to(outputs.dtype))
    if any(given_case[1]):  # else torch's LSTM was never called
        expected.backward(upstream)
    for found, wanted in zip(gradients(arguments), gradients(exact), strict=True):
        scale = max(1.0, float(wanted.abs().max())) if wanted.numel() else 1.0
        torch.testing.assert_close(found.double(), wanted, rtol=0, atol=10 * tolerance * scale)


@examples
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.integers(1, 4),
    st.integers(1, 9),
    st.booleans(),
    st.integers(0, 2**20),
)
@everywhere
@for_each(dtype=FLOATS)
def test_each_sentence_is_read_as_by_torchs_lstm_alone(operations, dtype, lengths, size, hidden, backwards, seed):
    assert_as_torch(operations, case(lengths, size, hidden, extra=seed % 2, seed=seed, dtype=dtype), backwards)


@everywhere
@for_each(hidden=[1, 4, 7, 8, 16, 31, 33, 64], backwards=[False, True])
def test_any_number_of_units_and_of_sentences_is_as_exact(operations, hidden, backwards):
    assert_as_torch(operations, case([9, 1, 4, 9, 7, 0, 3, 2, 5], 6, hidden, extra=2), backwards)


@everywhere
@for_each(backwards=[False, True])
def test_what_stands_in_the_padding_never_matters(operations, backwards):
    lengths = [4, 0, 2, 3]
    clean, dirty = leaves(case(lengths, extra=2)), leaves(case(lengths, extra=2))
    outside = torch.arange(6) >= clean[1].unsqueeze(1)
    for garbage in (float("nan"), float("inf"), 1e30):
        dirty[0].data[outside] = garbage
        results = []
        for arguments in (clean, dirty):
            for value in arguments:
                value.grad = None
            outputs = operations.lstm(*arguments, backwards)
            upstream = torch.ones_like(outputs)
            upstream[outside] = 0 if arguments is clean else 3.0  # nor does the gradient of what stands there
            outputs.backward(upstream)
            results.append([outputs.detach(), *gradients(arguments)])
        assert not results[1][0][outside].any() and not results[1][1][outside].any()
        for expected, found in zip(*results, strict=True):
            assert torch.equal(found, expected)


@everywhere
@for_each(value=[30.0, 1e4, 3e38])
def test_large_inputs_saturate_the_gates_and_give_numbers(operations, value):
    x, lengths, W, U, bias = case([6], 2, 5)
    arguments = leaves((torch.full_like(x, value), lengths, W.sign(), U, bias))
    outputs = operations.lstm(*arguments)
    outputs.sum().backward()
    assert outputs.abs().max() <= 1
    assert all(torch.isfinite(each).all() for each in (outputs, *gradients(arguments)[2:]))


@everywhere
def test_nan_within_a_sentence_stays_nan(operations):
    x, *others = case([3, 3])
    x[0, 1] = float("nan")
    outputs = operations.lstm(x, *others)
    assert outputs[0, 1:].isnan().all() and not outputs[0, 0].isnan().any() and not outputs[1].isnan().any()


@every_set
@for_each(backwards=[False, True])
def test_a_sentence_has_the_same_bits_in_every_batch(operations, backwards):
    x, lengths, *weights = case([5, 17, 1, 9, 17, 3, 12], 6, 20)
    # What all tokens have ready before is torch's product, whose bits may depend on the number of rows.
    x, W = torch.zeros_like(x), torch.zeros_like(weights[0])
    together = operations.lstm(x, lengths, W, *weights[1:], backwards)
    for row, n in enumerate(lengths.tolist()):
        alone = operations.lstm(x[row : row + 1, :n], lengths[row : row + 1], W, *weights[1:], backwards)
        assert torch.equal(together[row, :n], alone[0])


@compiled_on_cpu
@for_each(backwards=[False, True])
def test_the_number_of_threads_changes_no_bit(operations, backwards):
    results, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            x, lengths, W, *others = case([5, 17, 1, 9, 17, 3, 12, 17, 2], 6, 20)
            arguments = leaves((x, lengths, torch.zeros_like(W), *others))
            outputs = operations.lstm(*arguments, backwards)
            outputs.square().sum().backward()
            results.append([outputs.detach(), arguments[4].grad])
    finally:
        torch.set_num_threads(before)
    for others in results[1:]:
        assert all(map(torch.equal, results[0], others))


@everywhere
@for_each(dtype=[torch.float16, torch.bfloat16])
def test_half_precision_is_computed_and_returned_in_float32(operations, dtype):
    x, lengths, *weights = case([3, 2])
    narrow = [value.to(dtype) for value in (x, *weights)]
    wide = [value.float() for value in narrow]
    found = operations.lstm(narrow[0], lengths, *narrow[1:])
    torch.testing.assert_close(found, operations.lstm(wide[0], lengths, *wide[1:]), rtol=0, atol=0)


@everywhere
@for_each(shape=[(0, 4), (2, 0), (0, 0)])
def test_no_sentence_or_no_token_gives_nothing(operations, shape):
    _, _, W, U, bias = case([1])
    x = torch.zeros(*shape, 5, requires_grad=True)
    outputs = operations.lstm(x, torch.zeros(shape[0], dtype=torch.int64), W, U, bias)
    outputs.sum().backward()
    assert outputs.shape == (*shape, 3) and not x.grad.any()


@compiled_on_cpu
def test_the_gradient_can_be_asked_for_twice_but_not_differentiated(operations):
    arguments = leaves(case([4, 2]))
    outputs = operations.lstm(*arguments)
    first, again = (torch.autograd.grad(outputs.sum(), arguments[2], retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, again)
    with pytest.raises(NotImplementedError, match="wanted the first one alone"):
        torch.autograd.grad(outputs.sum(), arguments[2], create_graph=True)
    definition = leaves(case([4, 2], dtype=torch.float64))
    assert torch.autograd.gradgradcheck(lambda x: reference.lstm(x, *definition[1:]), (definition[0],))


def test_forward_mode_and_transforms_take_the_definition():
    x, lengths, *weights = case([4, 2])
    tangent = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    for module in (kernels, reference):
        _, found = torch.func.jvp(lambda x, module=module: module.lstm(x, lengths, *weights), (x,), (tangent,))
        step = 1e-3
        moved = [module.lstm((x + sign * step * tangent).double(), lengths, *(each.double() for each in weights))
                 for sign in (1, -1)]  # fmt: skip
        torch.testing.assert_close(found.double(), (moved[0] - moved[1]) / (2 * step), rtol=1e-3, atol=1e-4)


WRONG = {
    "x: got shape (2, 5), wanted (B, L, D)": lambda x, n, W, U, b: (x[:, 0], n, W, U, b),
    "U: got shape (11, 3), wanted (4 H, H)": lambda x, n, W, U, b: (x, n, W, U[1:], b),
    "W: got shape (12, 4), wanted (12, 5)": lambda x, n, W, U, b: (x, n, W[:, 1:], U, b),
    "bias: got shape (11,), wanted (12,)": lambda x, n, W, U, b: (x, n, W, U, b[1:]),
    "lengths: got shape (1,), wanted (2,)": lambda x, n, W, U, b: (x, n[1:], W, U, b),
    "lengths: got int32, wanted int64": lambda x, n, W, U, b: (x, n.int(), W, U, b),
    "lengths: got values from 2 to 5, wanted 0 to 4": lambda x, n, W, U, b: (x, n + (n > 2), W, U, b),
    "lengths: got values from -2 to -1, wanted 0 to 4": lambda x, n, W, U, b: (x, -(n // 2), W, U, b),
    "W: got float64, wanted float32, as x": lambda x, n, W, U, b: (x, n, W.double(), U, b),
    "x: got int64, wanted float32, float64, float16 or bfloat16": lambda x, n, W, U, b: (x.long(), n, W, U, b),
}


@everywhere
@for_each(wanted=list(WRONG))
def test_a_wrong_argument_is_named_with_what_was_found_and_what_was_wanted(operations, wanted):
    if operations.device == "cuda" and "values" in wanted:
        return  # looking at them would wait for the device
    wrong = WRONG[wanted](*case([4, 2]))
    with pytest.raises((ValueError, TypeError)) as raised:
        operations.lstm(*wrong)
    assert str(raised.value).splitlines()[0] == wanted
