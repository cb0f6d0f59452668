"""Pairwise multi-head relation scores (equation 16), their loss (equation 20) and their selection (equation 17).

    s[b, i, j, r] = V[r] . tanh(a[b, i] + c[b, j]) + bias[r]

i is the row token, the relation's head and first argument; j the column token, its tail and second argument.
Shapes: a and c (B, N, D); V (R, D); bias (R,) or None; lengths (B,), each from 0 to N.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, linear

from cman.kernels.reference.checks import check_device, check_dtype, check_range, check_shape, promoted, values_known

SLICE = 2**18  # numbers of a slice of pairs by hidden units: the whole table may be gigabytes


def pair_scores(a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, lengths: Tensor) -> Tensor:
    """Return the scores (B, N, N, R); differentiable; cells with a token past its sentence's length are 0."""
    a, c, V, bias = _checked(a, c, V, bias, lengths)
    inside = _inside(a, lengths)
    # Masked before and after: a NaN in the padding would reach the weights' gradients through 0 * NaN.
    a, c = a.masked_fill(~inside.unsqueeze(2), 0), c.masked_fill(~inside.unsqueeze(2), 0)
    with torch.autocast(a.device.type, enabled=False):
        hidden = (a.unsqueeze(2) + c.unsqueeze(1)).tanh_()  # (B, N, N, D); in place: autograd needs the tanh alone
        scores = linear(hidden, V, bias)
    return scores.masked_fill(~(inside.unsqueeze(2) & inside.unsqueeze(1)).unsqueeze(3), 0)


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
    """Return the binary cross-entropy of the scores, summed over each sentence's cells, (B,); differentiable.

    Args:
        gold: (S, 4) int64, the cells that hold a relation: sentence, row, column, label; a repeated one counts once.
        pos_weight: how often a gold cell counts.
    """
    if not pos_weight > 0:
        raise ValueError(f"pos_weight: got {pos_weight}, wanted a number above 0")
    scores = pair_scores(a, c, V, bias, lengths)
    _check_cells(gold, scores, lengths)
    target = torch.zeros_like(scores)
    target[gold.unbind(1)] = 1.0
    weight = None if pos_weight == 1.0 else torch.tensor(pos_weight, dtype=scores.dtype, device=scores.device)
    cells = binary_cross_entropy_with_logits(scores, target, reduction="none", pos_weight=weight)
    inside = _inside(a, lengths)
    return cells.masked_fill(~(inside.unsqueeze(2) & inside.unsqueeze(1)).unsqueeze(3), 0).sum((1, 2, 3))


def pair_select(
    a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, anchors: Tensor, lengths: Tensor, threshold: float
) -> tuple[Tensor, Tensor]:
    """Return the cells between anchors of one sentence with a score above the threshold; not differentiable.

    Args:
        anchors: (M, 2) int64, sentence and token, sorted, each once: the tokens that may be ends of a relation.

    Returns:
        Indices (S, 4), sentence, row, column and label, sorted; scores (S,).
    """
    a, c, V, bias = _checked(a, c, V, bias, lengths)
    check_anchors(anchors, a, lengths)
    chosen = torch.zeros(a.shape[:2], dtype=torch.bool, device=a.device)
    chosen[anchors.unbind(1)] = True
    sentence, token = chosen.nonzero().unbind(1)  # (M,), sorted whatever a GPU was given
    ends = chosen.sum(1).cumsum(0).tolist()
    found = [(anchors.new_empty(0, 4), a.new_empty(0))]
    with torch.no_grad(), torch.autocast(a.device.type, enabled=False):
        heads, tails = a[sentence, token], c[sentence, token]  # (M, D)
        for first, last in zip([0, *ends], ends, strict=False):
            for start, scores in _in_slices(heads[first:last], tails[first:last], V, bias):
                row, column, label = (scores > threshold).nonzero().unbind(1)
                head, tail = first + start + row, first + column
                cells = torch.stack([sentence[head], token[head], token[tail], label], 1)
                found.append((cells, scores[row, column, label]))
    return torch.cat([cells for cells, _ in found]), torch.cat([scores for _, scores in found])


