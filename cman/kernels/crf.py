"""The doors of the linear-chain CRF: the compiled operation where there is one, else its twin in plain PyTorch.

Shapes: emissions (B, L, K); transitions (K, K), from row to column; start and end (K,); lengths (B,), each from 0 to L;
tags (B, L) int64; allowed (K + 1, K) bool, the transitions that a path may take, the last row being the start of a
sentence. float32 or float64; half precision is computed and returned in float32. Transitions that depend on the token,
(B, L, K, K), exist in plain PyTorch alone. What stands past a sentence's length never matters.

All raise ValueError (a shape, device or value) or TypeError (a type) that names the argument. On a GPU, where looking
at values would have to wait for it, lengths and tags out of range give NaN instead.
"""

import torch
from torch import Tensor

from cman.kernels import reference
from cman.kernels.library import compiled

crf_span_marginals = reference.crf_span_marginals


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
    chosen = torch.ops.cman if _compiled(emissions, transitions) else reference
    tags, scores = chosen.crf_decode(emissions, transitions, start, end, lengths, allowed=allowed, nbest=nbest)
    return tags, scores


def crf_log_partition(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return the logarithm of the sum over all tag sequences of exp(score), (B,); differentiable.

    It is minus infinity, with the gradient 0, for a sentence on which no path is allowed.
    """
    chosen = torch.ops.cman if _compiled(emissions, transitions) else reference
    result: Tensor = chosen.crf_log_partition(emissions, transitions, start, end, lengths, allowed=allowed)
    return result


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
    """Return -log Pr(tags) of each sentence, (B,) (equations 18 and 19); differentiable. Padded tags are not read.

    A path over a forbidden transition has the loss infinity and the gradient 0.
    """
    chosen = torch.ops.cman if _compiled(emissions, transitions) else reference
    result: Tensor = chosen.crf_nll(emissions, transitions, start, end, tags, lengths, allowed=allowed)
    return result


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
    chosen = torch.ops.cman if _compiled(emissions, transitions) else reference
    result: Tensor = chosen.crf_marginals(emissions, transitions, start, end, lengths, allowed=allowed)
    return result


def _compiled(emissions: Tensor, transitions: Tensor) -> bool:
    return transitions.dim() != 4 and compiled(emissions)
