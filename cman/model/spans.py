"""Entities of decoded tags as tensors: what `cman.corpora.bio.entities_of` reads, of a whole batch at once."""

from typing import NamedTuple

import torch
from torch import Tensor

from cman.corpora.bio import OUTSIDE


class Spans(NamedTuple):
    """S entities, sorted by sentence and start; those of one sentence that come from one tag sequence never overlap."""

    sentence: Tensor  # (S,)
    start: Tensor  # (S,) first token
    end: Tensor  # (S,) the token after the last one
    kind: Tensor  # (S,) entity type, an index of `SpanReader.types`

    def chosen(self, which: Tensor) -> "Spans":
        """Return the spans at indices, or under a mask."""
        return Spans(*(each[which] for each in self))


class SpanReader:
    """Reads entities off batches of tags.

    Args:
        tags: the tag set, in the order of the ids.
    """

    def __init__(self, tags: tuple[str, ...]) -> None:
        self.types = sorted({tag.partition("-")[2] for tag in tags if tag != OUTSIDE})
        kinds = [-1 if tag == OUTSIDE else self.types.index(tag.partition("-")[2]) for tag in tags]
        self._kinds = torch.tensor([*kinds, -1])  # the last is of -1, the tag of the padding
        self._opens = torch.tensor([*(tag.startswith("B-") for tag in tags), False])

    def __call__(self, tags: Tensor) -> Spans:
        """Return the entities of tags (B, L), -1 in the padding."""
        kinds, begins = self._kinds.to(tags.device)[tags], self._opens.to(tags.device)[tags]
        before = torch.nn.functional.pad(kinds, (1, 0), value=-1)[:, :-1]
        opens = (kinds >= 0) & (begins | (kinds != before))
        goes_on = torch.nn.functional.pad((kinds >= 0) & ~opens, (0, 1))[:, 1:]  # does the next token belong to it?
        sentence, start = opens.nonzero().unbind(1)
        return Spans(sentence, start, ((kinds >= 0) & ~goes_on).nonzero()[:, 1] + 1, kinds[sentence, start])
