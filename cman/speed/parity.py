"""Whether a contender computes the operation at all, told before it is timed.

The truth is the plain-PyTorch definition in float64, the pair scores one sentence at a time so that no large table of
hidden units is stored. A difference is measured as a share of what is tolerated: up to 1 is agreement, infinity a
result that no rounding explains.

Tolerances, for sentences of L tokens: path scores 1e-4 L, because equally good paths differ between summation orders
and only their scores can agree; log-partition and loss 1e-5 of their size; marginals 1e-5 L, and gradients 1e-5 L of
the largest one: in float32, autograd over a chain of L logarithms loses that much. Pair scores 1e-5 of the longest row
of V, their gradients 1e-4 of the largest one. Outputs of an LSTM, which lie between -1 and 1, 1e-5, their
gradients as those of pair scores.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from cman.speed.inputs import THRESHOLD, CrfInputs, Inputs, LstmInputs, PairInputs, sentence
from cman.speed.operations import Outputs, calls_of


def truth(operation: str, x: Inputs, reference: Any) -> Outputs:
    """Return the outputs of the definition in float64; for `pair_select`, the scores of all cells."""
    exact = x.cast(torch.float64)
    if not isinstance(exact, PairInputs):
        return tuple(calls_of(reference)[operation](exact)())
    name = "pair_scores" if operation == "pair_select" else operation
    sentences = [calls_of(reference)[name](sentence(exact, b))() for b in range(len(exact.lengths))]
    outputs = list(zip(*sentences, strict=True))
    # Of each sentence its own: the value, and the gradients of a and c. The sum over sentences: those of V and bias.
    return tuple(torch.cat(each) if n < 3 else torch.stack(each).sum(0) for n, each in enumerate(outputs))


def share_of_tolerance(operation: str, outputs: Outputs, exact: Outputs, x: Inputs) -> float:
    """Return the largest difference from the truth, 1 being the most that is tolerated."""
    outputs = tuple(value.detach() for value in outputs)
    if isinstance(x, CrfInputs):
        if operation == "crf_decode":
            return _paths(outputs, exact[1], x)
        return _chain(operation, outputs, exact, x)
    if isinstance(x, LstmInputs):
        return _largest(outputs, exact, [1e-5, *(1e-4 * _size(gradient) for gradient in exact[1:])])
    scale = max(1.0, float(x.V.double().norm(dim=1).max()))
    if operation == "pair_select":
        return _selection(outputs, exact[0], x, 1e-5 * scale)
    value = 1e-5 * scale if operation.startswith("pair_scores") else 1e-5 * _size(exact[0])
    tolerances = [value, *(1e-4 * _size(gradient) for gradient in exact[1:])]
    return _largest(outputs, exact, tolerances)


def path_scores(x: CrfInputs, tags: Tensor) -> Tensor:
    """Return the score of each sentence's tags, (B,) float64; tags that are no tags give NaN."""
    x = x.cast(torch.float64)
    known = (tags >= 0) & (tags < x.emissions.shape[2])
    wrong = (x.mask & ~known).any(1)
    tags = torch.where(known, tags, 0)
    scores = x.emissions.gather(2, tags.unsqueeze(2)).squeeze(2)  # (B, L)
    scores[:, 0] += x.start[tags[:, 0]]
    scores[:, 1:] += x.transitions[tags[:, :-1], tags[:, 1:]]
    last = tags[torch.arange(len(tags), device=tags.device), x.lengths - 1]
    total = scores.masked_fill(~x.mask, 0).sum(1) + x.end[last]
    return total.masked_fill(wrong, math.nan)


def _paths(outputs: Outputs, best: Tensor, x: CrfInputs) -> float:
    tolerance = 1e-4 * x.lengths.double()
    if outputs[0].shape != x.tags.shape or (outputs[0][~x.mask] != -1).any():
        return math.inf
    actual = [path_scores(x, outputs[0]), *(scores.double() for scores in outputs[1:])]  # and those that are claimed
    return max(_worst((scores.to(best.device) - best) / tolerance) for scores in actual)


def _chain(operation: str, outputs: Outputs, exact: Outputs, x: CrfInputs) -> float:
    relative = 1e-5 * x.emissions.shape[1]
    if operation in ("crf_marginals", "crf_span_marginals"):
        return _largest(outputs, exact, [relative])
    tolerances = [1e-5 * _size(exact[0]), *(relative * _size(gradient) for gradient in exact[1:])]
    return _largest(outputs, exact, tolerances)


def _selection(outputs: Outputs, exact: Tensor, x: PairInputs, tolerance: float) -> float:
    indices, scores = outputs
    within = torch.tensor(exact.shape, device=indices.device)
    if indices.dim() != 2 or indices.shape[1] != 4 or scores.shape != indices.shape[:1]:
        return math.inf
    if ((indices < 0) | (indices >= within)).any():
        return math.inf
    flat = indices[:, 0]
    for column, size in zip(indices.t()[1:], exact.shape[1:], strict=True):
        flat = flat * size + column
    anchor = torch.zeros(x.a.shape[:2], dtype=torch.bool, device=x.a.device)
    anchor[x.anchors[:, 0], x.anchors[:, 1]] = True
    candidates = (anchor.unsqueeze(2) & anchor.unsqueeze(1)).unsqueeze(3).expand(exact.shape)
    chosen = torch.zeros(exact.shape, dtype=torch.bool, device=exact.device)
    chosen[indices.unbind(1)] = True
    missed = candidates & ~chosen & (exact > THRESHOLD + tolerance)
    wrong = chosen & (~candidates | (exact < THRESHOLD - tolerance))
    if (flat[1:] <= flat[:-1]).any() or missed.any() or wrong.any():
        return math.inf
    return _largest((scores,), (exact[indices.unbind(1)],), [tolerance])


def _size(value: Tensor) -> float:
    return max(1.0, float(value.abs().max())) if value.numel() else 1.0


def _largest(outputs: Outputs, exact: Outputs, tolerances: Sequence[float]) -> float:
    if len(outputs) != len(exact):
        return math.inf
    compared = zip(outputs, exact, tolerances, strict=True)
    return max(
        _worst((output.to(true.device).double() - true) / tolerance) if output.shape == true.shape else math.inf
        for output, true, tolerance in compared
    )


def _worst(shares: Tensor) -> float:
    if not shares.numel():
        return 0.0
    worst = float(shares.abs().max())
    return worst if math.isfinite(worst) else math.inf


def describe(share: float) -> str:
    """Return the sentence that a contender which disagrees is reported with."""
    how = "beyond all rounding" if math.isinf(share) else f"{share:.3g} times what is tolerated"
    return f"differs from the float64 definition, {how}"
