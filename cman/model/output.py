"""What every model gives: the losses of a batch in training, a prediction of it at inference."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from cman.model.crf import Potentials

Losses = dict[str, Tensor]  # `first`, `second`, `rel` -> mean over the sentences of a batch


class Links(NamedTuple):
    """Relations between tokens with a probability above the threshold or, where a ranking was wanted, above its end."""

    cells: Tensor  # (S, 4): sentence, head's token, tail's token, label; sorted
    probabilities: Tensor  # (S,)
    above: Tensor | None = None  # (S,) whether above the threshold; None: all are


@dataclass(frozen=True)
class Prediction:
    """A decoded batch."""

    tags: Tensor  # (B, L) of the reported phase, -1 in the padding
    labels: Tensor  # (B, L) that the second phase read
    second_tags: Tensor | None  # (B, L) of the second phase, if there are two; see `cman.model.copying`
    potentials: Potentials  # of the reported phase
    links: Links  # between tokens of predicted entities
