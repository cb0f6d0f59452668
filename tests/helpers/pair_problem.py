"""Random arguments of the pairwise scores, and the exact scores in float64."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import softplus

INFINITY = float("inf")
# Sizes of which something is 0.
EMPTY = (
    {"lengths": [], "extra": 4},
    {"lengths": []},
    {"lengths": [0, 0]},
    {"lengths": [0], "extra": 3},
    {"lengths": [3, 2], "labels": 0},
    {"lengths": [3, 2], "extra": 1, "size": 0},
)


@dataclass
class Pairs:
    """A batch padded past its longest sentence, gold cells of it, and anchors."""

    a: Tensor  # (B, N, D)
    c: Tensor  # (B, N, D)
    V: Tensor  # (R, D)
    bias: Tensor | None  # (R,)
    lengths: Tensor

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor]:
        return self.a, self.c, self.V, self.bias, self.lengths

    @property
    def inside(self) -> Tensor:
        return torch.arange(self.a.shape[1]) < self.lengths.unsqueeze(1)

    @property
    def cells(self) -> Tensor:
        """Which cells are pairs of tokens, (B, N, N, 1)."""
        return (self.inside.unsqueeze(2) & self.inside.unsqueeze(1)).unsqueeze(3)

    def leaves(self) -> list[Tensor]:
        values = (self.a, self.c, self.V) if self.bias is None else (self.a, self.c, self.V, self.bias)
        return [value.detach().clone().requires_grad_() for value in values]

    def with_leaves(self) -> tuple["Pairs", list[Tensor]]:
        """Return the same in float64, and the tensors of it that gradients are taken of."""
        leaves = self.to(torch.float64).leaves()
        a, c, V = leaves[:3]
        return Pairs(a, c, V, leaves[3] if len(leaves) > 3 else None, self.lengths), leaves

    def to(self, dtype: torch.dtype) -> "Pairs":
        bias = None if self.bias is None else self.bias.to(dtype)
        return replace(self, a=self.a.to(dtype), c=self.c.to(dtype), V=self.V.to(dtype), bias=bias)

    def pick(self, rows: slice | Tensor, length: int | None = None) -> "Pairs":
        return Pairs(self.a[rows, :length], self.c[rows, :length], self.V, self.bias, self.lengths[rows])

    def alone(self, sentence: int) -> "Pairs":
        return self.pick(slice(sentence, sentence + 1), int(self.lengths[sentence]))

    def exact(self) -> Tensor:
        """Return the scores (B, N, N, R) in float64, cell by cell of the padding 0, from the formula as it stands."""
        case = self.to(torch.float64)
        a, c = (value.masked_fill(~self.inside.unsqueeze(2), 0) for value in (case.a, case.c))
        scores = torch.einsum("bijd,rd->bijr", torch.tanh(a[:, :, None] + c[:, None]), case.V)
        if case.bias is not None:
            scores = scores + case.bias
        return scores.masked_fill(~self.cells, 0)

    def exact_loss(self, gold: Tensor, pos_weight: float = 1.0) -> Tensor:
        """Return the loss (B,) in float64; differentiable."""
        scores, target = self.exact(), self.target(gold)
        loss = pos_weight * target * softplus(-scores) + (1 - target) * softplus(scores)
        return loss.masked_fill(~self.cells, 0).sum((1, 2, 3))

    def target(self, gold: Tensor) -> Tensor:
        batch, length, _ = self.a.shape
        target = torch.zeros(batch, length, length, len(self.V), dtype=torch.float64)
        target[gold.unbind(1)] = 1
        return target

    def gold(self, count: int, seed: int = 0) -> Tensor:
        """Return `count` random cells of the sentences, in any order, some of them twice."""
        generator = torch.Generator().manual_seed(seed)
        every = self.cells.expand(-1, -1, -1, len(self.V)).nonzero()
        if not len(every):
            return every
        return every[torch.randint(0, len(every), (count,), generator=generator)]

    def anchors(self, share: float, seed: int = 0) -> Tensor:
        """Return about this share of the tokens."""
        generator = torch.Generator().manual_seed(seed)
        return (self.inside & (torch.rand(self.inside.shape, generator=generator) < share)).nonzero()

    @property
    def tolerance(self) -> float:
        """What float32 scores may be off by."""
        norms = self.V.double().norm(dim=1)
        return 3e-6 * max(1.0, float(norms.max()) if len(norms) else 0.0)


def pairs(
    lengths: list[int],
    *,
    size: int = 3,
    labels: int = 2,
    extra: int = 0,
    seed: int = 0,
    with_bias: bool = True,
    dtype: torch.dtype = torch.float64,
) -> Pairs:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    batch, longest = len(lengths), max(lengths, default=0) + extra
    a, c, V, bias = normal(batch, longest, size), normal(batch, longest, size), normal(labels, size), normal(labels)
    return Pairs(a, c, V, bias if with_bias else None, torch.tensor(lengths, dtype=torch.int64))


def opposite(case: Pairs, top: float) -> Pairs:
    """Return a case whose a and c reach +-`top` with opposite signs, so that their sums are small."""
    large = (torch.rand(case.a.shape, generator=torch.Generator().manual_seed(3)) - 0.5) * 2 * top
    c = -large.roll(1, 1) + 0.25 * case.c
    c[:, ::3] = -large[:, ::3] + 0.01 * case.c[:, ::3]
    return replace(case, a=large, c=c)
