"""The label-copy rate: how often the second CRF's tag is the label that the second phase read for that token.

In training the labels read are the gold ones that the second CRF is to predict, so it can learn to copy. At inference
a rate near 1 means that the second phase repeats the first one's entities. The rate over tokens whose label is not
`O` is given beside it, because most tokens are outside of any entity and trivially agree.
"""

import torch

from cman.model.output import Prediction


class LabelCopies:
    """Counts over batches."""

    def __init__(self) -> None:
        self._tokens = self._copied = self._inside = self._copied_inside = 0

    def add(self, prediction: Prediction, lengths: torch.Tensor) -> None:
        """Count one batch."""
        mask = torch.arange(prediction.labels.shape[1], device=lengths.device) < lengths.unsqueeze(1)
        same = (prediction.labels == prediction.second_tags) & mask
        inside = (prediction.labels > 0) & mask
        self._tokens += int(mask.sum())
        self._copied += int(same.sum())
        self._inside += int(inside.sum())
        self._copied_inside += int((same & inside).sum())

    def rates(self) -> dict[str, float]:
        """Return both rates in [0, 1]; 1 where there was nothing to copy."""
        return {
            "label_copy_rate": self._copied / self._tokens if self._tokens else 1.0,
            "label_copy_rate_entities": self._copied_inside / self._inside if self._inside else 1.0,
        }
