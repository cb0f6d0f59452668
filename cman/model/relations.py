"""The multi-head relation scores of all token pairs (equations 16 and 17) and their loss (equation 20).

Row i is the token that stands for a relation's head (its first argument), column j the one for its tail. With
`rel.null_class` there is one more class N, gold at (i, i) for a token that heads no relation, as in the baseline's
code; it takes part in the loss and is never decoded.

Hardly one cell in a thousand holds a relation. Without an output bias the untrained scores of all the others make a
loss that drowns the entities' for an epoch or more; `rel.prior` starts each class at a small probability instead.
"""

import math

import torch
from torch import Tensor, nn

from cman.features.batch import Batch
from cman.kernels import pair_scores
from cman.settings import Rel


class MultiHeadRelations(nn.Module):
    """Scores, loss and probabilities of relations.

    Args:
        size: size of a token's features.
        labels: number of relation labels.
    """

    def __init__(self, size: int, labels: int, settings: Rel) -> None:
        super().__init__()
        self.labels, self.settings = labels, settings
        classes = labels + settings.null_class
        self.copies = max(classes, 1) if settings.params == "per_relation" else 1
        self.head = nn.Linear(size, self.copies * settings.hidden)  # U and b
        self.tail = nn.Linear(size, self.copies * settings.hidden, bias=False)  # W
        self.V = nn.Parameter(torch.empty(classes, settings.hidden))
        nn.init.xavier_uniform_(self.V)
        self.bias = None
        if settings.prior is not None:
            self.bias = nn.Parameter(torch.full((classes,), math.log(settings.prior / (1 - settings.prior))))

    def scores(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return s of equation 16 for all pairs, (B, L, L, classes); the class N comes last."""
        a, c = self.head(x), self.tail(x)
        if self.copies == 1:
            return pair_scores(a, c, self.V, self.bias, lengths)
        biases = [None] * self.copies if self.bias is None else torch.split(self.bias, 1)
        parts = zip(a.chunk(self.copies, 2), c.chunk(self.copies, 2), torch.split(self.V, 1), biases, strict=True)
        return torch.cat([pair_scores(part_a, part_c, v, bias, lengths) for part_a, part_c, v, bias in parts], 3)

    def loss(self, x: Tensor, batch: Batch) -> Tensor:
        """Return the binary cross-entropy of each sentence's cells, summed or averaged, (B,)."""
        scores = self.scores(x, batch.lengths)
        gold = torch.zeros_like(scores)
        sentence, head, tail, label = batch.relations.unbind(1)
        gold[sentence, head, tail, label] = 1.0
        longest = scores.shape[1]
        inside = torch.arange(longest, device=x.device) < batch.lengths.unsqueeze(1)  # (B, L)
        if self.settings.null_class:
            free = inside.clone()
            free[sentence, head] = False
            gold[:, range(longest), range(longest), self.labels] = free.to(gold.dtype)
        weight = torch.tensor(self.settings.pos_weight, device=x.device) if self.settings.pos_weight != 1.0 else None
        cells = nn.functional.binary_cross_entropy_with_logits(scores, gold, reduction="none", pos_weight=weight)
        cells = cells.masked_fill(~(inside.unsqueeze(2) & inside.unsqueeze(1)).unsqueeze(3), 0)
        total = cells.sum((1, 2, 3))
        return total if self.settings.loss_reduction == "sum" else total / (batch.lengths**2 * max(scores.shape[3], 1))

    def probabilities(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return the probability of each relation at each pair, (B, L, L, labels), 0 in the padding (equation 17)."""
        scores = self.scores(x, lengths)[..., : self.labels]
        inside = torch.arange(scores.shape[1], device=x.device) < lengths.unsqueeze(1)
        return scores.sigmoid().masked_fill(~(inside.unsqueeze(2) & inside.unsqueeze(1)).unsqueeze(3), 0)
