"""Other libraries for the same operations, each adapted from the common inputs to the common outputs.

A peer gets its inputs in the form it likes best before the clock starts (pytorch-crf its mask and module, hmmlearn its
probabilities in float64, one array a sentence); what is timed is its own function, and turning its result into the
common outputs is not timed. torch-struct's edge scores are made inside of the call: no model has them at hand.

Left out: torbi, whose binary distribution holds libraries for PyTorch 2.6 to 2.11 only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cman.install import installing
from cman.speed.inputs import THRESHOLD, CrfInputs, LstmInputs, PairInputs
from cman.speed.operations import Build, Call, Outputs, differentiated

Read = Callable[[Any, Any], Outputs]  # from what a call returned, and the inputs, to the common outputs


@dataclass(frozen=True)
class Contender:
    """One way of computing some of the operations.

    Args:
        builds: from an operation's name to what makes a call of it.
        reads: from an operation's name to what makes common outputs of the call's result; identity if absent.
        module: what must be importable; None for what is always there.
    """

    name: str
    builds: Mapping[str, Build]
    reads: Mapping[str, Read] = field(default_factory=dict)
    module: str | None = None
    cpu_only: bool = False

    def outputs(self, operation: str, raw: Any, x: Any) -> Outputs:
        """Return the common outputs of what a call returned."""
        read = self.reads.get(operation)
        return tuple(raw) if read is None else read(raw, x)

    def missing(self) -> str | None:
        """Return why this contender cannot take part; None if it can."""
        if self.module is None or find_spec(self.module) is not None:
            return None
        return f"not installed, {installing('speed')}"


def composed(library: Any) -> list[Contender]:
    """Return what our own pair scores give when the rest is left to PyTorch: the whole table is stored."""

    def bce_backward(x: PairInputs) -> Call:
        b, i, j, r = x.gold.unbind(1)
        gold = torch.zeros_like(x.upstream)
        gold[b, i, j, r] = 1
        inside = torch.arange(x.a.shape[1], device=x.a.device) < x.lengths.unsqueeze(1)  # (B, N)
        real = (inside.unsqueeze(2) & inside.unsqueeze(1)).unsqueeze(3)

        def loss(*leaves: Tensor) -> Tensor:
            scores = library.pair_scores(*leaves, x.lengths)
            cells = binary_cross_entropy_with_logits(scores, gold, reduction="none")
            return cells.masked_fill(~real, 0).sum((1, 2, 3))

        return differentiated(loss, x.leaves)

    def select(x: PairInputs) -> Call:
        anchor = torch.zeros(x.a.shape[:2], dtype=torch.bool, device=x.a.device)  # (B, N)
        anchor[x.anchors[:, 0], x.anchors[:, 1]] = True
        wanted = (anchor.unsqueeze(2) & anchor.unsqueeze(1)).unsqueeze(3)

        def call() -> Outputs:
            scores = library.pair_scores(*x.leaves, x.lengths)
            indices = ((scores > THRESHOLD) & wanted).nonzero()
            return indices, scores[indices.unbind(1)]

        return call

    return [
        Contender("pair_scores + BCE", {"pair_bce_backward": bce_backward}),
        Contender("pair_scores + nonzero", {"pair_select": select}),
    ]


# ---- torch.nn.LSTM


def _torch_lstm(x: LstmInputs) -> tuple[torch.nn.LSTM, Tensor]:
    """Return the module and its input in the order of time, which it likes best; sentences are full, so it is exact."""
    unit = torch.nn.LSTM(x.W.shape[1], x.U.shape[1]).to(x.x.device)
    with torch.no_grad():
        for parameter, value in zip(unit.parameters(), (x.W, x.U, x.bias, torch.zeros_like(x.bias)), strict=True):
            parameter.copy_(value)
    return unit, x.x.transpose(0, 1).contiguous()


def _torch_lstm_forward(x: LstmInputs) -> Call:
    unit, steps = _torch_lstm(x)
    return lambda: (unit(steps)[0],)


def _torch_lstm_backward(x: LstmInputs) -> Call:
    unit, steps = _torch_lstm(x)
    weights = dict(unit.named_parameters())
    leaves = steps.requires_grad_(), weights["weight_ih_l0"], weights["weight_hh_l0"], weights["bias_ih_l0"]
    upstream = x.upstream.transpose(0, 1).contiguous()

    def call() -> Outputs:
        result = unit(steps)[0]
        return result.detach(), *torch.autograd.grad(result, leaves, upstream)

    return call


def _sentences_first(raw: Any, x: LstmInputs) -> Outputs:
    return tuple(value.transpose(0, 1) if value.dim() == 3 else value for value in raw)


TORCH_LSTM = Contender(
    "torch.nn.LSTM",
    {"lstm": _torch_lstm_forward, "lstm_backward": _torch_lstm_backward},
    {"lstm": _sentences_first, "lstm_backward": _sentences_first},
)

# ---- pytorch-crf


def _pytorch_crf(x: CrfInputs) -> Any:
    from torchcrf import CRF

    crf = CRF(x.emissions.shape[2], batch_first=True).to(x.emissions.device)
    with torch.no_grad():
        crf.transitions.copy_(x.transitions)
        crf.start_transitions.copy_(x.start)
        crf.end_transitions.copy_(x.end)
    return crf


def _pytorch_crf_decode(x: CrfInputs) -> Call:
    crf = _pytorch_crf(x)
    return lambda: crf.decode(x.emissions, x.mask)


def _pytorch_crf_log_partition(x: CrfInputs) -> Call:
    crf = _pytorch_crf(x)
    return lambda: (crf._compute_normalizer(x.emissions.transpose(0, 1), x.mask.t()),)


def _pytorch_crf_backward(x: CrfInputs, value: Callable[[Any, Tensor], Tensor]) -> Call:
    crf = _pytorch_crf(x)
    leaves = (
        x.emissions.detach().requires_grad_(),
        crf.transitions,
        crf.start_transitions,
        crf.end_transitions,
    )

    def call() -> Outputs:
        result = value(crf, leaves[0])
        return result.detach(), *torch.autograd.grad(result, leaves, torch.ones_like(result))

    return call


def _pytorch_crf_log_partition_backward(x: CrfInputs) -> Call:
    mask = x.mask.t()
    return _pytorch_crf_backward(x, lambda crf, emissions: crf._compute_normalizer(emissions.transpose(0, 1), mask))


def _pytorch_crf_nll_backward(x: CrfInputs) -> Call:
    return _pytorch_crf_backward(x, lambda crf, emissions: -crf(emissions, x.tags, x.mask, reduction="none"))


def _tags_of_lists(raw: Any, x: CrfInputs) -> Outputs:
    tags = torch.full(x.tags.shape, -1)
    for row, path in zip(tags, raw, strict=True):
        row[: len(path)] = torch.as_tensor(path)
    return (tags.to(x.tags.device),)


PYTORCH_CRF = Contender(
    "pytorch-crf",
    {
        "crf_decode": _pytorch_crf_decode,
        "crf_log_partition": _pytorch_crf_log_partition,
        "crf_log_partition_backward": _pytorch_crf_log_partition_backward,
        "crf_nll_backward": _pytorch_crf_nll_backward,
    },
    {"crf_decode": _tags_of_lists},
    module="torchcrf",
)
