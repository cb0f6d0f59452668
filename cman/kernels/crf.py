"""Linear-chain CRF: Viterbi decoding, log-partition, negative log-likelihood and marginals (equations 9, 15, 18, 19).

The score of tags y over a sentence of n tokens is

    start[y_1] + sum_t emissions[t, y_t] + sum_{t>1} transitions[y_{t-1}, y_t] + end[y_n]

Shapes: emissions (B, L, K); transitions (K, K), from row to column, or (B, L, K, K) when they depend on the token they
lead to (position 0 is not read); start and end (K,); lengths (B,), each from 1 to L; tags (B, L) int64. A transition
of minus infinity forbids it. The gradient of the log-partition is the marginals, so one loop that runs the forward
and the backward recursion side by side gives both, and no autograd graph over time steps is ever built. Each step is
scaled to a maximum of 0 and the scales are summed in float64: in float32, the logarithm of a sum over a long sentence
has no digits left to tell probabilities apart.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function


def crf_decode(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the best tags (B, L), -1 past the length, and their scores (B,); ties go to the lowest tag.

    Args:
        allowed: (K + 1, K) bool, the transitions that a path may take; the last row is the start of a sentence.
    """
    _check(emissions, transitions, start, end, lengths)
    transitions, start = _constrained(transitions, start, allowed)
    batch, length, tags = emissions.shape
    pointers = emissions.new_zeros((length, batch, tags), dtype=torch.int64)
    identity = torch.arange(tags, device=emissions.device).expand(batch, tags)
    best = start + emissions[:, 0]  # (B, K): the score of the best path that ends in each tag
    for t in range(1, length):
        scores, arg = (best.unsqueeze(2) + _step(transitions, t)).max(1)
        going_on = (t < lengths).unsqueeze(1)
        best = torch.where(going_on, scores + emissions[:, t], best)
        pointers[t] = torch.where(going_on, arg, identity)
    path_score, last = (best + end).max(1)
    path = emissions.new_empty((length, batch), dtype=torch.int64)
    for t in range(length - 1, -1, -1):
        path[t] = last
        last = pointers[t].gather(1, last.unsqueeze(1)).squeeze(1)
    return path.t().masked_fill(~_mask(emissions, lengths), -1), path_score


