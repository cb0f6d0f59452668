"""Decoding as a user of pytorch-crf has it: that library's CRF, and a table (B, N, N, R) of all relation scores.

`usual_kernels()` puts both in the place of `crf_decode` and `pair_select` in the models; all else stays as it is. A
forbidden transition has a very low score, since pytorch-crf knows none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from unittest.mock import patch

import torch
from torch import Tensor

from cman.install import installing
from cman.kernels import reference

FORBIDDEN = -1e4


def missing() -> str | None:
    """Return why pytorch-crf cannot take part; None if it can."""
    return None if find_spec("torchcrf") is not None else f"pytorch-crf is not installed, {installing('speed')}"


@contextmanager
def usual_kernels() -> Iterator[None]:
    """Let models decode so within the context."""
    with patch("cman.model.crf.crf_decode", decode), patch("cman.model.relations.pair_select", select):
        yield


def decode(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    *,
    allowed: Tensor | None = None,
) -> tuple[Tensor, None]:
    """Return the best tags as `cman.kernels.crf_decode`, without their scores, which pytorch-crf does not give."""
    from torchcrf import CRF

    batch, length, tags = emissions.shape
    crf = CRF(tags, batch_first=True).to(emissions.device)
    with torch.no_grad():
        crf.transitions.copy_(transitions if allowed is None else transitions.masked_fill(~allowed[:-1], FORBIDDEN))
        crf.start_transitions.copy_(start if allowed is None else start.masked_fill(~allowed[-1], FORBIDDEN))
        crf.end_transitions.copy_(end)
        paths = crf.decode(emissions, torch.arange(length, device=lengths.device) < lengths.unsqueeze(1))
    rows = [path + [-1] * (length - len(path)) for path in paths]
    return torch.tensor(rows, dtype=torch.int64, device=lengths.device).view(batch, length), None


def select(
    a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, anchors: Tensor, lengths: Tensor, threshold: float
) -> tuple[Tensor, Tensor]:
    """Return the cells between anchors above the threshold and their scores, out of a table of all cells."""
    scores = reference.pair_scores(a, c, V, bias, lengths)
    anchor = torch.zeros(a.shape[:2], dtype=torch.bool, device=a.device)
    anchor[anchors[:, 0], anchors[:, 1]] = True
    wanted = (anchor.unsqueeze(2) & anchor.unsqueeze(1)).unsqueeze(3)
    indices = ((scores > threshold) & wanted).nonzero()
    return indices, scores[indices.unbind(1)]
