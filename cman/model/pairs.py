"""Pairs of entities, the candidates of a relation (`rel.candidates: entities`), and their loss.

At inference the candidates are all ordered pairs of predicted entities of a sentence. In training they are the same of
the gold entities and of some wrong predicted ones: of gold alone, a model never sees what it is given later.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cman.config.settings import Rel
from cman.features.batch import Batch
from cman.model.spans import SpanReader, Spans


class Pairs(NamedTuple):
    """P ordered pairs of spans of one sentence that do not overlap, sorted by head and tail."""

    spans: Spans
    head: Tensor  # (P,) index of a span
    tail: Tensor  # (P,)

    @property
    def sentence(self) -> Tensor:
        """The sentence of each pair, (P,)."""
        return self.spans.sentence[self.head]


def pairs_of(spans: Spans) -> Pairs:
    """Return all ordered pairs of spans of one sentence that do not overlap."""
    together = spans.sentence.unsqueeze(1) == spans.sentence  # (S, S)
    together &= (spans.end.unsqueeze(1) <= spans.start) | (spans.start.unsqueeze(1) >= spans.end)
    head, tail = together.nonzero().unbind(1)
    return Pairs(spans, head, tail)


def first_threshold(settings: Rel) -> float:
    """Return the threshold of a new model: that of the settings, or 0.5 until another one was chosen."""
    return 0.5 if settings.threshold == "auto" else settings.threshold


def training_pairs(
    batch: Batch, predicted: Tensor, reader: SpanReader, labels: int, settings: Rel
) -> tuple[Pairs, Tensor]:
    """Return the candidates of a batch in training and which relations they have, (P, labels) of 0 and 1.

    Args:
        predicted: tags (B, L), -1 in the padding; the entities among them that are not gold are the wrong ones.
    """
    gold = reader(batch.tags)  # 0 in the padding is `O`
    wrong = _wrong(reader(predicted), gold, batch.tags.shape[1], settings.wrong_candidates)
    spans = Spans(*(torch.cat(each) for each in zip(gold, wrong, strict=True)))
    pairs = pairs_of(spans)
    owner = batch.tags.new_full(batch.tags.shape, -1)  # (B, L): the gold entity that a token stands for
    owner[gold.sentence, gold.end - 1 if settings.anchor == "last" else gold.start] = torch.arange(
        len(gold.sentence), device=owner.device
    )
    sentence, head, tail, label = batch.relations.unbind(1)
    place = owner.new_full((len(spans.sentence), len(spans.sentence)), -1)
    place[pairs.head, pairs.tail] = torch.arange(len(pairs.head), device=place.device)
    expected = torch.zeros(len(pairs.head), labels, device=owner.device)
    expected[place[owner[sentence, head], owner[sentence, tail]], label] = 1.0
    return pairs, expected


def pair_loss(scores: Tensor, expected: Tensor, pairs: Pairs, sentences: int, settings: Rel) -> Tensor:
    """Return the binary cross-entropy of each sentence's pairs, summed or averaged (`rel.loss_reduction`), (B,).

    Args:
        scores: (P, labels), before the sigmoid.
    """
    weight = scores.new_tensor(settings.pos_weight)
    each = nn.functional.binary_cross_entropy_with_logits(
        scores, expected.to(scores.dtype), reduction="none", pos_weight=weight
    ).sum(1)
    total = scores.new_zeros(sentences).index_add(0, pairs.sentence, each)
    if settings.loss_reduction == "sum":
        return total
    count = torch.bincount(pairs.sentence, minlength=sentences) * scores.shape[1]
    return total / count.clamp(min=1)


def _wrong(predicted: Spans, gold: Spans, length: int, most: int) -> Spans:
    """Return the predicted spans that are not gold, of each sentence at most so many, drawn at random."""
    width = length + 1

    def keys(spans: Spans) -> Tensor:
        kinds = 1 + int(torch.cat([gold.kind, predicted.kind]).max()) if len(gold.kind) + len(predicted.kind) else 1
        return ((spans.sentence * width + spans.start) * width + spans.end) * kinds + spans.kind

    wrong = predicted.chosen(~torch.isin(keys(predicted), keys(gold)))
    shuffled = wrong.chosen(torch.randperm(len(wrong.sentence), device=wrong.sentence.device))
    ordered = shuffled.chosen(shuffled.sentence.argsort(stable=True))
    first = torch.searchsorted(ordered.sentence, ordered.sentence)
    rank = torch.arange(len(first), device=first.device) - first  # within its sentence
    return ordered.chosen(rank < most)
