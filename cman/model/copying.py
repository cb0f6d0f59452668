"""The label-copy rate: how often the second CRF's tag is the label that the second phase read for that token.

In training the labels read are the gold ones that the second CRF is to predict, so it can learn to copy. At inference
a rate near 1 means that the second phase repeats the first one's entities. The rate over tokens whose label is not
`O` is given beside it, because most tokens are outside of any entity and trivially agree.
"""

from dataclasses import dataclass

import torch

from cman.model.output import Prediction


@dataclass
class LabelCopies:
    """Counts over batches; all 0 for a model without a second phase, which has nothing to copy."""

    tokens: int = 0
    copied: int = 0
    entity_tokens: int = 0  # whose label is not O
    copied_entity_tokens: int = 0

    def add(self, prediction: Prediction, lengths: torch.Tensor) -> None:
        """Count one batch."""
        if prediction.second_tags is None:
            return
        mask = torch.arange(prediction.labels.shape[1], device=lengths.device) < lengths.unsqueeze(1)
        same = (prediction.labels == prediction.second_tags) & mask
        inside = (prediction.labels > 0) & mask
        self.tokens += int(mask.sum())
        self.copied += int(same.sum())
        self.entity_tokens += int(inside.sum())
        self.copied_entity_tokens += int((same & inside).sum())

    def merge(self, other: "LabelCopies") -> None:
        """Add the counts of other batches."""
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)

    def rates(self) -> dict[str, float]:
        """Return both rates in [0, 1]; 1 where there was nothing to copy."""
        return {
            "label_copy_rate": self.copied / self.tokens if self.tokens else 1.0,
            "label_copy_rate_entities": self.copied_entity_tokens / self.entity_tokens if self.entity_tokens else 1.0,
        }
