"""`torch.nn.Linear` whose products go to oneDNN where that is the faster library.

PyTorch sends products of float32 to MKL, which takes AMD's processors with AVX-512 for lesser ones; oneDNN computes
them in half the time there. Which it is, the processor decides and no measurement, so that a seed gives the same
weights in every run.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from cman.kernels.library import onednn_multiplies


class Linear(nn.Linear):
    """(..., in) -> (..., out), x W^T + b; parameters and their first values are those of `torch.nn.Linear`."""

    def forward(self, input: Tensor) -> Tensor:
        narrow = torch.is_autocast_enabled(input.device.type)
        if narrow or input.numel() == 0 or not onednn_multiplies(input):
            return super().forward(input)
        if not torch.is_grad_enabled():
            return _times(input, self.weight, self.bias)
        result: Tensor = _Product.apply(input, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _times(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        rows = grad.flatten(0, -2)
        of_x, of_weight, of_bias = ctx.needs_input_grad
        return (
            _times(rows, weight.t()).view_as(x) if of_x else None,
            _times(rows.t(), x.flatten(0, -2).t()) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )


def _times(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return a b^T + bias."""
    result: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")
    return result
