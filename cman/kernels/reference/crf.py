"""Linear-chain CRF: Viterbi decoding, log-partition, negative log-likelihood and marginals (equations 9, 15, 18, 19).

The score of tags y over a sentence of n tokens is

    start[y_1] + sum_t emissions[t, y_t] + sum_{t>1} transitions[y_{t-1}, y_t] + end[y_n]

Shapes: emissions (B, L, K); transitions (K, K), from row to column, or (B, L, K, K) when they depend on the token they
lead to (position 0 is not read); start and end (K,); lengths (B,), each from 0 to L; tags (B, L) int64. A transition
of minus infinity forbids it, and so does `allowed`, (K + 1, K) bool, whose last row is the start of a sentence.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from cman.kernels.reference.checks import (
    check_device,
    check_dtype,
    check_numbers,
    check_range,
    check_shape,
    promoted,
)
from cman.kernels.reference.messages import Crf, forward_backward, inside, path_steps, probabilities, step
from cman.kernels.reference.nbest import decode_nbest


def crf_decode(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
    nbest: int = 1,
) -> tuple[Tensor, Tensor]:
    """Return the best tags (B, L), -1 past the length, and their scores (B,); ties go to the lowest tag.

    Args:
        nbest: with more than 1, the tags (B, nbest, L) and scores (B, nbest) of the best paths, best first; where a
            sentence has fewer paths, the rest has the score minus infinity and the tags -1.
    """
    crf = checked(emissions, transitions, start, end, lengths, allowed)
    check_numbers("emissions", crf.emissions, lengths)
    if nbest < 1:
        raise ValueError(f"nbest: got {nbest}, wanted 1 or more")
    if nbest > 1:
        return decode_nbest(crf, nbest)
    batch, length, tags = crf.emissions.shape
    if length == 0:
        return lengths.new_empty((batch, 0)), crf.emissions.new_zeros(batch)
    pointers = crf.emissions.new_zeros((length, batch, tags), dtype=torch.int64)
    identity = torch.arange(tags, device=emissions.device).expand(batch, tags)
    best = crf.start + crf.emissions[:, 0]  # (B, K): the score of the best path that ends in each tag
    for t in range(1, length):
        scores, arg = (best.unsqueeze(2) + step(crf.transitions, t)).max(1)
        going_on = (t < lengths).unsqueeze(1)
        best = torch.where(going_on, scores + crf.emissions[:, t], best)
        pointers[t] = torch.where(going_on, arg, identity)
    path_score, last = (best + crf.end).max(1)
    path = lengths.new_empty((length, batch))
    for t in range(length - 1, -1, -1):
        path[t] = last
        last = pointers[t].gather(1, last.unsqueeze(1)).squeeze(1)
    return path.t().masked_fill(~inside(crf), -1), path_score.masked_fill(lengths == 0, 0)


def crf_log_partition(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return the logarithm of the sum over all tag sequences of exp(score), (B,); differentiable once.

    It is minus infinity, with the gradient 0, for a sentence on which no path is allowed.
    """
    return _log_partition(checked(emissions, transitions, start, end, lengths, allowed))


