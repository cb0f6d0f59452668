"""Where the time of decoding goes: LSTMs, products, attention, CRF, pairs, and all else, as shares of the CPU's time.

PyTorch's profiler says how long each operation computed; one that another has called counts as that one's, so that the
products within an LSTM are the LSTM's. `attention` is products of batches of matrices and softmax; `other operations`
are the rest of PyTorch's, and `Python` is what no operation computed: it is the call's own time, taken without the
profiler, less the operations' time within it.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from torch.profiler import ProfilerActivity, profile

PARTS: Mapping[str, tuple[str, ...]] = {
    "CRF": ("cman::crf_", "cman::_crf_"),
    "pairs": ("cman::pair_", "cman::_pair_"),
    "LSTMs": ("cman::_lstm_forward", "aten::lstm", "aten::mkldnn_rnn_layer", "aten::quantized_lstm"),
    "attention": (
        "aten::bmm",
        "aten::baddbmm",
        "aten::softmax",
        "aten::_softmax",
        "aten::scaled_dot_product_attention",
    ),
    "products": ("aten::linear", "aten::mm", "aten::addmm", "mkldnn::"),
}
OTHER, PYTHON = "other operations", "Python"


def shares(call: Callable[[], Any]) -> dict[str, float]:
    """Run a call a few times; return the share of each part, which sum to 1."""
    began = time.process_time()
    call()
    whole = time.process_time() - began
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # else the profiler prints a line at its start and its end
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        call()
    seconds = dict.fromkeys([*PARTS, OTHER], 0.0)
    for event in watched.events() or []:
        seconds[_part(event)] += event.self_cpu_time_total / 1e6
    computed = sum(seconds.values())
    total = max(whole, computed, 1e-9)
    return {name: value / total for name, value in seconds.items()} | {PYTHON: (total - computed) / total}


def text(parts: Mapping[str, float]) -> str:
    """Return shares as a field of a CSV."""
    return "; ".join(f"{name} {share:.3f}" for name, share in parts.items())


def read(field: str) -> dict[str, float]:
    """Return the shares of a field."""
    parts = [part.rpartition(" ") for part in field.split("; ") if part]
    return {name: float(share) for name, _, share in parts}


def _part(event: Any) -> str:
    """Return the part of the outermost operation around an event that has one."""
    found = OTHER
    while event is not None:
        found = next((part for part, names in PARTS.items() if event.name.startswith(names)), found)
        event = event.cpu_parent
    return found
