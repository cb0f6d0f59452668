"""The operations that are measured, and how the functions of `cman.kernels` are called for each.

`calls_of(library)` works for every object with functions of these names: the kernels themselves, their plain-PyTorch
definition, and that definition compiled. What a call returns, its outputs, is equal for all: tags and path scores for
decoding; a value and its gradients, in the order of the arguments, for a forward and backward pass; else the
operation's result.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cman.speed.inputs import THRESHOLD, CrfInputs, LstmInputs, PairInputs
from cman.speed.shapes import Kind

Call = Callable[[], Any]
Build = Callable[[Any], Call]  # from the common inputs to a call that can be repeated
Outputs = tuple[Tensor, ...]


@dataclass(frozen=True)
class Operation:
    """One line of the benchmark.

    Args:
        differentiated: whether the call needs autograd; without, all contenders run without it.
    """

    name: str
    kind: Kind
    title: str
    differentiated: bool = False

    @property
    def unit(self) -> str:
        """What the rate counts, in millions a second."""
        return "Mpair/s" if self.kind == "pairs" else "Mtok/s"


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("crf_decode", "crf", "Viterbi decoding"),
        Operation("crf_log_partition", "crf", "log-partition"),
        Operation("crf_log_partition_backward", "crf", "log-partition, forward and backward", True),
        Operation("crf_nll_backward", "crf", "negative log-likelihood, forward and backward", True),
        Operation("crf_marginals", "crf", "marginals"),
        Operation("crf_span_marginals", "crf", "marginals of spans, two a sentence"),
        Operation("pair_scores", "pairs", "pair scores"),
        Operation("pair_scores_backward", "pairs", "pair scores, forward and backward", True),
        Operation("pair_bce_backward", "pairs", "pair cross-entropy, forward and backward", True),
        Operation("pair_select", "pairs", "pairs above a threshold"),
        Operation("lstm", "lstm", "LSTM"),
        Operation("lstm_backward", "lstm", "LSTM, forward and backward", True),
    )
}


def calls_of(library: Any) -> dict[str, Build]:
    """Return how to call each operation through an object that has the functions of `cman.kernels` as attributes."""

    def decode(x: CrfInputs) -> Call:
        return lambda: library.crf_decode(*x.leaves, x.lengths)

    def log_partition(x: CrfInputs) -> Call:
        return lambda: (library.crf_log_partition(*x.leaves, x.lengths),)

    def log_partition_backward(x: CrfInputs) -> Call:
        return differentiated(lambda *leaves: library.crf_log_partition(*leaves, x.lengths), x.leaves)

    def nll_backward(x: CrfInputs) -> Call:
        return differentiated(lambda *leaves: library.crf_nll(*leaves, x.tags, x.lengths), x.leaves)

    def marginals(x: CrfInputs) -> Call:
        return lambda: (library.crf_marginals(*x.leaves, x.lengths),)

    def span_marginals(x: CrfInputs) -> Call:
        return lambda: (library.crf_span_marginals(*x.leaves, x.lengths, x.spans, x.tags, x.next_tags),)

    def scores(x: PairInputs) -> Call:
        return lambda: (library.pair_scores(*x.leaves, x.lengths),)

    def scores_backward(x: PairInputs) -> Call:
        return differentiated(lambda *leaves: library.pair_scores(*leaves, x.lengths), x.leaves, x.upstream)

    def bce_backward(x: PairInputs) -> Call:
        return differentiated(lambda *leaves: library.pair_bce(*leaves, x.gold, x.lengths), x.leaves)

    def select(x: PairInputs) -> Call:
        return lambda: library.pair_select(*x.leaves, x.anchors, x.lengths, THRESHOLD)

    def lstm(x: LstmInputs) -> Call:
        return lambda: (library.lstm(x.x, x.lengths, *x.leaves[1:]),)

    def lstm_backward(x: LstmInputs) -> Call:
        return differentiated(lambda each, *weights: library.lstm(each, x.lengths, *weights), x.leaves, x.upstream)

    return {
        "crf_decode": decode,
        "crf_log_partition": log_partition,
        "crf_log_partition_backward": log_partition_backward,
        "crf_nll_backward": nll_backward,
        "crf_marginals": marginals,
        "crf_span_marginals": span_marginals,
        "pair_scores": scores,
        "pair_scores_backward": scores_backward,
        "pair_bce_backward": bce_backward,
        "pair_select": select,
        "lstm": lstm,
        "lstm_backward": lstm_backward,
    }


def differentiated(
    value: Callable[..., Tensor], inputs: tuple[Tensor, ...], upstream: Tensor | None = None, sign: int = 1
) -> Call:
    """Return a call that computes a value and the gradients of its sum, or of its product with `upstream`."""
    leaves = tuple(leaf.detach().requires_grad_() for leaf in inputs)

    def call() -> Outputs:
        result = sign * value(*leaves) if sign != 1 else value(*leaves)
        weight = torch.ones_like(result) if upstream is None else upstream
        return result.detach(), *torch.autograd.grad(result, leaves, weight)

    return call
