"""Dropout whose mask takes 16 random bits a number, where PyTorch's takes a number's worth of its generator on a CPU.

A share of the numbers is set to 0 and the others are scaled, so that the mean stays. The share is kept to 1 / 65,536.
"""

import torch
from torch import Tensor, nn

STEPS = 2**16


class Dropout(nn.Dropout):
    """As `torch.nn.Dropout`, with another stream of random numbers on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        dropped = round(self.p * STEPS)
        if not self.training or not 0 < dropped < STEPS or input.device.type != "cpu":
            return super().forward(input)
        words = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = words.view(torch.int16)[: input.numel()].view(input.shape) >= dropped - STEPS // 2
        return input * (kept * (STEPS / (STEPS - dropped)))
