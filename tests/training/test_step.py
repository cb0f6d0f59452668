"""One training step: what flows back, against the formulas; clipping; bounds; which parameters move."""

import copy

import pytest
import torch
from torch import nn
from trained import tiny_batch

from cman.config.configuration import changed
from cman.config.settings import Settings
from cman.model.build import build_model
from cman.model.losses import JointLoss
from cman.training.schedule import set_learning_rates
from cman.training.step import make_optimiser, training_step
from tests.training.conftest import SMALL

QUIET = {"dropout.inputs": 0.0, "dropout.recurrent": 0.0, "word.unknown_rate": 0.0}  # nothing is drawn


def built(**changes):
    settings = changed(Settings(), [(SMALL | QUIET | changes, "test")])
    vocabulary, batch = tiny_batch()
    torch.manual_seed(0)
    model = build_model(settings, vocabulary)
    joint = JointLoss(model.loss_names, settings)
    return model, joint, batch, settings


def stepped(model, joint, batch, settings):
    return training_step(model, joint, make_optimiser(model, joint, settings), batch, settings)


def gradients(model, joint):
    named = [*model.named_parameters(), *joint.named_parameters()]
    return {name: value.grad for name, value in named if value.grad is not None}


@pytest.mark.parametrize(
    "changes",
    [{}, {"at.reg_twice": True}, {"at.targets": "word_char"}, {"at.alpha": 2.0}, {"uw.enabled": False}],
    ids=str,
)
@pytest.mark.parametrize("architecture", ["cman", "multihead"])
def test_the_gradient_is_that_of_equation_22_computed_by_hand(architecture, changes):
    model, joint, batch, settings = built(**{"architecture": architecture, "at.enabled": True} | changes)
    other, other_joint = copy.deepcopy(model), copy.deepcopy(joint)
    passes = stepped(model, joint, batch, settings)

    x = other.inputs(batch)  # (B, L, D)
    losses = other.losses(x, batch)
    clean = other_joint(losses)
    (g,) = torch.autograd.grad(clean, x, retain_graph=True)
    eta = torch.zeros_like(g)
    for sentence in range(len(g)):
        length = sum(float(value) ** 2 for value in g[sentence].flatten()) ** 0.5
        eta[sentence] = settings.at.alpha * g.shape[2] ** 0.5 * g[sentence] / length
    noisy = other_joint(other.losses(x + eta, batch), regularise=settings.at.reg_twice)
    (clean + noisy).backward()

    expected, found = gradients(other, other_joint), gradients(model, joint)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=2e-3, atol=2e-5, msg=name)
    assert len(passes) == 2 and passes[0].keys() == set(model.loss_names)
    assert {name: float(value) for name, value in passes[0].items()} == pytest.approx(
        {name: float(value.detach()) for name, value in losses.items()}, rel=1e-5
    )


def test_without_adversarial_training_it_is_the_gradient_of_the_joint_loss():
    model, joint, batch, settings = built(**{"at.enabled": False})
    other, other_joint = copy.deepcopy(model), copy.deepcopy(joint)
    assert len(stepped(model, joint, batch, settings)) == 1
    other_joint(other.losses(other.inputs(batch), batch)).backward()
    expected = gradients(other, other_joint)
    for name, value in gradients(model, joint).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6, msg=name)


def test_clipping_bounds_the_norm_over_all_that_is_trained():
    model, joint, batch, settings = built(**{"training.clip_norm": 0.25})
    stepped(model, joint, batch, settings)
    values = list(gradients(model, joint).values())
    assert float(nn.utils.get_total_norm(values)) == pytest.approx(0.25, rel=1e-4)


def test_the_learned_variances_are_put_back_into_their_bounds():
    model, joint, batch, settings = built(**{"training.lr": 100.0})
    stepped(model, joint, batch, settings)
    assert {abs(value) for value in joint.log_variances().values()} == {settings.uw.clamp}


def test_the_log_variances_may_have_a_rate_of_their_own_that_falls_with_the_models():
    # The first step of Adam is as long as the rate, whatever the gradient.
    changes = {"training.clip_norm": None, "training.schedule": "linear", "training.epochs": 2}
    for changed_rate, expected in (({}, 0.0025), ({"uw.lr": 0.05}, 0.025)):
        model, joint, batch, settings = built(**changes, **changed_rate)
        optimiser = make_optimiser(model, joint, settings)
        set_learning_rates(optimiser, settings, 1, 0, 7)  # half of the way
        training_step(model, joint, optimiser, batch, settings)
        moved = [abs(s) for s in joint.log_variances().values()]
        assert moved == pytest.approx([expected] * 3, rel=1e-4)
        assert optimiser.param_groups[0]["lr"] == pytest.approx(0.0025)


def test_a_step_forgets_the_gradients_of_the_one_before():
    model, joint, batch, settings = built(**{"training.lr": 1e-12})
    optimiser = make_optimiser(model, joint, settings)
    runs = []
    for _ in range(2):
        training_step(model, joint, optimiser, batch, settings)
        runs.append({name: value.clone() for name, value in gradients(model, joint).items()})
    for name, value in runs[0].items():
        torch.testing.assert_close(runs[1][name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_inputs_that_are_not_trained_stay_as_they_are():
    model, joint, batch, settings = built(**{"word.trainable": False, "char.enabled": False})
    before = model.inputs.word.weight.clone()
    other = model.first_crf.emission.weight.clone()
    stepped(model, joint, batch, settings)
    assert torch.equal(model.inputs.word.weight, before)
    assert not torch.equal(model.first_crf.emission.weight, other)
