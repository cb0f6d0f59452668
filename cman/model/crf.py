"""The CRF of both phases (equations 9 and 15): from token features to potentials, loss, best tags and confidences.

`crf.potential: linear` is a score a tag and a transition matrix, what the authors' framework offers; `pairwise` gives
each label pair weights of its own on the token's features, as the equations are printed.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cman.config.settings import Crf as CrfSettings
from cman.corpora.bio import OUTSIDE
from cman.corpora.document import ROOT
from cman.kernels import crf_decode, crf_nll, crf_span_marginals
from cman.model.linear import Linear


class Potentials(NamedTuple):
    """The arguments that all CRF operations share; see `cman.kernels.crf` for the shapes."""

    emissions: Tensor
    transitions: Tensor
    start: Tensor
    end: Tensor


class Crf(nn.Module):
    """A linear-chain CRF over a tag set.

    Args:
        size: size of a token's features.
        tags: the tag set, in the order of the ids.
    """

    def __init__(self, size: int, tags: tuple[str, ...], settings: CrfSettings) -> None:
        super().__init__()
        count = len(tags)
        self.constrain = settings.constrain_bio
        # DREC's artificial root is given with the text, not found in it: the baseline's scorer adds it everywhere, too.
        self.root = (tags.index(f"B-{ROOT}"), tags.index(f"I-{ROOT}")) if f"B-{ROOT}" in tags else None
        self.hidden: nn.Module = nn.Identity()
        if settings.emission_hidden:
            self.hidden = nn.Sequential(Linear(size, settings.emission_hidden), nn.Tanh())
            size = settings.emission_hidden
        self.emission = Linear(size, count)
        self.pairwise = Linear(size, count * count) if settings.potential == "pairwise" else None
        self.transitions = nn.Parameter(torch.empty(count, count)) if self.pairwise is None else None
        if self.transitions is not None:
            nn.init.xavier_uniform_(self.transitions)
        # Plain zeros without `crf.boundary`: buffers move with the model and are not trained.
        for name in ("start", "end"):
            if settings.boundary:
                self.register_parameter(name, nn.Parameter(torch.zeros(count)))
            else:
                self.register_buffer(name, torch.zeros(count), persistent=False)
        self.register_buffer("allowed", _allowed(tags), persistent=False)

    def potentials(self, x: Tensor) -> Potentials:
        """Return the potentials of features (B, L, D)."""
        hidden = self.hidden(x)
        emissions = self.emission(hidden)  # (B, L, K)
        if self.pairwise is None:
            return Potentials(emissions, self.transitions, self.start, self.end)  # type: ignore[arg-type]
        pairs = self.pairwise(hidden).unflatten(2, (emissions.shape[2], -1))  # (B, L, K, K)
        # The printed potential has no score of a tag alone; only the first token, which no pair leads to, needs one.
        first = torch.cat([emissions[:, :1], torch.zeros_like(emissions[:, 1:])], 1)
        return Potentials(first, pairs, self.start, self.end)  # type: ignore[arg-type]

    def nll(self, potentials: Potentials, tags: Tensor, lengths: Tensor) -> Tensor:
        """Return the negative log-likelihood of each sentence, (B,) (equations 18 and 19)."""
        return crf_nll(*potentials, tags, lengths)

    def decode(self, potentials: Potentials, lengths: Tensor) -> Tensor:
        """Return the best tags (B, L), -1 in the padding; with a root, it stands on token 0 and nowhere else."""
        with torch.no_grad():
            tags, _ = crf_decode(*potentials, lengths, allowed=self.allowed if self.constrain else None)  # type: ignore[arg-type]
        return tags if self.root is None else _rooted(tags, self.root)

    def confidences(
        self, potentials: Potentials, lengths: Tensor, tags: Tensor, spans: Tensor, onward: Tensor
    ) -> Tensor:
        """Return the marginal probability of each decoded entity, (S,); see `crf_span_marginals`."""
        with torch.no_grad():
            return crf_span_marginals(*potentials, lengths, spans, tags, onward)


def _rooted(tags: Tensor, root: tuple[int, int]) -> Tensor:
    tags = tags.masked_fill((tags == root[0]) | (tags == root[1]), 0)  # O
    tags[:, 0] = root[0]
    return tags


def _allowed(tags: tuple[str, ...]) -> Tensor:
    """Return (K + 1, K): may the column's tag follow the row's? The last row is the start of a sentence."""

    def follows(before: str, after: str) -> bool:
        prefix, _, entity_type = after.partition("-")
        return prefix != "I" or before in (f"B-{entity_type}", f"I-{entity_type}")

    return torch.tensor([[follows(before, after) for after in tags] for before in (*tags, OUTSIDE)])
