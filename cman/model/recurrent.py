"""The recurrent unit of every stack (equations 1-3): BiLSTM by default, and the substitutes of Tables VI and VII.

LSTMs on a CPU run compiled (`cman.kernels.lstm`). Elsewhere PyTorch runs a unit over a padded batch in one fused call,
but over a packed one step by step. Padding on the right does not disturb the forward direction; the backward direction
is a forward one over each sentence reversed within its own length. So both are fused and exact.
"""

import torch
from torch import Tensor, nn

from cman.config.settings import Recurrent as RecurrentSettings
from cman.kernels import lstm
from cman.kernels.recurrent import runs_compiled
from cman.model.linear import Linear


class Reversal:
    """Reverses each sentence of a padded batch within its own length; its own inverse.

    Args:
        lengths: (B,) tokens of each sentence.
        longest: L, the padded length.
    """

    def __init__(self, lengths: Tensor, longest: int) -> None:
        position = torch.arange(longest, device=lengths.device).unsqueeze(1)  # (L, 1)
        mirrored = lengths - 1 - position  # (L, B)
        row = torch.where(mirrored >= 0, mirrored, position)
        self._flat = (row * len(lengths) + torch.arange(len(lengths), device=lengths.device)).flatten()

    def __call__(self, x: Tensor) -> Tensor:  # (L, B, D) -> (L, B, D)
        return x.flatten(0, 1).index_select(0, self._flat).view_as(x)


class Recurrent(nn.Module):
    """(B, L, D) -> (B, L, 2 * hidden), whatever the kind.

    Args:
        size: D, the input size.
        hidden: units a direction; a unidirectional kind has twice as many, so that the output keeps its width.
    """

    def __init__(self, size: int, hidden: int, settings: RecurrentSettings) -> None:
        super().__init__()
        self.kind = settings.kind
        if self.kind == "mlp":
            self.mlp = nn.Sequential(Linear(size, 2 * hidden), nn.ReLU(), Linear(2 * hidden, 2 * hidden))
            return
        unit: type[nn.LSTM | nn.GRU] = nn.LSTM if self.kind.endswith("lstm") else nn.GRU
        both = self.kind.startswith("bi")
        self.forwards = unit(size, hidden if both else 2 * hidden)
        self.backwards = unit(size, hidden) if both else None
        if settings.init == "tf":
            for direction in filter(None, (self.forwards, self.backwards)):
                _initialise_like_tensorflow(direction)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        if self.kind == "mlp":
            result: Tensor = self.mlp(x)
            return result
        if isinstance(self.forwards, nn.LSTM) and runs_compiled(x):
            units = [self.forwards] if self.backwards is None else [self.forwards, self.backwards]
            return torch.cat([_compiled(unit, x, lengths, bool(number)) for number, unit in enumerate(units)], 2)
        steps = x.transpose(0, 1)  # (L, B, D)
        ahead: Tensor = self.forwards(steps)[0]
        if self.backwards is None:
            return ahead.transpose(0, 1)
        reverse = Reversal(lengths, x.shape[1])
        back, _ = self.backwards(reverse(steps))
        both: Tensor = torch.cat([ahead, reverse(back)], 2)
        return both.transpose(0, 1)


def _compiled(unit: nn.RNNBase, x: Tensor, lengths: Tensor, backwards: bool) -> Tensor:
    weights = dict(unit.named_parameters())
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    return lstm(x, lengths, weights["weight_ih_l0"], weights["weight_hh_l0"], bias, backwards)


@torch.no_grad()
def _initialise_like_tensorflow(unit: nn.RNNBase) -> None:
    """Glorot-uniform over input and recurrent weights as one kernel, one bias, forget bias 1 (BasicLSTMCell)."""
    weights = dict(unit.named_parameters())
    gates = len(weights["bias_ih_l0"])
    bound = (6.0 / (unit.input_size + unit.hidden_size + gates)) ** 0.5
    for name in ("weight_ih_l0", "weight_hh_l0"):
        weights[name].uniform_(-bound, bound)
    weights["bias_ih_l0"].zero_()
    weights["bias_hh_l0"].zero_()
    if isinstance(unit, nn.LSTM):
        # PyTorch adds two biases; the second stays 0 and fixed, so that the sum learns at the rate of one.
        weights["bias_hh_l0"].requires_grad_(False)
        weights["bias_ih_l0"][unit.hidden_size : 2 * unit.hidden_size] = 1.0