def crf_nll(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    tags: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return -log Pr(tags) of each sentence, (B,); differentiable once. Tags past the length are not read.

    A path over a forbidden transition has the loss infinity and the gradient 0.
    """
    crf = checked(emissions, transitions, start, end, lengths, allowed)
    check_shape("tags", tags, tuple(emissions.shape[:2]))
    check_dtype("tags", tags, torch.int64)
    check_device(("emissions", emissions), tags=tags)
    mask = inside(crf)
    tags = tags.masked_fill(~mask, 0)
    check_range("tags", tags, 0, emissions.shape[2] - 1)
    if emissions.shape[1] == 0:
        return _log_partition(crf)
    score = path_steps(crf, tags)
    last = tags.gather(1, (lengths - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
    ends = (crf.start[tags[:, 0]] + crf.end[last]).masked_fill(lengths == 0, 0)
    path_score = score.masked_fill(~mask, 0).sum(1) + ends
    loss = _log_partition(crf) - path_score
    return torch.where(path_score == float("-inf"), float("inf"), loss)


def crf_marginals(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return the probability of each tag at each token, (B, L, K); 0 past the length and where no path is allowed."""
    crf = checked(emissions, transitions, start, end, lengths, allowed)
    if crf.emissions.shape[1] == 0:
        return torch.zeros_like(crf.emissions)
    messages = forward_backward(crf)
    return probabilities(messages.alpha + messages.beta, 2).masked_fill(~inside(crf).unsqueeze(2), 0)


def checked(
    emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor, allowed: Tensor | None = None
) -> Crf:
    """Return the checked arguments in the type to compute in, with forbidden transitions at minus infinity.

    Raises:
        ValueError: a shape, device or value that does not fit; TypeError: a type that does not.
    """
    if emissions.dim() != 3 or emissions.shape[2] == 0:
        raise ValueError(f"emissions: got shape {tuple(emissions.shape)}, wanted (B, L, K) with K at least 1")
    batch, length, tags = emissions.shape
    check_shape("transitions", transitions, (tags, tags), (batch, length, tags, tags))
    check_shape("start", start, (tags,))
    check_shape("end", end, (tags,))
    check_shape("lengths", lengths, (batch,))
    check_dtype("lengths", lengths, torch.int64)
    others = {"transitions": transitions, "start": start, "end": end, "lengths": lengths, "allowed": allowed}
    check_device(("emissions", emissions), **others)
    emissions, transitions, start, end = promoted(emissions=emissions, transitions=transitions, start=start, end=end)
    if allowed is not None:
        check_shape("allowed", allowed, (tags + 1, tags))
        check_dtype("allowed", allowed, torch.bool)
        forbidden = float("-inf")
        transitions = transitions.masked_fill(~allowed[:-1], forbidden)
        start = start.masked_fill(~allowed[-1], forbidden)
    check_range("lengths", lengths, 0, length)
    return Crf(emissions, transitions, start, end, lengths)


def _log_partition(crf: Crf) -> Tensor:
    if crf.emissions.shape[1] == 0:
        return crf.emissions.sum((1, 2))
    result: Tensor = _LogPartition.apply(*crf)  # type: ignore[no-untyped-call]
    return result


class _LogPartition(Function):
    """logZ whose backward multiplies the marginals that the forward pass computed on the way."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
    ) -> Tensor:
        messages = forward_backward(Crf(emissions, transitions, start, end, lengths))
        ctx.save_for_backward(emissions, transitions, lengths, messages.alpha, messages.beta)
        return messages.log_partition.to(emissions.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        emissions, transitions, lengths, alpha, beta = ctx.saved_tensors
        mask = torch.arange(emissions.shape[1], device=emissions.device) < lengths.unsqueeze(1)
        weight = grad[:, None, None]
        unary = probabilities(alpha + beta, 2) * weight  # (B, L, K)
        unary = unary.masked_fill(~mask.unsqueeze(2), 0)
        steps = transitions if transitions.dim() == 2 else transitions[:, 1:]
        onward = (emissions + beta)[:, 1:]
        pairs = probabilities(alpha[:, :-1].unsqueeze(3) + steps + onward.unsqueeze(2), (2, 3))  # (B, L - 1, K, K)
        pairs = (pairs * weight.unsqueeze(3)).masked_fill(~mask[:, 1:, None, None], 0)
        if transitions.dim() == 2:
            grad_transitions = pairs.sum((0, 1))
        else:
            grad_transitions = torch.nn.functional.pad(pairs, (0, 0, 0, 0, 1, 0))
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, unary.shape[2])
        return unary, grad_transitions, unary[:, 0].sum(0), unary.gather(1, last).squeeze(1).sum(0), None
