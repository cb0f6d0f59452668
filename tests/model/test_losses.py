"""The joint objective, computed by hand."""

import math

import pytest
import torch

from cman.config.configuration import changed
from cman.config.settings import Settings
from cman.model.losses import JointLoss

NAMES = ("first", "second", "rel")
S = {"first": 0.5, "second": -1.0, "rel": 2.0}
LOSSES = {"first": torch.tensor(3.0), "second": torch.tensor(0.2), "rel": torch.tensor(10.0)}
TERMS = {
    "paper": (lambda s, loss: math.exp(-s) * loss, lambda s: s),
    "kendall": (lambda s, loss: 0.5 * math.exp(-s) * loss, lambda s: 0.5 * s),
    "log1p": (lambda s, loss: math.exp(-s) * loss, lambda s: math.log(1 + math.exp(s))),
}


def joint(**changes: object) -> JointLoss:
    return JointLoss(NAMES, changed(Settings(), [(changes, "test")]))


@pytest.mark.parametrize("regularise", [True, False])
@pytest.mark.parametrize("form", TERMS)
def test_uncertainty_weighting_is_equations_24_to_26(form, regularise):
    module = joint(**{"uw.form": form})
    for name, value in S.items():
        module.log_variance[name].data.fill_(value)
    weighted, regulariser = TERMS[form]
    expected = sum(weighted(S[name], float(LOSSES[name])) for name in NAMES)
    expected += sum(regulariser(S[name]) for name in NAMES) if regularise else 0
    assert module(LOSSES, regularise).item() == pytest.approx(expected, rel=1e-6)


def test_regularisation_is_on_unless_it_is_turned_off():
    module = joint()
    module.log_variance["rel"].data.fill_(1.0)
    difference = module(LOSSES) - module(LOSSES, regularise=False)
    assert difference.item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(("form", "expected"), [("paper", 13.2), ("kendall", 6.6), ("log1p", 13.2 + 3 * math.log(2))])
def test_every_loss_starts_with_a_variance_of_one(form, expected):
    assert joint(**{"uw.form": form})(LOSSES).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("regularise", [True, False])
def test_fixed_weights_are_equation_23(regularise):
    module = joint(**{"uw.enabled": False, "loss.first": 2.0, "loss.second": 0.0, "loss.rel": 0.5})
    assert module(LOSSES, regularise).item() == pytest.approx(2 * 3 + 0 + 5)
    assert not list(module.parameters())
    assert all(math.isnan(value) for value in module.log_variances().values())


def test_the_default_fixed_weights_sum_the_losses():
    assert joint(**{"uw.enabled": False})(LOSSES).item() == pytest.approx(13.2)


def test_only_the_losses_of_the_model_are_weighed():
    module = JointLoss(("second", "rel"), Settings())
    assert set(module.log_variances()) == {"second", "rel"}
    assert module({"second": LOSSES["second"], "rel": LOSSES["rel"]}).item() == pytest.approx(10.2)


@pytest.mark.parametrize("direction", [1, -1])
def test_bounds_are_held_after_steps_and_a_parameter_at_a_bound_can_come_back(direction):
    module = joint(**{"uw.clamp": 0.5})
    optimiser = torch.optim.Adam(module.parameters(), lr=0.1)
    # A large loss pushes s up, a loss near zero pushes it down; then the opposite one must pull it off the bound.
    away, back = (5.0, 0.0) if direction > 0 else (0.0, 5.0)
    for _ in range(30):
        optimiser.zero_grad()
        module({name: torch.tensor(away) for name in NAMES}).backward()
        optimiser.step()
        module.hold_bounds()
        assert all(abs(value) <= 0.5 for value in module.log_variances().values())
    assert module.log_variances() == dict.fromkeys(NAMES, 0.5 * direction)
    for _ in range(60):
        optimiser.zero_grad()
        module({name: torch.tensor(back) for name in NAMES}).backward()
        optimiser.step()
        module.hold_bounds()
    assert all(value * direction < 0.5 for value in module.log_variances().values())


def test_gradients_reach_the_losses_scaled_by_their_precision():
    module = joint()
    module.log_variance["rel"].data.fill_(2.0)
    losses = {name: value.clone().requires_grad_() for name, value in LOSSES.items()}
    module(losses).backward()
    assert float(losses["rel"].grad) == pytest.approx(math.exp(-2.0))
    assert float(losses["first"].grad) == pytest.approx(1.0)
    assert module.log_variance["rel"].grad.item() == pytest.approx(1 - math.exp(-2.0) * 10)


def test_a_loss_of_zero_stays_finite_and_bounded_from_below():
    module = joint()
    module.log_variance["second"].data.fill_(-4.0)
    total = module({name: torch.tensor(0.0) for name in NAMES})
    assert total.item() == pytest.approx(-4.0)
