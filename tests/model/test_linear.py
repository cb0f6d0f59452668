"""Products by oneDNN in training: as PyTorch's own within rounding, where the processor is one that gains by them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cman.kernels import use_kernels
from cman.kernels.library import onednn_multiplies
from cman.model import linear
from cman.model.linear import Linear

needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")


@pytest.fixture(autouse=True)
def everywhere(monkeypatch):
    """Let any processor take oneDNN: it is everywhere right, and faster on some."""
    monkeypatch.setattr(linear, "onednn_multiplies", lambda tensor: tensor.dtype == torch.float32)


def pair(size: int, out: int, bias: bool) -> tuple[Linear, nn.Linear]:
    torch.manual_seed(1)
    mine, theirs = Linear(size, out, bias), nn.Linear(size, out, bias)
    theirs.load_state_dict(mine.state_dict())
    return mine, theirs


@needs_onednn
@settings(max_examples=25)
@given(
    shape=st.sampled_from([(1,), (7,), (3, 5), (1, 1), (2, 3, 4), (0, 4), (16, 33)]),
    size=st.integers(1, 40),
    out=st.integers(1, 40),
    bias=st.booleans(),
    trained=st.booleans(),
)
def test_it_gives_what_torchs_linear_gives_and_its_gradients(shape, size, out, bias, trained):
    mine, theirs = pair(size, out, bias)
    x = torch.randn(*shape, size)
    values = []
    for layer in (mine, theirs):
        own = x.clone().requires_grad_(trained)
        y = layer(own)
        (y * torch.arange(y.numel()).cos().view_as(y)).sum().backward()
        values.append([y, *(each.grad for each in (own, *layer.parameters()) if each.grad is not None)])
    assert len(values[0]) == len(values[1]) == 2 + bias + trained
    for one, other in zip(*values, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


@needs_onednn
def test_without_gradients_it_is_the_same_and_of_other_types_torchs_own():
    mine, _ = pair(30, 20, True)
    x = torch.randn(9, 30)
    with torch.no_grad():
        expected = mine(x)
    assert torch.equal(mine(x), expected) and not expected.requires_grad
    with torch.autocast("cpu", torch.bfloat16):
        assert mine(x).dtype == torch.bfloat16
    assert mine.double()(x.double()).dtype == torch.float64


@needs_onednn
def test_a_gradient_that_is_to_be_differentiated_again_is_refused():
    mine, _ = pair(5, 4, True)
    x = torch.randn(3, 5, requires_grad=True)
    (first,) = torch.autograd.grad(mine(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_plain_pytorch_multiplies_by_plain_pytorch():
    use_kernels("reference")
    try:
        assert not onednn_multiplies(torch.zeros(2, 2))
    finally:
        use_kernels("auto")
    assert not onednn_multiplies(torch.zeros(2, 2, dtype=torch.float64))
