"""Relation scores of entity pairs that read whole spans and the words between them (`rel.scorer: span`; ours).

    s(h, t) = MLP[ max of U x over h ; max of W x over t ; max of C x over the words between ;
                   types ; lengths ; signed distance ]

The printed scorer (equation 16) reads one token of each argument and adds the two: it sees neither the words between,
nor how far apart, nor of which type they are. Argument and context vectors are maxima of projected token vectors, as in
SpERT (Eberts and Ulges 2020); lengths and distances are embedded in buckets, as in Lee et al. (2017).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cman.config.settings import Rel, Span
from cman.features.batch import Batch
from cman.model.dropout import Dropout
from cman.model.linear import Linear
from cman.model.output import Links
from cman.model.pairs import Pairs, first_threshold, pair_loss, pairs_of, training_pairs
from cman.model.range_max import range_maxima
from cman.model.spans import SpanReader, Spans

WIDTHS = 11  # longer entities count as this long
# Upper bounds of the buckets of a signed distance: 1 where the tail follows at once, -1 where the head does.
DISTANCES = (-20, -12, -7, -4, -2, -1, 0, 1, 2, 4, 7, 12, 20)
SLICE = 8192  # pairs that are scored at once at inference: bounds memory where a sentence has many entities


class SpanRelations(nn.Module):
    """Scores, loss and selection of relations between entities.

    Args:
        size: size of a token's features.
        tags: the tag set, in the order of the ids.
        labels: number of relation labels.

    `threshold` is what a relation's probability must exceed; with `rel.threshold: auto` the training sets it.
    """

    def __init__(self, size: int, tags: tuple[str, ...], labels: int, settings: Rel, span: Span) -> None:
        super().__init__()
        self.labels, self.settings = labels, settings
        self.threshold = first_threshold(settings)
        self.reader = SpanReader(tags)
        width = span.projection
        self.dropout = Dropout(span.dropout)
        self.head, self.tail = Linear(size, width), Linear(size, width)
        self.context = Linear(size, width) if span.context else None
        self.adjacent = nn.Parameter(torch.zeros(width)) if span.context else None  # in the place of no words between
        self.types = _embedding(len(self.reader.types), span.type_emb)
        self.widths = _embedding(WIDTHS + 1, span.width_emb)
        self.distances = _embedding(len(DISTANCES) + 1, span.distance_emb)
        joined = (2 + span.context) * width + 2 * span.type_emb + 2 * span.width_emb + span.distance_emb
        output = Linear(span.hidden, labels)
        self.mlp = nn.Sequential(Linear(joined, span.hidden), nn.GELU(), output)
        if settings.prior is not None:
            nn.init.constant_(output.bias, math.log(settings.prior / (1 - settings.prior)))

    def loss(
        self,
        x: Tensor,
        batch: Batch,
        predicted: Tensor | None,
        taught: Callable[[Tensor, Pairs], Tensor] | None = None,
    ) -> Tensor:
        """Return the binary cross-entropy of each sentence's candidates, (B,); see `training_pairs`.

        Args:
            taught: makes soft targets of the gold ones, (P, labels), and the pairs.
        """
        assert predicted is not None
        pairs, expected = training_pairs(batch, predicted, self.reader, self.labels, self.settings)
        if taught is not None:
            expected = taught(expected, pairs)
        return pair_loss(self.scores(x, pairs), expected, pairs, len(x), self.settings)

    def links(self, x: Tensor, tags: Tensor, least: float | None = None) -> Links:
        """Return the relations between decoded entities that are more probable than the threshold, by their anchors.

        Args:
            tags: (B, L), -1 in the padding.
            least: also return those of the ranking, which are more probable than this.
        """
        pairs = pairs_of(self.reader(tags))
        return self.chosen(self.scores(x, pairs).sigmoid(), pairs, least)

    def chosen(self, probabilities: Tensor, pairs: Pairs, least: float | None) -> Links:
        """Return the relations of pairs by their probabilities (P, labels); see `links`."""
        lowest = self.threshold if least is None else min(self.threshold, least)
        pair, label = (probabilities > lowest).nonzero().unbind(1)
        value = probabilities[pair, label]
        anchors = pairs.spans.end - 1 if self.settings.anchor == "last" else pairs.spans.start
        head, tail = anchors[pairs.head[pair]], anchors[pairs.tail[pair]]
        above = None if least is None else value > self.threshold
        return Links(torch.stack([pairs.sentence[pair], head, tail, label], 1), value, above)

    def scores(self, x: Tensor, pairs: Pairs) -> Tensor:
        """Return the scores before the sigmoid, (P, labels), of token features (B, L, size)."""
        x = self.dropout(x)
        where = pairs.spans[:3]
        spans = [
            self._joined(range_maxima(each(x), *where), pairs.spans) for each in (self.head, self.tail)
        ]  # each (S, .)
        context = None if self.context is None else self.context(x)
        slices = [
            self._slice(spans, context, Pairs(pairs.spans, head, tail))
            for head, tail in zip(torch.split(pairs.head, SLICE), torch.split(pairs.tail, SLICE), strict=True)
        ]
        return torch.cat(slices)

    def _joined(self, vectors: Tensor, spans: Spans) -> Tensor:
        """Return what is known of each argument alone."""
        known = [vectors]
        if self.types is not None:
            known.append(self.types(spans.kind))
        if self.widths is not None:
            known.append(self.widths((spans.end - spans.start).clamp(max=WIDTHS)))
        return torch.cat(known, 1)

    def _slice(self, spans: list[Tensor], context: Tensor | None, pairs: Pairs) -> Tensor:
        start, end = pairs.spans.start, pairs.spans.end
        forwards = end[pairs.head] <= start[pairs.tail]
        # The words between the two begin where the first one ends.
        left = torch.where(forwards, end[pairs.head], end[pairs.tail])
        right = torch.where(forwards, start[pairs.tail], start[pairs.head])
        known = [spans[0][pairs.head], spans[1][pairs.tail]]
        if context is not None:
            assert self.adjacent is not None
            between = right > left
            maxima = range_maxima(context, pairs.sentence[between], left[between], right[between])
            vectors = self.adjacent.expand(len(left), -1)
            known.append(vectors.index_put((between.nonzero()[:, 0],), maxima))
        if self.distances is not None:
            distance = torch.where(forwards, right - left + 1, left - right - 1)
            known.append(self.distances(torch.bucketize(distance, distance.new_tensor(DISTANCES))))
        scores: Tensor = self.mlp(self.dropout(torch.cat(known, 1)))
        return scores


def _embedding(count: int, size: int) -> nn.Embedding | None:
    return nn.Embedding(count, size) if size else None
