"""Dropout: which share is set to 0, what becomes of the rest, and that no number's fate tells another's."""

import pytest
import torch

from cman.model.dropout import Dropout

SHAPE = (50, 41, 97)  # no multiple of four numbers


def dropped(p, x=None, seed=1):
    torch.manual_seed(seed)
    return Dropout(p)(torch.ones(SHAPE) if x is None else x)


@pytest.mark.parametrize("p", [0.1, 0.15, 0.4, 0.5, 0.9])
def test_the_share_is_set_to_0_and_the_rest_scaled_so_that_the_mean_stays(p):
    result = dropped(p)
    zeros = (result == 0).double().mean().item()
    assert zeros == pytest.approx(p, abs=4 * (p * (1 - p) / result.numel()) ** 0.5 + 1 / 65536)
    kept = result[result != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=2e-4, atol=0)


def test_neighbours_are_dropped_independently_of_each_other():
    zero = (dropped(0.4) == 0).double().flatten() - 0.4
    for distance in (1, 2, 3, 4, 5, 97):  # four pieces come of one random number
        correlation = (zero[distance:] * zero[:-distance]).mean() / 0.24
        assert abs(correlation) < 4 / len(zero) ** 0.5


def test_a_seed_decides_and_another_decides_otherwise():
    assert torch.equal(dropped(0.4), dropped(0.4))
    assert not torch.equal(dropped(0.4), dropped(0.4, seed=2))


def test_the_gradient_goes_where_the_number_went():
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(2)).requires_grad_()
    result = dropped(0.4, x)
    result.sum().backward()
    torch.testing.assert_close(result, x * x.grad)
    assert ((x.grad == 0) == (result == 0)).all()


def test_evaluation_and_a_share_of_0_change_nothing_and_a_share_of_1_leaves_nothing():
    x = torch.randn(4, 5)
    assert torch.equal(Dropout(0.4).eval()(x), x) and torch.equal(Dropout(0.0)(x), x)
    assert not Dropout(1.0)(x).any()
    assert Dropout(0.4)(torch.zeros(0, 3)).shape == (0, 3)
