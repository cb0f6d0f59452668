"""The perturbation of equation 22: its size, its direction and the inputs that it touches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cman.config.settings import Adversarial
from cman.model.adversarial import perturbation


def gradient(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 8), st.floats(1e-4, 10), st.floats(1e-6, 1e6))
def test_its_norm_is_alpha_times_the_root_of_the_size_in_each_sentence(batch, length, size, alpha, scale):
    eta = perturbation(gradient(batch, length, size) * scale, size, Adversarial(alpha=alpha))
    assert eta.flatten(1).norm(dim=1).tolist() == pytest.approx([alpha * size**0.5] * batch)


def test_it_points_along_the_gradient_of_each_sentence():
    g = gradient(3, 4, 6)
    eta = perturbation(g, 2, Adversarial())
    cosine = torch.nn.functional.cosine_similarity(eta.flatten(1), g.flatten(1))
    assert cosine.tolist() == pytest.approx([1.0] * 3)


def test_the_scale_of_one_sentence_does_not_touch_another():
    g = gradient(2, 4, 6)
    louder = g.clone()
    louder[1] *= 1000
    torch.testing.assert_close(perturbation(louder, 6, Adversarial()), perturbation(g, 6, Adversarial()))


def test_word_char_leaves_the_contextual_inputs_alone():
    g = gradient(2, 4, 6)
    eta = perturbation(g, 2, Adversarial(targets="word_char", alpha=0.5))
    assert not eta[..., 2:].any()
    assert eta.flatten(1).norm(dim=1).tolist() == pytest.approx([0.5 * 2**0.5] * 2)
    torch.testing.assert_close(eta[..., :2], perturbation(g[..., :2], 2, Adversarial(alpha=0.5)))


@pytest.mark.parametrize("targets", ["all", "word_char"])
def test_a_zero_gradient_gives_zero_and_no_nan(targets):
    g = gradient(2, 4, 6)
    g[0] = 0
    eta = perturbation(g, 3, Adversarial(targets=targets))
    assert torch.isfinite(eta).all() and not eta[0].any() and eta[1].any()


def test_no_gradient_flows_through_it():
    g = gradient(1, 2, 3).requires_grad_()
    assert not perturbation(g * 2, 3, Adversarial()).requires_grad


def test_padding_without_gradient_stays_unperturbed():
    g = gradient(2, 4, 6)
    g[1, 2:] = 0
    assert not perturbation(g, 6, Adversarial())[1, 2:].any()
