"""Multi-head relation scores of all pairs of tokens (equation 16, with U x + b = a and W x = c computed outside).

    s[b, i, j, r] = V[r] . tanh(a[b, i] + c[b, j]) + bias[r]

i is the row token, the relation's head and first argument; j the column token, its tail and second argument.
Shapes: a and c (B, N, D); V (R, D); bias (R,) or None; lengths (B,); the result (B, N, N, R).
"""

import torch
from torch import Tensor


def pair_scores(a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, lengths: Tensor) -> Tensor:
    """Return the scores (B, N, N, R); differentiable; cells with a token past its sentence's length are 0.

    Raises:
        ValueError: a shape does not fit the others.
    """
    if a.dim() != 3 or c.shape != a.shape:
        raise ValueError(f"a and c: got shapes {tuple(a.shape)} and {tuple(c.shape)}, wanted both (B, N, D)")
    if V.dim() != 2 or V.shape[1] != a.shape[2]:
        raise ValueError(f"V: got shape {tuple(V.shape)}, wanted (R, {a.shape[2]})")
    if bias is not None and bias.shape != V.shape[:1]:
        raise ValueError(f"bias: got shape {tuple(bias.shape)}, wanted ({V.shape[0]},)")
    if (
        lengths.device.type == "cpu"
        and len(lengths)
        and not 0 <= int(lengths.min()) <= int(lengths.max()) <= a.shape[1]
    ):
        raise ValueError(
            f"lengths: got values from {int(lengths.min())} to {int(lengths.max())}, wanted 0 to {a.shape[1]}"
        )
    if lengths.shape != a.shape[:1]:
        raise ValueError(f"lengths: got shape {tuple(lengths.shape)}, wanted ({a.shape[0]},)")
    inside = torch.arange(a.shape[1], device=a.device) < lengths.unsqueeze(1)  # (B, N)
    # Masked before and after: a NaN in the padding would reach the weights' gradients through 0 * NaN.
    a, c = a.masked_fill(~inside.unsqueeze(2), 0), c.masked_fill(~inside.unsqueeze(2), 0)
    hidden = (a.unsqueeze(2) + c.unsqueeze(1)).tanh_()  # (B, N, N, D); in place: autograd needs the tanh, not the sum
    scores = torch.nn.functional.linear(hidden, V, bias)
    return scores.masked_fill(~(inside.unsqueeze(2) & inside.unsqueeze(1)).unsqueeze(3), 0)
