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

from cman.config.settings import Rel
from cman.features.batch import Batch
from cman.kernels import pair_bce, pair_scores, pair_select
from cman.model.linear import Linear
from cman.model.output import Links
from cman.model.pairs import Pairs, first_threshold, pair_loss, training_pairs
from cman.model.spans import SpanReader


class MultiHeadRelations(nn.Module):
    """Scores, loss and selection of relations.

    Args:
        size: size of a token's features.
        labels: number of relation labels.
        tags: the tag set, in the order of the ids.

    `threshold` is what a relation's probability must exceed; with `rel.threshold: auto` the training sets it.
    """

    def __init__(self, size: int, labels: int, settings: Rel, tags: tuple[str, ...]) -> None:
        super().__init__()
        self.labels, self.settings = labels, settings
        self.reader = SpanReader(tags)
        self.threshold = first_threshold(settings)
        classes = labels + settings.null_class
        self.copies = max(classes, 1) if settings.params == "per_relation" else 1
        self.head = Linear(size, self.copies * settings.hidden)  # U and b
        self.tail = Linear(size, self.copies * settings.hidden, bias=False)  # W
        self.V = nn.Parameter(torch.empty(classes, settings.hidden))
        nn.init.xavier_uniform_(self.V)
        self.bias = None
        if settings.prior is not None:
            self.bias = nn.Parameter(torch.full((classes,), math.log(settings.prior / (1 - settings.prior))))

    def scores(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return s of equation 16 for all pairs, (B, L, L, classes); the class N comes last."""
        return torch.cat([pair_scores(*each, lengths) for each in self._operands(x)], 3)

    def loss(self, x: Tensor, batch: Batch, predicted: Tensor | None = None) -> Tensor:
        """Return the binary cross-entropy of each sentence's cells, summed or averaged, (B,).

        Args:
            predicted: tags (B, L), which `rel.candidates: entities` needs; see `cman.model.pairs`.
        """
        if self.settings.candidates == "entities":
            assert predicted is not None
            pairs, expected = training_pairs(batch, predicted, self.reader, self.labels, self.settings)
            return pair_loss(self._pair_scores(x, pairs), expected, pairs, len(x), self.settings)
        gold, weight = self._gold(batch), self.settings.pos_weight
        operands = self._operands(x)
        if len(operands) == 1:
            total = pair_bce(*operands[0], gold, batch.lengths, pos_weight=weight)
        else:
            gold_of = [gold[gold[:, 3] == label] * gold.new_tensor([1, 1, 1, 0]) for label in range(len(operands))]
            losses = [
                pair_bce(*each, cells, batch.lengths, pos_weight=weight)
                for each, cells in zip(operands, gold_of, strict=True)
            ]
            total = torch.stack(losses).sum(0)
        if self.settings.loss_reduction == "sum":
            return total
        return total / (batch.lengths**2 * max(len(self.V), 1))

    def links(self, x: Tensor, lengths: Tensor, candidates: Tensor, least: float | None = None) -> Links:
        """Return the relations between candidate tokens that are more probable than the threshold (equation 17).

        Args:
            candidates: (M, 2) sentence and token, sorted.
            least: also return those of the ranking, which are more probable than this.
        """
        bound = _logit(self.threshold)
        lowest = bound if least is None else min(bound, _logit(least))
        selected = []
        for label, (a, c, V, bias) in enumerate(self._operands(x)):
            if self.copies == 1:  # the class N, the last one, is left out
                V, bias = V[: self.labels], None if bias is None else bias[: self.labels]
            elif label == self.labels:
                break
            cells, scores = pair_select(a, c, V, bias, candidates, lengths, lowest)
            selected.append((cells + cells.new_tensor([0, 0, 0, label]), scores))
        cells, scores = torch.cat([each for each, _ in selected]), torch.cat([each for _, each in selected])
        return Links(cells, scores.sigmoid(), None if least is None else scores > bound)

    def _pair_scores(self, x: Tensor, pairs: Pairs) -> Tensor:
        """Return the scores of pairs of entities by their anchors, (P, labels): cells of the table of equation 16."""
        spans = pairs.spans
        anchors = spans.end - 1 if self.settings.anchor == "last" else spans.start
        columns = []
        for a, c, V, bias in self._operands(x):
            a, c = a[spans.sentence, anchors], c[spans.sentence, anchors]  # (S, hidden)
            scores = torch.tanh(a[pairs.head] + c[pairs.tail]) @ V.T
            columns.append(scores if bias is None else scores + bias)
        return torch.cat(columns, 1)

    def _operands(self, x: Tensor) -> list[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
        """Return a, c, V and the bias of the pair operations; one tuple a class if each has its own."""
        a, c = self.head(x), self.tail(x)
        if self.copies == 1:
            return [(a, c, self.V, self.bias)]
        biases = [None] * self.copies if self.bias is None else torch.split(self.bias, 1)
        return list(zip(a.chunk(self.copies, 2), c.chunk(self.copies, 2), torch.split(self.V, 1), biases, strict=True))

    def _gold(self, batch: Batch) -> Tensor:
        """Return the gold cells (S, 4), with those of the class N if there is one."""
        if not self.settings.null_class:
            return batch.relations
        free = torch.arange(batch.words.shape[1], device=batch.lengths.device) < batch.lengths.unsqueeze(1)  # (B, L)
        free[batch.relations[:, 0], batch.relations[:, 1]] = False
        sentence, token = free.nonzero().unbind(1)
        null = torch.stack([sentence, token, token, torch.full_like(token, self.labels)], 1)
        return torch.cat([batch.relations, null])


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))  # bounds a score as the probability bounds its sigmoid
