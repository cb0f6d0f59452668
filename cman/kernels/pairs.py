"""The pairwise relation scores: the compiled operation where there is one, else its definition in plain PyTorch.

    s[b, i, j, r] = V[r] . tanh(a[b, i] + c[b, j]) + bias[r]                                       (equation 16)

i is the row token, the relation's head and first argument; j the column token, its tail and second argument.
Shapes: a = U x + b and c = W x (B, N, D); V (R, D); bias (R,) or None; lengths (B,), each from 0 to N. float32 or
float64; half precision is computed and returned in float32. What stands past a sentence's length never matters.

The compiled float32 scores are within 3e-6 x max(1, |V|) of exact ones; they are not relatively exact near 0.

All raise ValueError (a shape, device or value) or TypeError (a type) that names the argument.
"""

import torch
from torch import Tensor

from cman.kernels import double_backward, library, reference
from cman.kernels.library import compiled
from cman.kernels.reference.checks import promoted
from cman.kernels.transforms import check_dense, is_differentiated, is_transformed

ARGUMENTS = "Tensor a, Tensor c, Tensor V, Tensor? bias"
# As csrc/binding/library.cpp declares them; a test compares the two.
SCHEMAS = (
    f"pair_scores({ARGUMENTS}, Tensor lengths) -> Tensor",
    f"pair_bce({ARGUMENTS}, Tensor gold, Tensor lengths, *, float pos_weight=1.0) -> Tensor",
    f"pair_select({ARGUMENTS}, Tensor anchors, Tensor lengths, float threshold) -> (Tensor, Tensor)",
)


def pair_scores(a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, lengths: Tensor) -> Tensor:
    """Return the scores (B, N, N, R); differentiable; cells with a token past its sentence's length are 0."""
    check_dense(a=a, c=c, V=V, bias=bias, lengths=lengths)
    chosen = torch.ops.cman if compiled(a) and not is_transformed(a, c, V, bias) else reference
    scores: Tensor = chosen.pair_scores(a, c, V, bias, lengths)
    return scores


def pair_bce(
    a: Tensor,
    c: Tensor,
    V: Tensor,
    bias: Tensor | None,
    gold: Tensor,
    lengths: Tensor,
    *,
    pos_weight: float = 1.0,
) -> Tensor:
    """Return the binary cross-entropy of the scores (equation 20), summed over each sentence's cells, (B,).

    Differentiable. Compiled, no (N, N, R) table is ever stored.

    Args:
        gold: (S, 4) int64, the cells that hold a relation: sentence, row, column, label; a repeated one counts once.
        pos_weight: how often a gold cell counts.
    """
    check_dense(a=a, c=c, V=V, bias=bias, gold=gold, lengths=lengths)
    chosen = torch.ops.cman if compiled(a) and not is_transformed(a, c, V, bias) else reference
    loss: Tensor = chosen.pair_bce(a, c, V, bias, gold, lengths, pos_weight=pos_weight)
    return loss


def pair_select(
    a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, anchors: Tensor, lengths: Tensor, threshold: float
) -> tuple[Tensor, Tensor]:
    """Return the cells between anchors of one sentence with a score above the threshold; the scores are differentiable.

    Compiled, only these cells are ever scored. On a GPU it waits for their number, as `torch.nonzero` does.

    Args:
        anchors: (M, 2) int64, sentence and token, sorted, each once: the tokens that may be ends of a relation.

    Returns:
        Indices (S, 4), sentence, row, column and label, sorted; scores (S,).
    """
    check_dense(a=a, c=c, V=V, bias=bias, anchors=anchors, lengths=lengths)
    chosen = torch.ops.cman if compiled(a) else reference
    if not is_differentiated(a, c, V, bias):
        indices, scores = chosen.pair_select(a, c, V, bias, anchors, lengths, threshold)
        return indices, scores
    known = None if bias is None else bias.detach()
    indices, _ = chosen.pair_select(a.detach(), c.detach(), V.detach(), known, anchors, lengths, threshold)
    tensors = promoted(a=a, c=c, V=V, bias=bias)
    sentence, row, column, label = indices.unbind(1)
    scores = ((tensors[0][sentence, row] + tensors[1][sentence, column]).tanh() * tensors[2][label]).sum(1)
    return indices, scores if bias is None else scores + tensors[3][label]


# Fake kernels: the shapes and types of results, without computing them.


def _fake_scores(a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, lengths: Tensor) -> Tensor:
    return a.new_empty((a.shape[0], a.shape[1], a.shape[1], V.shape[0]))


def _fake_scores_backward(
    grad: Tensor, a: Tensor, c: Tensor, V: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return a.new_empty(a.shape), c.new_empty(c.shape), V.new_empty(V.shape), V.new_empty(V.shape[0])


def _fake_bce(
    a: Tensor,
    c: Tensor,
    V: Tensor,
    bias: Tensor | None,
    gold: Tensor,
    lengths: Tensor,
    pos_weight: float,
    differentiate: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    kept = a.shape[0] if differentiate else 0
    shape = (kept, a.shape[1], a.shape[2])
    gradients = a.new_empty(shape), a.new_empty(shape), a.new_empty((kept, *V.shape)), a.new_empty((kept, V.shape[0]))
    return (a.new_empty(a.shape[0]), *gradients)


def _fake_select(
    a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, anchors: Tensor, lengths: Tensor, threshold: float
) -> tuple[Tensor, Tensor]:
    count = torch.library.get_ctx().new_dynamic_size()
    return anchors.new_empty((count, 4)), a.new_empty(count)


library.register(
    SCHEMAS,
    fakes={
        "_pair_scores": _fake_scores,
        "_pair_scores_backward": _fake_scores_backward,
        "_pair_bce": _fake_bce,
        "_pair_select": _fake_select,
    },
    in_python={
        "_pair_scores_double_backward": double_backward.pair_scores_backward,
        "_pair_bce_double_backward": double_backward.pair_bce_backward,
    },
    refused=("pair_select", "_pair_scores", "_pair_scores_backward", "_pair_bce"),
)