def crf_log_partition(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return the logarithm of the sum over all tag sequences of exp(score), (B,); differentiable once."""
    _check(emissions, transitions, start, end, lengths)
    transitions, start = _constrained(transitions, start, allowed)
    result: Tensor = _LogPartition.apply(emissions, transitions, start, end, lengths)  # type: ignore[no-untyped-call]
    return result


def crf_nll(
    emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, tags: Tensor, lengths: Tensor
) -> Tensor:
    """Return -log Pr(tags) of each sentence, (B,); differentiable once. Tags past the length are not read.

    A path over a forbidden transition has the loss infinity and the gradient 0.
    """
    _check(emissions, transitions, start, end, lengths)
    if tags.shape != emissions.shape[:2]:
        raise ValueError(f"tags: got shape {tuple(tags.shape)}, wanted {tuple(emissions.shape[:2])}")
    mask = _mask(emissions, lengths)
    tags = tags.masked_fill(~mask, 0)
    score = _path_steps(emissions, transitions, tags)
    last = tags.gather(1, (lengths - 1).unsqueeze(1)).squeeze(1)
    path_score = score.masked_fill(~mask, 0).sum(1) + start[tags[:, 0]] + end[last]
    loss = crf_log_partition(emissions, transitions, start, end, lengths) - path_score
    return torch.where(path_score == float("-inf"), float("inf"), loss)


def crf_marginals(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> Tensor:
    """Return the probability of each tag at each token, (B, L, K); 0 past the length and where no path is allowed."""
    _check(emissions, transitions, start, end, lengths)
    messages = _forward_backward(emissions, transitions, start, end, lengths)
    return _probabilities(messages.alpha + messages.beta, 2).masked_fill(~_mask(emissions, lengths).unsqueeze(2), 0)


def crf_span_marginals(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    spans: Tensor,
    tags: Tensor,
    next_tag: Tensor,
) -> Tensor:
    """Return the probability that given stretches carry given tags and then end, (S,).

    Args:
        spans: (S, 3) sentence, first token and token after the last.
        tags: (B, L), the tags of the stretches, such as a decoded path.
        next_tag: (S,) the tag that would continue the stretch; paths on which it does are left out; -1 leaves none out.
    """
    _check(emissions, transitions, start, end, lengths)
    messages = _forward_backward(emissions, transitions, start, end, lengths)
    alpha = messages.alpha + messages.alpha_scale.unsqueeze(2)  # float64, as all that follows
    beta = messages.beta + messages.beta_scale.unsqueeze(2)
    sentence, first, after = spans.unbind(1)
    tags = tags.clamp(min=0)
    # Along the given path, the score between two tokens is a difference of prefix sums. Forbidden moves, which a path
    # that is not the best one may have, would make it infinity minus infinity; a large number instead gives 0.
    steps = _path_steps(emissions, transitions, tags).double().clamp(min=-1e9)
    prefix = steps.cumsum(1)  # (B, L)
    opening, closing = tags[sentence, first], tags[sentence, after - 1]
    onto = alpha[sentence, first, opening] + prefix[sentence, after - 1] - prefix[sentence, first]
    onto = onto - messages.log_partition[sentence]
    inside = (onto + beta[sentence, after - 1, closing]).exp()
    going_on = (after < lengths[sentence]) & (next_tag >= 0)
    beyond, next_tag = after.clamp(max=emissions.shape[1] - 1), next_tag.clamp(min=0)
    move = (
        transitions[closing, next_tag] if transitions.dim() == 2 else transitions[sentence, beyond, closing, next_tag]
    )
    onward = onto + move + emissions[sentence, beyond, next_tag] + beta[sentence, beyond, next_tag]
    return (inside - torch.where(going_on, onward.exp(), 0)).clamp(0, 1).to(emissions.dtype)


class _LogPartition(Function):
    """logZ whose backward multiplies the marginals that the forward pass computed on the way."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor
    ) -> Tensor:
        messages = _forward_backward(emissions, transitions, start, end, lengths)
        ctx.save_for_backward(emissions, transitions, lengths, messages.alpha, messages.beta)
        return messages.log_partition.to(emissions.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        emissions, transitions, lengths, alpha, beta = ctx.saved_tensors
        mask = _mask(emissions, lengths)
        weight = grad[:, None, None]
        unary = _probabilities(alpha + beta, 2).masked_fill(~mask.unsqueeze(2), 0) * weight  # (B, L, K)
        steps = transitions if transitions.dim() == 2 else transitions[:, 1:]
        onward = (emissions + beta)[:, 1:]
        pairs = _probabilities(alpha[:, :-1].unsqueeze(3) + steps + onward.unsqueeze(2), (2, 3))  # (B, L - 1, K, K)
        pairs = pairs.masked_fill(~mask[:, 1:, None, None], 0) * weight.unsqueeze(3)
        if transitions.dim() == 2:
            grad_transitions = pairs.sum((0, 1))
        else:
            grad_transitions = torch.nn.functional.pad(pairs, (0, 0, 0, 0, 1, 0))
        last = unary.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, unary.shape[2])).squeeze(1)
        return unary, grad_transitions, unary[:, 0].sum(0), last.sum(0), None


class _Messages(NamedTuple):
    """The two recursions. A message's logarithm is its value plus its scale, which is equal for all tags of a token."""

    alpha: Tensor  # (B, L, K) of the tokens up to this one, its emission included
    beta: Tensor  # (B, L, K) of the tokens after this one
    alpha_scale: Tensor  # (B, L) float64
    beta_scale: Tensor  # (B, L) float64
    log_partition: Tensor  # (B,) float64


