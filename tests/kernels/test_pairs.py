"""Scores of all token pairs against loops over the cells, their gradients, and the padding."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cman.kernels import pair_scores


def case(lengths: list[int], size: int = 3, labels: int = 2, extra: int = 0, seed: int = 0) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    batch, longest = len(lengths), max(lengths) + extra
    shapes = ((batch, longest, size), (batch, longest, size), (labels, size), (labels,))
    values = [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return *values, torch.tensor(lengths)


def looped(a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, lengths: Tensor) -> Tensor:
    result = torch.zeros(len(a), a.shape[1], a.shape[1], len(V), dtype=a.dtype)
    for b, n in enumerate(lengths.tolist()):
        for i in range(n):
            for j in range(n):
                for r in range(len(V)):
                    total = 0.0 if bias is None else float(bias[r])
                    for d in range(a.shape[2]):
                        total += float(V[r, d]) * math.tanh(float(a[b, i, d]) + float(c[b, j, d]))
                    result[b, i, j, r] = total
    return result


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 3),
    st.booleans(),
    st.integers(0, 2**20),
)
def test_every_cell_is_the_formula_for_its_row_column_and_label(lengths, size, labels, with_bias, seed):
    a, c, V, bias, n = case(lengths, size, labels, seed=seed)
    given_bias = bias if with_bias else None
    torch.testing.assert_close(pair_scores(a, c, V, given_bias, n), looped(a, c, V, given_bias, n))


def test_rows_are_read_from_the_first_argument_and_columns_from_the_second():
    a, c = torch.zeros(1, 2, 1), torch.zeros(1, 2, 1)
    a[0, 1], c[0, 0] = 5.0, -0.5
    scores = pair_scores(a, c, torch.ones(1, 1), None, torch.tensor([2]))[0, :, :, 0]
    expected = [[math.tanh(-0.5), 0.0], [math.tanh(4.5), math.tanh(5.0)]]
    assert scores.flatten().tolist() == pytest.approx(expected[0] + expected[1])


@pytest.mark.parametrize("with_bias", [True, False], ids=["bias", "no-bias"])
def test_the_gradients_are_right(with_bias):
    a, c, V, bias, lengths = case([3, 1], extra=1)
    leaves = [value.requires_grad_() for value in ((a, c, V, bias) if with_bias else (a, c, V))]

    def scores(*given: Tensor) -> Tensor:
        return pair_scores(*given[:3], given[3] if with_bias else None, lengths)

    assert torch.autograd.gradcheck(scores, leaves)


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, 1e30], ids=str)
def test_what_stands_in_the_padding_reaches_neither_scores_nor_gradients(garbage):
    results = []
    for value in (0.0, garbage):
        a, c, V, bias, lengths = case([3, 1], extra=1)
        outside = torch.arange(4) >= lengths.unsqueeze(1)
        a[outside], c[outside] = value, value
        leaves = [each.requires_grad_() for each in (a, c, V, bias)]
        scores = pair_scores(*leaves, lengths)
        # Weights for every cell, the padded ones too: their gradient must not come back.
        (scores * torch.arange(scores.numel()).view_as(scores)).sum().backward()
        results.append([scores.detach(), *(each.grad for each in leaves)])
    for expected, found in zip(*results, strict=True):
        assert torch.equal(expected, found)


def test_cells_with_a_token_in_the_padding_are_zero_in_spite_of_the_bias():
    a, c, V, bias, lengths = case([3, 1], extra=1)
    scores = pair_scores(a, c, V, bias, lengths)
    assert not scores[1, 1:].any() and not scores[1, :, 1:].any() and not scores[0, 3].any()
    assert scores[1, 0, 0].all()


def test_a_batch_gives_what_its_sentences_give_alone():
    a, c, V, bias, lengths = case([4, 2, 1])
    together = pair_scores(a, c, V, bias, lengths)
    for row, n in enumerate(lengths.tolist()):
        alone = pair_scores(a[row : row + 1, :n], c[row : row + 1, :n], V, bias, lengths[row : row + 1])
        torch.testing.assert_close(alone[0], together[row, :n, :n])


def test_the_arguments_are_left_as_they_were():
    a, c, V, bias, lengths = case([3, 1])
    before = [value.clone() for value in (a, c, V, bias)]
    pair_scores(a, c, V, bias, lengths)
    assert all(torch.equal(old, new) for old, new in zip(before, (a, c, V, bias), strict=True))


def test_large_arguments_of_opposite_signs_saturate_without_nan():
    a, c = torch.tensor([[[60.0], [-60.0]]]), torch.tensor([[[-60.0], [60.0]]])
    scores = pair_scores(a, c, torch.ones(1, 1), None, torch.tensor([2]))[0, :, :, 0]
    assert scores.tolist() == [[0.0, 1.0], [-1.0, 0.0]]


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("a and c", 0, torch.zeros(2, 3)),
        ("a and c", 1, torch.zeros(2, 3, 4)),
        ("V", 2, torch.zeros(2, 4)),
        ("V", 2, torch.zeros(3)),
        ("bias", 3, torch.zeros(3)),
        ("bias", 3, torch.zeros(1)),
        ("lengths", 4, torch.tensor([3])),
        ("lengths", 4, torch.tensor([4, 1])),
        ("lengths", 4, torch.tensor([3, -1])),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_name(name, place, value):
    arguments = list(case([3, 1]))
    arguments[place] = value.double() if value.is_floating_point() else value
    with pytest.raises(ValueError, match=f"^{name}: "):
        pair_scores(*arguments)
