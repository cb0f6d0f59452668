"""The label gate (equations 10 and 11): how much of each encoded label reaches the tokens."""

import torch
from torch import Tensor, nn

from cman.model.linear import Linear


class LabelGate(nn.Module):
    """k = sigmoid(W_x X + W_l L + b_l); the encoded labels L become k L.

    Args:
        size: 2d, the size of tokens and encoded labels.
        kind: `vector` gates each value of a label on its own, `scalar` the label as a whole.
    """

    def __init__(self, size: int, kind: str) -> None:
        super().__init__()
        width = size if kind == "vector" else 1
        self.tokens = Linear(size, width, bias=False)
        self.labels = Linear(size, width)

    def forward(self, tokens: Tensor, labels: Tensor) -> Tensor:  # (B, L, 2d), (B, L, 2d) -> (B, L, 2d)
        return torch.sigmoid(self.tokens(tokens) + self.labels(labels)) * labels
