"""Seeded inputs of one shape, the same for every contender.

The lengths of a CRF's sentences are uniform from L/4 to L with at least one of L; those of the pair scores and of an
LSTM are all full, so that no contender gains by leaving padding out. `full` makes the CRF's sentences full as well.
"""

from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

from cman.speed.shapes import Shape

SPAN = 3  # most tokens of a span
ANCHORS = 0.2  # share of tokens that end a predicted entity
GOLD = 2  # gold relations a sentence
THRESHOLD = 1.0  # of a pair's score; about a tenth of the cells is above it


@dataclass(frozen=True)
class Tensors:
    """Named tensors that move together."""

    def cast(self, to: torch.device | torch.dtype | str) -> Self:
        """Return a copy on another device or with another floating point type."""
        dtype = isinstance(to, torch.dtype)
        moved: dict[str, Any] = {
            field.name: getattr(self, field.name)
            if dtype and not getattr(self, field.name).is_floating_point()
            else getattr(self, field.name).to(to)
            for field in fields(self)
        }
        return type(self)(**moved)


@dataclass(frozen=True)
class CrfInputs(Tensors):
    """What a CRF reads."""

    emissions: Tensor  # (B, L, K)
    transitions: Tensor  # (K, K)
    start: Tensor  # (K,)
    end: Tensor  # (K,)
    lengths: Tensor  # (B,)
    tags: Tensor  # (B, L) gold tags
    mask: Tensor  # (B, L)
    spans: Tensor  # (2 B, 3) sentence, first token, token after the last
    next_tags: Tensor  # (2 B,)

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """The differentiable inputs, in the order of the operations' arguments."""
        return self.emissions, self.transitions, self.start, self.end

    @property
    def items(self) -> int:
        """The number of real tokens."""
        return int(self.lengths.sum())


@dataclass(frozen=True)
class PairInputs(Tensors):
    """What the pair scores and the operations on them read."""

    a: Tensor  # (B, N, D)
    c: Tensor  # (B, N, D)
    V: Tensor  # (R, D)
    bias: Tensor  # (R,)
    lengths: Tensor  # (B,)
    anchors: Tensor  # (M, 2) sentence, token
    gold: Tensor  # (S, 4) sentence, head, tail, label
    upstream: Tensor  # (B, N, N, R) the gradient that comes into the scores

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """The differentiable inputs, in the order of the operations' arguments."""
        return self.a, self.c, self.V, self.bias

    @property
    def items(self) -> int:
        """The number of pairs of real tokens."""
        return int((self.lengths**2).sum())


@dataclass(frozen=True)
class LstmInputs(Tensors):
    """What an LSTM reads."""

    x: Tensor  # (B, L, D)
    W: Tensor  # (4 H, D)
    U: Tensor  # (4 H, H)
    bias: Tensor  # (4 H,)
    lengths: Tensor  # (B,)
    upstream: Tensor  # (B, L, H) the gradient that comes into the outputs

    @property
    def leaves(self) -> tuple[Tensor, ...]:
        """The differentiable inputs, in the order of the operation's arguments."""
        return self.x, self.W, self.U, self.bias

    @property
    def items(self) -> int:
        """The number of tokens."""
        return int(self.lengths.sum())


Inputs = CrfInputs | PairInputs | LstmInputs


def make_inputs(shape: Shape, seed: int = 0, *, full: bool = False) -> Inputs:
    """Return float32 inputs on the CPU; equal shapes and seeds give equal ones."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*sizes: int) -> Tensor:
        return torch.randn(*sizes, generator=generator)

    def below(limit: int, *sizes: int) -> Tensor:
        return torch.randint(limit, sizes, generator=generator)

    if shape.kind == "crf":
        batch, length, tags = shape.sizes
        shortest = length if full else max(1, length // 4)
        lengths = shortest + below(length - shortest + 1, batch)
        lengths[int(below(batch, 1))] = length
        owner = torch.arange(batch).repeat_interleave(2)
        given = {"emissions": normal(batch, length, tags), "transitions": normal(tags, tags)}
        given |= {"start": normal(tags), "end": normal(tags), "tags": below(tags, batch, length)}
        first = (torch.rand(2 * batch, generator=generator) * lengths[owner]).long()
        after = torch.minimum(first + 1 + below(SPAN, 2 * batch), lengths[owner])
        return CrfInputs(
            **given,
            lengths=lengths,
            mask=torch.arange(length) < lengths.unsqueeze(1),
            spans=torch.stack([owner, first, after], 1),
            next_tags=below(tags + 1, 2 * batch) - 1,
        )
    if shape.kind == "lstm":
        batch, length, size, units = shape.sizes
        weights = {"W": normal(4 * units, size) / size**0.5, "U": normal(4 * units, units) / units**0.5}
        return LstmInputs(
            x=normal(batch, length, size),
            **weights,
            bias=normal(4 * units),
            lengths=torch.full((batch,), length),
            upstream=normal(batch, length, units),
        )
    batch, length, size, labels = shape.sizes
    chosen = torch.rand(batch, length, generator=generator) < ANCHORS
    chosen[:, 0] = True
    gold = torch.stack(
        [torch.arange(batch).repeat_interleave(GOLD)]
        + [below(limit, batch * GOLD) for limit in (length, length, labels)],
        1,
    )
    return PairInputs(
        a=normal(batch, length, size),
        c=normal(batch, length, size),
        V=normal(labels, size) / size**0.5,
        bias=normal(labels) / 10,
        lengths=torch.full((batch,), length),
        anchors=chosen.nonzero(),
        gold=torch.unique(gold, dim=0),
        upstream=normal(batch, length, length, labels),
    )


def sentence(x: PairInputs, b: int) -> PairInputs:
    """Return one sentence of a batch as a batch of its own."""

    def only(rows: Tensor) -> Tensor:
        kept = rows[rows[:, 0] == b].clone()
        kept[:, 0] = 0
        return kept

    row = slice(b, b + 1)
    return PairInputs(x.a[row], x.c[row], x.V, x.bias, x.lengths[row], only(x.anchors), only(x.gold), x.upstream[row])
