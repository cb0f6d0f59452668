"""The forward and the backward recursion of the linear-chain CRF, and what follows from them; shapes as in `crf`.

The gradient of the log-partition is the marginals, so one loop that runs both recursions side by side gives both, and
no autograd graph over time steps is ever built. Each step is scaled to a maximum of 0 and the scales are summed in
float64: in float32, the logarithm of a sum over a long sentence has no digits left to tell probabilities apart.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Crf(NamedTuple):
    """The arguments that all operations share, checked and in one floating type."""

    emissions: Tensor
    transitions: Tensor
    start: Tensor
    end: Tensor
    lengths: Tensor


class Messages(NamedTuple):
    """The two recursions. A message's logarithm is its value plus its scale, which is equal for all tags of a token."""

    alpha: Tensor  # (B, L, K) of the tokens up to this one, its emission included
    beta: Tensor  # (B, L, K) of the tokens after this one
    alpha_scale: Tensor  # (B, L) float64
    beta_scale: Tensor  # (B, L) float64
    log_partition: Tensor  # (B,) float64


def forward_backward(crf: Crf) -> Messages:
    """Run both recursions in one loop.

    Direction 0 reads a sentence forwards, direction 1 the same sentence reversed, over the transposed transitions; they
    share every step, which halves the number of small operations.
    """
    emissions, transitions, start, end, lengths = crf
    batch, length, tags = emissions.shape
    emissions = emissions.masked_fill(~inside(crf).unsqueeze(2), 0)
    order = _reversal(lengths, length)  # (B, L)
    backwards = emissions.gather(1, order.unsqueeze(2).expand_as(emissions))
    both = torch.stack([emissions, backwards])  # (2, B, L, K)
    if transitions.dim() == 2:
        moves = torch.stack([transitions, transitions.t()]).unsqueeze(1)  # (2, 1, K, K)
    else:
        # Reversed step t goes from token n - t to token n - 1 - t over the transition that leads to n - t.
        into = (lengths.unsqueeze(1) - torch.arange(length, device=order.device)).clamp(0, length - 1)
        swapped = transitions.transpose(2, 3).gather(1, into[:, :, None, None].expand_as(transitions))
        moves = torch.stack([transitions, swapped])  # (2, B, L, K, K)
    message = torch.stack([start, end]).unsqueeze(1).expand(2, batch, tags)  # before the token's own emission
    state, scale = _scaled(message + both[:, :, 0])
    messages, states, scales = [message], [state], [scale]
    for t in range(1, length):
        moved = moves if transitions.dim() == 2 else moves[:, :, t]
        message = torch.logsumexp(state.unsqueeze(3) + moved, 2)
        ahead, scale = _scaled(message + both[:, :, t])
        going_on = t < lengths
        state = torch.where(going_on.unsqueeze(1), ahead, state)
        messages.append(message)
        states.append(state)
        scales.append(torch.where(going_on, scale, 0))
    summed = torch.stack(scales, 2).double().cumsum(2)  # (2, B, L)
    log_partition = summed[0, :, -1] + torch.logsumexp(state[0] + end, 1)
    unscaled = torch.nn.functional.pad(summed[1], (1, -1))  # a message has the scale of the state before it
    return Messages(
        alpha=torch.stack([state[0] for state in states], 1),
        beta=torch.stack([message[1] for message in messages], 1).gather(1, order.unsqueeze(2).expand_as(emissions)),
        alpha_scale=summed[0],
        beta_scale=unscaled.gather(1, order),
        log_partition=log_partition.masked_fill(lengths == 0, 0),
    )


def probabilities(scores: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Return the softmax of scores over `dim`; 0 where all of them are minus infinity."""
    total = torch.logsumexp(scores, dim, keepdim=True)
    return (scores - torch.where(torch.isfinite(total), total, 0)).exp()


def inside(crf: Crf) -> Tensor:
    """Return which positions are tokens, (B, L)."""
    return torch.arange(crf.emissions.shape[1], device=crf.emissions.device) < crf.lengths.unsqueeze(1)


def step(transitions: Tensor, t: int) -> Tensor:
    """Return the transitions into token t, (K, K) or (B, K, K)."""
    return transitions if transitions.dim() == 2 else transitions[:, t]


def path_steps(crf: Crf, tags: Tensor) -> Tensor:
    """Return what each token adds to a path's score, (B, L): its emission and the transition into it."""
    before, after = tags[:, :-1], tags[:, 1:]
    if crf.transitions.dim() == 2:
        moves = crf.transitions[before, after]
    else:
        steps = crf.transitions[:, 1:].flatten(2)  # (B, L - 1, K * K)
        moves = steps.gather(2, (before * crf.emissions.shape[2] + after).unsqueeze(2)).squeeze(2)
    return crf.emissions.gather(2, tags.unsqueeze(2)).squeeze(2) + torch.nn.functional.pad(moves, (1, 0))


def _scaled(state: Tensor) -> tuple[Tensor, Tensor]:
    """Return (..., K) with its maximum moved to 0, and the maximum; a state without any allowed path stays as it is."""
    top = state.amax(-1)
    top = torch.where(torch.isfinite(top), top, 0)
    return state - top.unsqueeze(-1), top


def _reversal(lengths: Tensor, length: int) -> Tensor:
    """Return the index (B, L) that reverses each sentence within its length and leaves the padding in place."""
    position = torch.arange(length, device=lengths.device)
    mirrored = lengths.unsqueeze(1) - 1 - position
    return torch.where(mirrored >= 0, mirrored, position)
