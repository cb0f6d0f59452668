"""The CRF by operations of PyTorch alone, which every derivative and every transform of PyTorch knows.

Written for clearness, with a loop over tokens that autograd records: second and forward-mode derivatives, `torch.func`
and their like are for checks and small studies. A forbidden transition counts as one with the score -1e18, which has
the probability and gradient 0. Arguments as in `cman.kernels.crf`.
"""

import torch
from torch import Tensor

from cman.kernels.reference.checks import check_device, check_dtype, check_range, check_shape
from cman.kernels.reference.crf import checked

FORBIDDEN = -1e18

Potentials = tuple[Tensor, Tensor, Tensor, Tensor]


def crf_log_partition(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return the logarithm of the partition function, (B,); errors as in `cman.kernels.crf`."""
    crf = checked(emissions, transitions, start, end, lengths)
    if allowed is not None:
        checked(emissions, transitions, start, end, lengths, allowed)
    result, possible = log_partition(crf[:4], lengths, allowed)
    return torch.where(possible | (lengths == 0), result, float("-inf"))


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
    """Return -log Pr(tags), (B,); errors as in `cman.kernels.crf`."""
    crf = checked(emissions, transitions, start, end, lengths)
    check_shape("tags", tags, tuple(emissions.shape[:2]))
    check_dtype("tags", tags, torch.int64)
    check_device(("emissions", emissions), tags=tags)
    inside = torch.arange(emissions.shape[1], device=emissions.device) < lengths.unsqueeze(1)
    check_range("tags", tags.masked_fill(~inside, 0), 0, emissions.shape[2] - 1)
    potentials = restricted(crf[:4], allowed)
    score = path_score(potentials, tags, lengths)
    result, _ = log_partition(crf[:4], lengths, allowed)
    return torch.where(score > FORBIDDEN / 2, result - score, float("inf"))


def crf_path_score(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    tags: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return the scores of decoded paths, (B,); minus infinity for a sentence on which no path is allowed."""
    crf = checked(emissions, transitions, start, end, lengths)
    score = path_score(restricted(crf[:4], allowed), tags, lengths)
    return torch.where(score > FORBIDDEN / 2, score, float("-inf"))


def crf_marginals(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return the probability of each tag at each token, (B, L, K); errors as in `cman.kernels.crf`."""
    crf = checked(emissions, transitions, start, end, lengths, allowed)
    if emissions.shape[1] == 0:
        return crf.emissions.clone()
    forwards, transitions, start, end = restricted(crf[:4], None)
    batch, length, _ = forwards.shape
    inside = torch.arange(length, device=lengths.device) < lengths.unsqueeze(1)  # (B, L)
    state = start + forwards[:, 0]
    alphas = [state]
    for t in range(1, length):
        ahead = torch.logsumexp(state.unsqueeze(2) + transitions, 1) + forwards[:, t]
        state = torch.where(inside[:, t].unsqueeze(1), ahead, state)
        alphas.append(state)
    message = end.expand(batch, -1)
    betas = [message]
    for t in range(length - 1, 0, -1):
        behind = torch.logsumexp(transitions + (message + forwards[:, t]).unsqueeze(1), 2)
        message = torch.where(inside[:, t].unsqueeze(1), behind, message)
        betas.append(message)
    scores = torch.stack(alphas, 1) + torch.stack(betas[::-1], 1)  # (B, L, K)
    possible = scores.amax(2, keepdim=True) > FORBIDDEN / 2
    return scores.softmax(2).masked_fill(~(inside.unsqueeze(2) & possible), 0)


def restricted(potentials: tuple[Tensor, ...], allowed: Tensor | None) -> Potentials:
    """Return potentials with forbidden transitions at a finite score, so that no derivative is the difference of two
    infinities."""
    emissions, transitions, start, end = potentials
    if allowed is not None:
        transitions = transitions.masked_fill(~allowed[:-1], FORBIDDEN)
        start = start.masked_fill(~allowed[-1], FORBIDDEN)
    finite = [scores.clamp(min=FORBIDDEN) for scores in (emissions, transitions, start, end)]
    return finite[0], finite[1], finite[2], finite[3]


def log_partition(potentials: tuple[Tensor, ...], lengths: Tensor, allowed: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the log-partition, 0 without a token or an allowed path, and whether there is such a path; both (B,)."""
    inside = torch.arange(potentials[0].shape[1], device=lengths.device) < lengths.unsqueeze(1)  # (B, L)
    given = potentials[0].masked_fill(~inside.unsqueeze(2), 0)
    emissions, transitions, start, end = restricted((given, *potentials[1:]), allowed)
    if emissions.shape[1] == 0:
        return emissions.sum((1, 2)), lengths > 0
    state = start + emissions[:, 0]  # (B, K)
    for t in range(1, emissions.shape[1]):
        ahead = torch.logsumexp(state.unsqueeze(2) + transitions, 1) + emissions[:, t]
        state = torch.where(inside[:, t].unsqueeze(1), ahead, state)
    result = torch.logsumexp(state + end, 1)
    possible = (lengths > 0) & (result > FORBIDDEN / 2)
    return torch.where(possible, result, 0), possible


def path_score(potentials: tuple[Tensor, ...], tags: Tensor, lengths: Tensor) -> Tensor:
    """Return the scores of paths, (B,)."""
    emissions, transitions, start, end = potentials
    inside = torch.arange(emissions.shape[1], device=emissions.device) < lengths.unsqueeze(1)
    if emissions.shape[1] == 0:
        return emissions.sum((1, 2))
    tags = tags.masked_fill(~inside, 0)
    unary = emissions.gather(2, tags.unsqueeze(2)).squeeze(2).masked_fill(~inside, 0).sum(1)
    moves = transitions[tags[:, :-1], tags[:, 1:]].masked_fill(~inside[:, 1:], 0).sum(1)
    last = tags.gather(1, (lengths - 1).clamp(min=0).unsqueeze(1)).squeeze(1)
    return unary + moves + (start[tags[:, 0]] + end[last]).masked_fill(lengths == 0, 0)
