"""Few padded shapes for all batches of a training, so that a GPU's work can be recorded once for each (`graphs`).

What is added is padding like that within a batch: tokens past a sentence's length, forms that no token has, and a gold
relation once more, which counts once. The losses and gradients stay what they were, but for the rounding of sums.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from cman.features.batch import GROUP_ENDS, Batch

RUNGS = 8  # shapes of a training
MARGIN = 1.1  # by which later epochs' batches may be larger than those of the first
SHORT, LONG = GROUP_ENDS  # characters of the longest form of the first two groups
STEPS = {"short": 32, "long": 32, "chars": 2, "cells": 4}  # what each size is rounded up to


@dataclass(frozen=True)
class Shape:
    """Sizes of a padded batch.

    Attributes:
        tokens: of each sentence.
        short: forms of at most `SHORT` characters.
        long: longer forms.
        chars: of each longer form.
        cells: gold relations.
    """

    tokens: int
    short: int
    long: int
    chars: int
    cells: int

    def holds(self, other: "Shape") -> bool:
        """Return whether a batch of the other shape can be padded to this one."""
        return all(getattr(self, name) >= getattr(other, name) for name in self.__dataclass_fields__)


def shape_of(batch: Batch) -> Shape | None:
    """Return the sizes of a batch; None if it cannot be padded: it has no relation, or a form longer than `LONG`."""
    if any(longest > LONG for _, longest in batch.groups) or not len(batch.relations):
        return None
    short = sum(count for count, longest in batch.groups if longest <= SHORT)
    long = len(batch.chars) - short
    return Shape(batch.words.shape[1], short, long, batch.chars.shape[1] if long else 0, len(batch.relations))


def ladder(batches: Iterable[Batch]) -> list[Shape]:
    """Return shapes, the smallest first, that hold these batches, about equally many each."""
    found = sorted(filter(None, map(shape_of, batches)), key=lambda shape: shape.tokens)
    tokens = sorted({found[len(found) * rung // RUNGS - 1].tokens for rung in range(1, RUNGS + 1)} if found else ())
    rungs = []
    for most in tokens:
        held = [shape for shape in found if shape.tokens <= most]
        sizes = {name: max(getattr(shape, name) for shape in held) for name in STEPS}
        # At least one step of each, so that there is no empty group of forms.
        rungs.append(Shape(most, **{name: _rounded(MARGIN * size, STEPS[name]) for name, size in sizes.items()}))
    return rungs


def padded(batch: Batch, shape: Shape) -> Batch:
    """Return a batch of the host in a shape that holds its own."""
    own = shape_of(batch)
    assert own is not None and shape.holds(own)
    more = shape.tokens - own.tokens
    chars = batch.chars.new_zeros(shape.short + shape.long, max(SHORT, shape.chars))
    width = min(SHORT, batch.chars.shape[1])
    chars[: own.short, :width] = batch.chars[: own.short, :width]
    chars[shape.short : shape.short + own.long, : batch.chars.shape[1]] = batch.chars[own.short :]
    moved = torch.where(batch.forms >= own.short, batch.forms + shape.short - own.short, batch.forms)
    return replace(
        batch,
        words=pad(batch.words, (0, more)),
        forms=pad(moved, (0, more)),
        chars=chars,
        groups=((shape.short, SHORT), (shape.long, shape.chars)),
        contextual=None if batch.contextual is None else pad(batch.contextual, (0, 0, 0, 0, 0, more)),
        tags=pad(batch.tags, (0, more)),
        relations=_repeated(batch.relations, shape.cells),
    )


def _rounded(size: float, step: int) -> int:
    return max(1, -int(-size // step)) * step


def _repeated(cells: Tensor, count: int) -> Tensor:
    return torch.cat([cells, cells[:1].expand(count - len(cells), -1)])
