"""Double backward: the operations' gradients in plain PyTorch, to be differentiated again (`create_graph=True`)."""

import torch
from torch import Tensor

from cman.kernels import reference
from cman.kernels.differentiable import log_partition, path_score

Gradients = tuple[Tensor, Tensor, Tensor, Tensor]
Leaves = tuple[Tensor, Tensor, Tensor, Tensor]


def crf_backward(
    grad: Tensor,
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    tags: Tensor | None,
    lengths: Tensor,
    allowed: Tensor | None,
) -> Gradients:
    """Return the gradients of `grad . log-partition`, or of the negative log-likelihood of the tags, if given."""
    inputs = emissions, transitions, start, end
    with torch.enable_grad():
        views = _leaves(*inputs)
        result, _ = log_partition(views, lengths, allowed)
        if tags is not None:
            result = result - path_score(views, tags, lengths)
        return _gradients(result, views, grad)


def pair_scores_backward(grad: Tensor, a: Tensor, c: Tensor, V: Tensor, lengths: Tensor) -> Gradients:
    """Return the gradients of `grad . scores` with respect to a, c, V and the bias."""
    bias = V.new_zeros(V.shape[0])
    with torch.enable_grad():
        views = _leaves(a, c, V, bias)
        return _gradients(reference.pair_scores(*views, lengths), views, grad)


def pair_bce_backward(
    grad: Tensor,
    a: Tensor,
    c: Tensor,
    V: Tensor,
    bias: Tensor | None,
    gold: Tensor,
    lengths: Tensor,
    pos_weight: float,
) -> Gradients:
    """Return the gradients of `grad . loss` with respect to a, c, V and the bias."""
    inputs = a, c, V, V.new_zeros(V.shape[0]) if bias is None else bias
    with torch.enable_grad():
        views = _leaves(*inputs)
        return _gradients(reference.pair_bce(*views, gold, lengths, pos_weight=pos_weight), views, grad)


def _leaves(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Leaves:
    """Return the inputs as tensors that a gradient can be taken of; it still depends on those that require one."""

    def leaf(value: Tensor) -> Tensor:
        return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()

    return leaf(a), leaf(b), leaf(c), leaf(d)


def _gradients(result: Tensor, inputs: Leaves, grad: Tensor) -> Gradients:
    grads = torch.autograd.grad(result, inputs, grad, create_graph=True, allow_unused=True)
    first, second, third, fourth = (
        torch.zeros_like(value) if gradient is None else gradient for value, gradient in zip(inputs, grads, strict=True)
    )
    return first, second, third, fourth