def _in_slices(heads: Tensor, tails: Tensor, V: Tensor, bias: Tensor | None) -> Iterator[tuple[int, Tensor]]:
    """Yield the first row and the scores (rows, M, R) of some rows at a time; the next ones stand in their place."""
    count, size = heads.shape
    step = min(count, max(1, SLICE // max(1, count * size)))
    # In buffers: the allocator would not reuse what lies between the results that are kept.
    hidden, table = heads.new_empty(step * count, size), heads.new_empty(step * count, len(V))
    for start in range(0, count, max(1, step)):
        rows = heads[start : start + step]
        cells = len(rows) * count
        torch.add(rows.unsqueeze(1), tails, out=hidden[:cells].view(len(rows), count, size)).tanh_()
        if bias is None:
            torch.mm(hidden[:cells], V.T, out=table[:cells])
        else:
            torch.addmm(bias, hidden[:cells], V.T, out=table[:cells])
        yield start, table[:cells].view(len(rows), count, len(V))


def check_anchors(anchors: Tensor, a: Tensor, lengths: Tensor) -> None:
    """Raise ValueError or TypeError unless anchors are sorted tokens of the sentences."""
    if anchors.dim() != 2 or anchors.shape[1] != 2:
        raise ValueError(f"anchors: got shape {tuple(anchors.shape)}, wanted (M, 2)")
    check_dtype("anchors", anchors, torch.int64)
    check_device(("a", a), anchors=anchors)
    sentence, token = anchors.unbind(1)
    check_range("anchors", sentence, 0, a.shape[0] - 1)
    if values_known(anchors):
        check_range("anchors", token, 0, a.shape[1] - 1)
        if bool((token >= lengths[sentence]).any()):
            raise ValueError("anchors: got a token past its sentence's length, wanted tokens of the sentences")
        flat = sentence * a.shape[1] + token
        if bool((flat[1:] <= flat[:-1]).any()):
            raise ValueError("anchors: got tokens out of order or twice, wanted them sorted, each once")


def _checked(
    a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    if a.dim() != 3:
        raise ValueError(f"a: got shape {tuple(a.shape)}, wanted (B, N, D)")
    batch, length, size = a.shape
    check_shape("c", c, (batch, length, size))
    if V.dim() != 2 or V.shape[1] != size:
        raise ValueError(f"V: got shape {tuple(V.shape)}, wanted (R, {size})")
    if bias is not None:
        check_shape("bias", bias, (V.shape[0],))
    check_shape("lengths", lengths, (batch,))
    check_dtype("lengths", lengths, torch.int64)
    check_device(("a", a), c=c, V=V, bias=bias, lengths=lengths)
    tensors = promoted(a=a, c=c, V=V, bias=bias)
    check_range("lengths", lengths, 0, length)
    return tensors[0], tensors[1], tensors[2], tensors[3] if bias is not None else None


def _check_cells(gold: Tensor, scores: Tensor, lengths: Tensor) -> None:
    if gold.dim() != 2 or gold.shape[1] != 4:
        raise ValueError(f"gold: got shape {tuple(gold.shape)}, wanted (S, 4)")
    check_dtype("gold", gold, torch.int64)
    check_device(("a", scores), gold=gold)
    batch, length, _, labels = scores.shape
    sentence, row, column, label = gold.unbind(1)
    check_range("gold", sentence, 0, batch - 1)
    check_range("gold", row, 0, length - 1)
    check_range("gold", column, 0, length - 1)
    check_range("gold", label, 0, labels - 1)
    if values_known(gold) and bool((torch.maximum(row, column) >= lengths[sentence]).any()):
        raise ValueError("gold: got a cell past its sentence's length, wanted cells of the sentences")


def _inside(a: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(a.shape[1], device=a.device) < lengths.unsqueeze(1)  # (B, N)
