"""An LSTM over padded sentences, a token at a time (equations 1 to 3; gates in the order of `torch.nn.LSTM`)."""

import torch
from torch import Tensor
from torch.nn.functional import linear

from cman.kernels.reference.checks import check_device, check_dtype, check_range, check_shape, promoted


def lstm(x: Tensor, lengths: Tensor, W: Tensor, U: Tensor, bias: Tensor, backwards: bool = False) -> Tensor:
    """Return the outputs (B, L, H); arguments and errors as in `cman.kernels.lstm`."""
    x, W, U, bias = _checked(x, lengths, W, U, bias)
    length, size = x.shape[1], U.shape[1]
    inside = torch.arange(length, device=x.device) < lengths.unsqueeze(1)  # (B, L)
    with torch.autocast(x.device.type, enabled=False):
        # Masked: a NaN in the padding would reach the weights' gradients through 0 * NaN.
        projected = linear(x.masked_fill(~inside.unsqueeze(2), 0), W, bias)  # (B, L, 4 H)
        hidden = cell = projected.new_zeros(len(x), size)
        if length == 0:
            return projected[..., :size]
        outputs = [hidden] * length
        for t in reversed(range(length)) if backwards else range(length):
            i, f, g, o = linear(hidden, U).add(projected[:, t]).chunk(4, 1)
            # Zero past a sentence's end, which is what a sentence begins with where it is read backwards.
            cell = (f.sigmoid() * cell + i.sigmoid() * g.tanh()).masked_fill(~inside[:, t, None], 0)
            outputs[t] = hidden = o.sigmoid() * cell.tanh()
    return torch.stack(outputs, 1)


def _checked(x: Tensor, lengths: Tensor, W: Tensor, U: Tensor, bias: Tensor) -> list[Tensor]:
    if x.dim() != 3:
        raise ValueError(f"x: got shape {tuple(x.shape)}, wanted (B, L, D)")
    if U.dim() != 2 or len(U) != 4 * U.shape[1]:
        raise ValueError(f"U: got shape {tuple(U.shape)}, wanted (4 H, H)")
    check_shape("W", W, (len(U), x.shape[2]))
    check_shape("bias", bias, (len(U),))
    check_shape("lengths", lengths, (len(x),))
    check_dtype("lengths", lengths, torch.int64)
    check_device(("x", x), lengths=lengths, W=W, U=U, bias=bias)
    check_range("lengths", lengths, 0, x.shape[1])
    return promoted(x=x, W=W, U=U, bias=bias)
