"""The probability of whole spans under a linear-chain CRF: what an extracted entity's confidence is."""

import torch
from torch import Tensor

from cman.kernels.reference.crf import checked
from cman.kernels.reference.messages import forward_backward, path_steps


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
    crf = checked(emissions, transitions, start, end, lengths)
    if len(spans) == 0:
        return crf.emissions.new_zeros(0)
    emissions, transitions = crf.emissions, crf.transitions
    messages = forward_backward(crf)
    alpha = messages.alpha + messages.alpha_scale.unsqueeze(2)  # float64, as all that follows
    beta = messages.beta + messages.beta_scale.unsqueeze(2)
    sentence, first, after = spans.unbind(1)
    tags = tags.clamp(min=0)
    # Along the given path, the score between two tokens is a difference of prefix sums. Forbidden moves, which a path
    # that is not the best one may have, would make it infinity minus infinity; a large number instead gives 0.
    steps = path_steps(crf, tags).double().clamp(min=-1e9)
    prefix = steps.cumsum(1)  # (B, L)
    opening, closing = tags[sentence, first], tags[sentence, after - 1]
    onto = alpha[sentence, first, opening] + prefix[sentence, after - 1] - prefix[sentence, first]
    onto = onto - messages.log_partition[sentence]
    within = (onto + beta[sentence, after - 1, closing]).exp()
    going_on = (after < lengths[sentence]) & (next_tag >= 0)
    beyond, next_tag = after.clamp(max=emissions.shape[1] - 1), next_tag.clamp(min=0)
    move = (
        transitions[closing, next_tag] if transitions.dim() == 2 else transitions[sentence, beyond, closing, next_tag]
    )
    onward = onto + move + emissions[sentence, beyond, next_tag] + beta[sentence, beyond, next_tag]
    return (within - torch.where(going_on, onward.exp(), 0)).clamp(0, 1).to(emissions.dtype)
