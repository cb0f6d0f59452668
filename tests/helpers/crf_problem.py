"""A CRF on a random batch, whose results are known from a list of all its paths."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor

INFINITY = float("inf")

examples = settings(max_examples=15)  # each in every implementation
problems = st.fixed_dictionaries(
    {
        "tags": st.integers(1, 4),
        "lengths": st.lists(st.integers(0, 5), min_size=1, max_size=3),
        "seed": st.integers(0, 2**20),
        "extra": st.integers(0, 2),
    }
)


@dataclass
class Problem:
    """Random potentials of a batch, padded past its longest sentence, and a gold path for each sentence."""

    emissions: Tensor  # (B, L, K)
    transitions: Tensor  # (K, K), or (B, L, K, K) when they depend on the token
    start: Tensor
    end: Tensor
    lengths: Tensor
    gold: Tensor  # (B, L)

    @property
    def tags(self) -> int:
        return self.emissions.shape[2]

    @property
    def potentials(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.emissions, self.transitions, self.start, self.end

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return *self.potentials, self.lengths

    @property
    def with_gold(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        return *self.potentials, self.gold, self.lengths

    @property
    def inside(self) -> Tensor:
        """Which positions are tokens, (B, L)."""
        return torch.arange(self.emissions.shape[1]) < self.lengths.unsqueeze(1)

    def leaves(self) -> list[Tensor]:
        return [value.detach().clone().requires_grad_() for value in self.potentials]

    def to(self, dtype: torch.dtype) -> "Problem":
        emissions, transitions, start, end = (value.to(dtype) for value in self.potentials)
        return replace(self, emissions=emissions, transitions=transitions, start=start, end=end)

    def pick(self, rows: slice | Tensor, length: int | None = None) -> "Problem":
        """Return some sentences, cut to a length."""
        moves = self.transitions if self.transitions.dim() == 2 else self.transitions[rows, :length]
        start, end = self.start, self.end
        return Problem(self.emissions[rows, :length], moves, start, end, self.lengths[rows], self.gold[rows, :length])

    def alone(self, sentence: int) -> "Problem":
        """Return one sentence without padding."""
        return self.pick(slice(sentence, sentence + 1), int(self.lengths[sentence]))

    def scores(self, sentence: int, paths: Tensor) -> Tensor:
        """Return the scores of paths (P, n) of a sentence of n tokens, in float64."""
        n = paths.shape[1]
        if n == 0:
            return torch.zeros(len(paths), dtype=torch.float64)
        emissions, moves = self.emissions[sentence, :n].double(), self.transitions.double()
        into = moves.expand(n, -1, -1) if moves.dim() == 2 else moves[sentence]
        total = self.start.double()[paths[:, 0]] + self.end.double()[paths[:, -1]] + emissions[0, paths[:, 0]]
        for t in range(1, n):
            total = total + into[t, paths[:, t - 1], paths[:, t]] + emissions[t, paths[:, t]]
        return total

    def paths(self, sentence: int, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return all allowed paths (P, n) and their scores (P,)."""
        n = int(self.lengths[sentence])
        every = torch.cartesian_prod(*[torch.arange(self.tags)] * n).view(-1, n) if n else torch.empty(1, 0).long()
        if allowed is not None:
            every = every[permitted(every, allowed)]
        return every, self.scores(sentence, every)

    def log_partition(self, allowed: Tensor | None = None) -> Tensor:
        every = [self.paths(sentence, allowed)[1] for sentence in range(len(self.lengths))]
        return torch.stack([scores.logsumexp(0) if len(scores) else torch.tensor(-INFINITY) for scores in every])

    def marginals(self, allowed: Tensor | None = None) -> Tensor:
        expected = torch.zeros(self.emissions.shape, dtype=torch.float64)
        for sentence in range(len(self.lengths)):
            paths, scores = self.paths(sentence, allowed)
            for t in range(paths.shape[1]):
                expected[sentence, t].index_add_(0, paths[:, t], scores.softmax(0))
        return expected


def problem(
    tags: int,
    lengths: list[int],
    *,
    seed: int = 0,
    extra: int = 0,
    dtype: torch.dtype = torch.float64,
    per_position: bool = False,
    scale: float = 1.0,
) -> Problem:
    """Return a problem with `extra` positions past its longest sentence, and emissions of a scale."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    batch, length = len(lengths), max(lengths, default=0) + extra
    return Problem(
        emissions=normal(batch, length, tags) * scale,
        transitions=normal(batch, length, tags, tags) if per_position else normal(tags, tags),
        start=normal(tags),
        end=normal(tags),
        lengths=torch.tensor(lengths, dtype=torch.int64),
        gold=torch.randint(0, tags, (batch, length), generator=generator),
    )


def permitted(paths: Tensor, allowed: Tensor) -> Tensor:
    """Return which paths (P, n) keep to the allowed transitions, (P,)."""
    if paths.shape[1] == 0:
        return torch.ones(len(paths), dtype=torch.bool)
    return allowed[-1, paths[:, 0]] & allowed[paths[:, :-1], paths[:, 1:]].all(1)


def bio_allowed() -> Tensor:
    """Return what BIO allows of the tags O, B-x, I-x and B-y: I-x may only follow B-x and I-x."""
    allowed = torch.ones(5, 4, dtype=torch.bool)
    allowed[:, 2] = torch.tensor([False, True, True, False, False])
    return allowed


def gradients(function: Callable[..., Tensor], leaves: list[Tensor], weight: Tensor | None = None) -> list[Tensor]:
    """Return the gradients of the weighted sum of what a function returns, for leaves that require one."""
    result = function(*leaves)
    (result if weight is None else result * weight.to(result)).sum().backward()
    return [leaf.grad for leaf in leaves]
