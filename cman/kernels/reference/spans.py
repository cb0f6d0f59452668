"""The probability of whole spans under a linear-chain CRF: what an extracted entity's confidence is."""

import torch
from torch import Tensor

from cman.kernels.reference.checks import check_device, check_dtype, check_range, check_shape, values_known
from cman.kernels.reference.crf import checked
from cman.kernels.reference.messages import Crf, forward_backward, path_steps


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
        tags: (B, L), the tags of the stretches, such as a decoded path; others are not read.
        next_tag: (S,) the tag that would continue the stretch; paths on which it does are left out; -1 leaves none out.
    """
    crf = checked(emissions, transitions, start, end, lengths)
    _check(crf, spans, tags, next_tag)
    if spans.shape[0] == 0:
        return crf.emissions.new_zeros(0)
    emissions, transitions = crf.emissions, crf.transitions
    messages = forward_backward(crf)
    alpha = messages.alpha + messages.alpha_scale.unsqueeze(2)  # float64, as all that follows
    beta = messages.beta + messages.beta_scale.unsqueeze(2)
    sentence, first, after = spans.unbind(1)
    tags = tags.clamp(min=0)
    position = torch.arange(emissions.shape[1], device=emissions.device)
    onto_others = (position > first.unsqueeze(1)) & (position < after.unsqueeze(1))  # (S, L)
    steps = path_steps(crf, tags).double()[sentence].masked_fill(~onto_others, 0)
    opening, closing = tags[sentence, first], tags[sentence, after - 1]
    onto = alpha[sentence, first, opening] + steps.sum(1)
    onto = onto - messages.log_partition[sentence]
    within = (onto + beta[sentence, after - 1, closing]).exp()
    going_on = (after < lengths[sentence]) & (next_tag >= 0)
    beyond, next_tag = after.clamp(max=emissions.shape[1] - 1), next_tag.clamp(min=0)
    move = (
        transitions[closing, next_tag] if transitions.dim() == 2 else transitions[sentence, beyond, closing, next_tag]
    )
    onward = onto + move + emissions[sentence, beyond, next_tag] + beta[sentence, beyond, next_tag]
    result = (within - torch.where(going_on, onward.exp(), 0)).clamp(0, 1)
    possible = messages.log_partition[sentence] != float("-inf")
    return torch.where(possible, result, 0).to(emissions.dtype)


def _check(crf: Crf, spans: Tensor, tags: Tensor, next_tag: Tensor) -> None:
    """Raise ValueError or TypeError unless each span is one or more tokens of a sentence, and these have tags."""
    batch, length, count = crf.emissions.shape
    if spans.dim() != 2 or spans.shape[1] != 3:
        raise ValueError(f"spans: got shape {tuple(spans.shape)}, wanted (S, 3)")
    check_shape("tags", tags, (batch, length))
    check_shape("next_tag", next_tag, (spans.shape[0],))
    given = {"spans": spans, "tags": tags, "next_tag": next_tag}
    for name, tensor in given.items():
        check_dtype(name, tensor, torch.int64)
        check_device(("emissions", crf.emissions), **{name: tensor})
    if not values_known(spans):
        return
    lengths = crf.lengths.tolist()
    for row, (sentence, first, after) in enumerate(spans.tolist()):
        if not 0 <= sentence < batch:
            raise ValueError(f"spans: got sentence {sentence} in row {row}, wanted 0 to {batch - 1}")
        if not 0 <= first < after <= lengths[sentence]:
            own = f"one or more of the sentence's {lengths[sentence]}"
            raise ValueError(f"spans: got tokens {first} to {after} in row {row}, wanted {own}")
        for token, tag in enumerate(tags[sentence, first:after].tolist(), first):
            if not 0 <= tag < count:
                raise ValueError(f"tags: got {tag} at ({sentence}, {token}), wanted 0 to {count - 1}")
    check_range("next_tag", next_tag, -1, count - 1)
