"""Double backward: the operations' gradients in plain PyTorch, to be differentiated again (`create_graph=True`).

Written for clearness, with a loop over tokens that autograd records: second derivatives are for checks and small
studies. A forbidden transition counts as one with the score -1e18, which has the probability and gradient 0.
"""

import torch
from torch import Tensor

from cman.kernels import reference

FORBIDDEN = -1e18

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
        result = _log_partition(views, lengths, allowed)
        if tags is not None:
            result = result - _path_score(views, tags, lengths)
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


def _log_partition(potentials: Leaves, lengths: Tensor, allowed: Tensor | None) -> Tensor:
    emissions, transitions, start, end = potentials
    if allowed is not None:
        transitions = transitions.masked_fill(~allowed[:-1], FORBIDDEN)
        start = start.masked_fill(~allowed[-1], FORBIDDEN)
    transitions, start, end = (scores.clamp(min=FORBIDDEN) for scores in (transitions, start, end))
    inside = torch.arange(emissions.shape[1], device=emissions.device) < lengths.unsqueeze(1)  # (B, L)
    emissions = emissions.masked_fill(~inside.unsqueeze(2), 0).clamp(min=FORBIDDEN)
    if emissions.shape[1] == 0:
        return emissions.sum((1, 2))
    state = start + emissions[:, 0]  # (B, K)
    for t in range(1, emissions.shape[1]):
        ahead = torch.logsumexp(state.unsqueeze(2) + transitions, 1) + emissions[:, t]
        state = torch.where(inside[:, t].unsqueeze(1), ahead, state)
    result = torch.logsumexp(state + end, 1)
    return torch.where((lengths > 0) & (result > FORBIDDEN / 2), result, 0)


def _path_score(potentials: Leaves, tags: Tensor, lengths: Tensor) -> Tensor:
    emissions, transitions, start, end = potentials
    inside = torch.arange(emissions.shape[1], device=emissions.device) < lengths.unsqueeze(1)
    if emissions.shape[1] == 0:
        return emissions.sum((1, 2))
    tags = tags.masked_fill(~inside, 0)
    unary = emissions.gather(2, tags.unsqueeze(2)).squeeze(2).masked_fill(~inside, 0).sum(1)
    moves = transitions[tags[:, :-1], tags[:, 1:]].masked_fill(~inside[:, 1:], 0).sum(1)
    last = tags.gather(1, (lengths - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
    return unary + moves + (start[tags[:, 0]] + end[last]).masked_fill(lengths == 0, 0)
