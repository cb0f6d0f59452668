"""The linear-chain CRF: the compiled operation where there is one, else its definition in plain PyTorch.

Shapes: emissions (B, L, K); transitions (K, K), from row to column; start and end (K,); lengths (B,), each from 0 to L;
tags (B, L) int64; allowed (K + 1, K) bool, the transitions that a path may take, the last row being the start of a
sentence. float32 or float64; half precision is computed and returned in float32. Transitions that depend on the token,
(B, L, K, K), exist in plain PyTorch alone. What stands past a sentence's length never matters.

All raise ValueError (a shape, device or value) or TypeError (a type) that names the argument. On a GPU, where looking
at values would have to wait for it, lengths and tags out of range give NaN instead.
"""

from typing import Any

import torch
from torch import Tensor

from cman.kernels import differentiable, double_backward, library, reference
from cman.kernels.library import compiled
from cman.kernels.reference.checks import check_numbers
from cman.kernels.transforms import check_dense, is_differentiated, is_transformed

POTENTIALS = "Tensor emissions, Tensor transitions, Tensor start, Tensor end"
# As csrc/binding/library.cpp declares them; a test compares the two.
SCHEMAS = (
    f"crf_decode({POTENTIALS}, Tensor lengths, *, Tensor? allowed=None, int nbest=1) -> (Tensor, Tensor)",
    f"crf_log_partition({POTENTIALS}, Tensor lengths, *, Tensor? allowed=None) -> Tensor",
    f"crf_nll({POTENTIALS}, Tensor tags, Tensor lengths, *, Tensor? allowed=None) -> Tensor",
    f"crf_marginals({POTENTIALS}, Tensor lengths, *, Tensor? allowed=None) -> Tensor",
    f"crf_span_marginals({POTENTIALS}, Tensor lengths, Tensor spans, Tensor tags, Tensor next_tag) -> Tensor",
)
WORKSPACE_HEAD = 16  # values about the call
GROUP = 16  # sentences that the CPU's widest registers interleave


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

    The scores are differentiable. On a CPU NaN in a sentence is a ValueError: no path is the best of it.

    Args:
        nbest: with more than 1, the tags (B, nbest, L) and scores (B, nbest) of the best paths, best first; where a
            sentence has fewer paths, the rest has the score minus infinity and the tags -1.
    """
    check_dense(emissions=emissions, transitions=transitions, start=start, end=end, lengths=lengths, allowed=allowed)
    potentials = emissions, transitions, start, end
    if transitions.dim() == 4 or (nbest > 1 and is_differentiated(*potentials)):
        return reference.crf_decode(*potentials, lengths, allowed=allowed, nbest=nbest)
    chosen = torch.ops.cman if _compiled(emissions, transitions) else reference
    if chosen is torch.ops.cman and emissions.dim() == 3 and lengths.shape == emissions.shape[:1]:
        check_numbers("emissions", emissions.detach(), lengths)
    transformed = is_transformed(*potentials)
    plain = (each.detach() for each in potentials) if transformed else potentials
    tags, scores = chosen.crf_decode(*plain, lengths, allowed=allowed, nbest=nbest)
    if transformed or (chosen is torch.ops.cman and nbest == 1 and is_differentiated(*potentials)):
        scores = differentiable.crf_path_score(*potentials, tags, lengths, allowed=allowed)
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
    check_dense(emissions=emissions, transitions=transitions, start=start, end=end, lengths=lengths, allowed=allowed)
    chosen = _chosen(emissions, transitions, start, end)
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
    check_dense(emissions=emissions, transitions=transitions, start=start, end=end, tags=tags, lengths=lengths)
    check_dense(allowed=allowed)
    chosen = _chosen(emissions, transitions, start, end)
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
    """Return the probability of each tag at each token, (B, L, K); 0 past the length and where no path is allowed.

    Differentiable, in plain PyTorch.
    """
    check_dense(emissions=emissions, transitions=transitions, start=start, end=end, lengths=lengths, allowed=allowed)
    chosen = _chosen(emissions, transitions, start, end)
    if chosen is torch.ops.cman and is_differentiated(emissions, transitions, start, end):
        chosen = differentiable
    result: Tensor = chosen.crf_marginals(emissions, transitions, start, end, lengths, allowed=allowed)
    return result


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
    """Return the probability that given stretches carry given tags and then end, (S,); 0 where no path is allowed.

    Differentiable, in plain PyTorch.

    Args:
        spans: (S, 3) int64, sentence, first token and token after the last.
        tags: (B, L), the tags of the stretches, such as a decoded path; others are not read.
        next_tag: (S,) the tag that would continue the stretch; paths on which it does are left out; -1 leaves none out.
    """
    check_dense(emissions=emissions, transitions=transitions, start=start, end=end, lengths=lengths)
    check_dense(spans=spans, tags=tags, next_tag=next_tag)
    potentials = emissions, transitions, start, end
    chosen = torch.ops.cman if _compiled(emissions, transitions) and not is_differentiated(*potentials) else reference
    result: Tensor = chosen.crf_span_marginals(*potentials, lengths, spans, tags, next_tag)
    return result


def _chosen(emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Any:
    """Return what has the operations: compiled, the definition, or what every transform of PyTorch knows."""
    if transitions.dim() != 4 and is_transformed(emissions, transitions, start, end):
        return differentiable
    return torch.ops.cman if _compiled(emissions, transitions) else reference


def _compiled(emissions: Tensor, transitions: Tensor) -> bool:
    return transitions.dim() != 4 and compiled(emissions)


# Registration: what the compiled operations leave to Python.


def _decode_nbest(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    allowed: Tensor | None,
    nbest: int,
) -> tuple[Tensor, Tensor]:
    return reference.crf_decode(emissions, transitions, start, end, lengths, allowed=allowed, nbest=nbest)


# Fake kernels: the shapes and types of results, without computing them.


def _fake_decode(
    emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor, allowed: Tensor, nbest: int
) -> tuple[Tensor, Tensor]:
    batch, length, _ = emissions.shape
    if nbest == 1:
        return lengths.new_empty((batch, length)), emissions.new_empty(batch)
    return lengths.new_empty((batch, nbest, length)), emissions.new_empty((batch, nbest))


def _fake_forward(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    tags: Tensor | None,
    lengths: Tensor,
    allowed: Tensor | None,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    # What is kept for the gradient has a size; its content is the kernels' own affair, which a graph passes on unread.
    return emissions.new_empty(emissions.shape[0]), emissions.new_empty(_workspace_size(emissions) if keep else 0)


def _fake_backward(
    grad: Tensor,
    workspace: Tensor,
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    tags: Tensor | None,
    lengths: Tensor,
    allowed: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        emissions.new_empty(emissions.shape),
        transitions.new_empty(transitions.shape),
        start.new_empty(start.shape),
        end.new_empty(end.shape),
    )


def _fake_marginals(
    emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor, allowed: Tensor | None
) -> Tensor:
    return emissions.new_empty(emissions.shape)


def _fake_span_marginals(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    spans: Tensor,
    tags: Tensor,
    next_tag: Tensor,
) -> Tensor:
    return emissions.new_empty(spans.shape[0])


def _workspace_size(emissions: Tensor) -> int:
    """Return what crf_workspace_size and crf_workspace_size_cuda of csrc/ return."""
    batch, length, tags = emissions.shape
    if emissions.device.type == "cuda":
        return batch * (2 * length * tags + 1)
    rows = -(-batch // GROUP) * GROUP
    return WORKSPACE_HEAD + rows * (2 + 2 * length * tags)


library.register(
    SCHEMAS,
    fakes={
        "_crf_decode": _fake_decode,
        "_crf_decode_nbest": _fake_decode,
        "_crf_forward": _fake_forward,
        "_crf_backward": _fake_backward,
        "_crf_marginals": _fake_marginals,
        "_crf_span_marginals": _fake_span_marginals,
    },
    in_python={"_crf_double_backward": double_backward.crf_backward, "_crf_decode_nbest": _decode_nbest},
    refused=("crf_decode", "crf_marginals", "crf_span_marginals", "_crf_forward", "_crf_backward"),
)
