"""An LSTM over padded sentences: compiled for float32 on the CPU, else its definition in plain PyTorch.

    i, f, o = sigmoid(W x + U h' + bias), g = tanh(W x + U h' + bias)
    c = f c' + i g, h = o tanh(c)                                                               (equations 1 to 3)

h' and c' are those of the token before, or of the token after where a sentence is read backwards; 0 at its first one.
PyTorch's own LSTM runs a batch of sentences of one length; this one knows where each ends, in both directions, and
computes nothing for padding.
"""

import torch
from torch import Tensor

from cman.kernels import library, reference
from cman.kernels.library import compiled
from cman.kernels.transforms import check_dense, is_transformed

# As csrc/binding/library.cpp declares it; a test compares the two.
SCHEMAS = ("lstm(Tensor x, Tensor lengths, Tensor W, Tensor U, Tensor bias, bool backwards=False) -> Tensor",)


def lstm(x: Tensor, lengths: Tensor, W: Tensor, U: Tensor, bias: Tensor, backwards: bool = False) -> Tensor:
    """Return the outputs h (B, L, H), 0 past a sentence's length; differentiable.

    Args:
        x: (B, L, D); float32 or float64, half precision is computed and returned in float32.
        lengths: (B,) int64, each from 0 to L. What stands past them never matters.
        W: (4 H, D), gates in the order i, f, g, o, as in `torch.nn.LSTM`.
        U: (4 H, H).
        bias: (4 H,).
        backwards: from each sentence's last token to its first.

    Raises:
        ValueError: a shape, device or value, which the message names.
        TypeError: a type.
    """
    check_dense(x=x, lengths=lengths, W=W, U=U, bias=bias)
    chosen = torch.ops.cman if runs_compiled(x) and not is_transformed(x, W, U, bias) else reference
    outputs: Tensor = chosen.lstm(x, lengths, W, U, bias, backwards)
    return outputs


def runs_compiled(x: Tensor) -> bool:
    """Return whether an LSTM over a tensor runs compiled, unless a transform of PyTorch asks for more."""
    return x.device.type == "cpu" and x.dtype != torch.float64 and compiled(x)


# Fake kernels: the shapes and types of results, without computing them.


def _fake_forward(
    x: Tensor, lengths: Tensor, W: Tensor, U: Tensor, bias: Tensor, backwards: bool
) -> tuple[Tensor, Tensor, Tensor]:
    shape = (*x.shape[:2], U.shape[1])
    return x.new_empty(shape), x.new_empty((*x.shape[:2], U.shape[0])), x.new_empty(shape)


def _fake_backward(
    grad: Tensor,
    x: Tensor,
    lengths: Tensor,
    W: Tensor,
    U: Tensor,
    outputs: Tensor,
    gates: Tensor,
    cells: Tensor,
    backwards: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return x.new_empty(x.shape), W.new_empty(W.shape), U.new_empty(U.shape), W.new_empty(len(W))


library.register(
    SCHEMAS,
    fakes={"_lstm_forward": _fake_forward, "_lstm_backward": _fake_backward},
    in_python={},
    refused=("_lstm_forward", "_lstm_backward"),
)
