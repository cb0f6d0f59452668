"""Which labels the second phase reads (III-E, `label.source`), and their embeddings (III-A2).

The paper reads gold labels in training and the first phase's at inference. The second CRF can then lower its loss by
copying its input, so the other sources exist to measure what that costs: `predicted` (as at inference), `scheduled`
(a sentence has gold labels with a probability that may change over the epochs) and `noised` (some labels are wrong).
"""

import torch
from torch import Tensor, nn

from cman.config.settings import Label


class LabelSource(nn.Module):
    """Chooses the labels of each sentence; `gold_share` is set by the training loop at the start of an epoch."""

    def __init__(self, tags: int, settings: Label) -> None:
        super().__init__()
        self.tags, self.settings = tags, settings
        self.gold_share = settings.gold_start

    def start_epoch(self, epoch: int, epochs: int) -> None:
        """Set the share of gold sentences for epoch `epoch` (from 0) of `epochs`."""
        progress = epoch / max(epochs - 1, 1)
        self.gold_share = self.settings.gold_start + progress * (self.settings.gold_end - self.settings.gold_start)

    @property
    def needs_prediction(self) -> bool:
        """Whether the first phase must be decoded: always at inference, in training only for some sources."""
        return not self.training or self.settings.source in ("predicted", "scheduled")

    def forward(self, gold: Tensor, predicted: Tensor | None) -> Tensor:
        """Return the labels (B, L) to read; `predicted` may hold -1 in the padding."""
        if predicted is not None:
            predicted = predicted.clamp(min=0)
            if not self.training or self.settings.source == "predicted":
                return predicted
            is_gold = torch.rand(len(gold), 1, device=gold.device) < self.gold_share
            return torch.where(is_gold, gold, predicted)
        if self.settings.source == "noised":
            replaced = torch.rand(gold.shape, device=gold.device) < self.settings.noise
            return torch.where(replaced, torch.randint_like(gold, self.tags), gold)
        return gold