def _forward_backward(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> _Messages:
    """Run both recursions in one loop.

    Direction 0 reads a sentence forwards, direction 1 the same sentence reversed, over the transposed transitions; they
    share every step, which halves the number of small operations.
    """
    batch, length, tags = emissions.shape
    emissions = emissions.masked_fill(~_mask(emissions, lengths).unsqueeze(2), 0)
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
        step = moves if transitions.dim() == 2 else moves[:, :, t]
        message = torch.logsumexp(state.unsqueeze(3) + step, 2)
        ahead, scale = _scaled(message + both[:, :, t])
        going_on = t < lengths
        state = torch.where(going_on.unsqueeze(1), ahead, state)
        messages.append(message)
        states.append(state)
        scales.append(torch.where(going_on, scale, 0))
    summed = torch.stack(scales, 2).double().cumsum(2)  # (2, B, L)
    log_partition = summed[0, :, -1] + torch.logsumexp(state[0] + end, 1)
    unscaled = torch.nn.functional.pad(summed[1], (1, -1))  # a message has the scale of the state before it
    return _Messages(
        alpha=torch.stack([state[0] for state in states], 1),
        beta=torch.stack([message[1] for message in messages], 1).gather(1, order.unsqueeze(2).expand_as(emissions)),
        alpha_scale=summed[0],
        beta_scale=unscaled.gather(1, order),
        log_partition=log_partition,
    )


def _scaled(state: Tensor) -> tuple[Tensor, Tensor]:
    """Return (..., K) with its maximum moved to 0, and the maximum; a state without any allowed path stays as it is."""
    top = state.amax(-1)
    top = torch.where(torch.isfinite(top), top, 0)
    return state - top.unsqueeze(-1), top


def _probabilities(scores: Tensor, dim: int | tuple[int, ...]) -> Tensor:
    """Return the softmax of scores over `dim`; 0 where all of them are minus infinity."""
    total = torch.logsumexp(scores, dim, keepdim=True)
    return (scores - torch.where(torch.isfinite(total), total, 0)).exp()


def _reversal(lengths: Tensor, length: int) -> Tensor:
    """Return the index (B, L) that reverses each sentence within its length and leaves the padding in place."""
    position = torch.arange(length, device=lengths.device)
    mirrored = lengths.unsqueeze(1) - 1 - position
    return torch.where(mirrored >= 0, mirrored, position)


def _mask(emissions: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(emissions.shape[1], device=emissions.device) < lengths.unsqueeze(1)


def _step(transitions: Tensor, t: int) -> Tensor:
    return transitions if transitions.dim() == 2 else transitions[:, t]


def _path_steps(emissions: Tensor, transitions: Tensor, tags: Tensor) -> Tensor:
    """Return what each token adds to a path's score, (B, L): its emission and the transition into it."""
    before, after = tags[:, :-1], tags[:, 1:]
    if transitions.dim() == 2:
        moves = transitions[before, after]
    else:
        steps = transitions[:, 1:].flatten(2)  # (B, L - 1, K * K)
        moves = steps.gather(2, (before * emissions.shape[2] + after).unsqueeze(2)).squeeze(2)
    return emissions.gather(2, tags.unsqueeze(2)).squeeze(2) + torch.nn.functional.pad(moves, (1, 0))


def _constrained(transitions: Tensor, start: Tensor, allowed: Tensor | None) -> tuple[Tensor, Tensor]:
    if allowed is None:
        return transitions, start
    if allowed.shape != (len(start) + 1, len(start)):
        raise ValueError(f"allowed: got shape {tuple(allowed.shape)}, wanted ({len(start) + 1}, {len(start)})")
    forbidden = float("-inf")
    return transitions.masked_fill(~allowed[:-1], forbidden), start.masked_fill(~allowed[-1], forbidden)


def _check(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor) -> None:
    if emissions.dim() != 3:
        raise ValueError(f"emissions: got shape {tuple(emissions.shape)}, wanted (B, L, K)")
    batch, length, tags = emissions.shape
    if transitions.shape not in ((tags, tags), (batch, length, tags, tags)):
        wanted = f"({tags}, {tags}) or ({batch}, {length}, {tags}, {tags})"
        raise ValueError(f"transitions: got shape {tuple(transitions.shape)}, wanted {wanted}")
    for name, scores in (("start", start), ("end", end)):
        if scores.shape != (tags,):
            raise ValueError(f"{name}: got shape {tuple(scores.shape)}, wanted ({tags},)")
    if lengths.shape != (batch,):
        raise ValueError(f"lengths: got shape {tuple(lengths.shape)}, wanted ({batch},)")
    if lengths.device.type == "cpu" and batch and not 1 <= int(lengths.min()) <= int(lengths.max()) <= length:
        raise ValueError(f"lengths: got values from {int(lengths.min())} to {int(lengths.max())}, wanted 1 to {length}")
