"""In which arithmetic a frozen BERT's products are computed when texts are read: what `--precision` chooses between.

Products with the weights take nearly all of an encoder's time. PyTorch gives those of float32 to MKL, which leaves the
wide registers of AMD's processors unused; oneDNN does not, and with a processor's own instructions for bfloat16 it
halves the time once more. int8 quantises the weights a row at a time and the states a product at a time; it is fast
everywhere and changes what is found, so nobody gets it unasked. All else of the encoder stays in float32.
"""

import platform
import time
import warnings
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from cman.errors import UsageError

Precision = Literal["auto", "float32", "bfloat16", "int8"]
Arithmetic = Literal["float32", "float32 by oneDNN", "bfloat16", "int8"]
Product = Callable[[Tensor], Tensor]

COSTS: dict[Arithmetic, str] = {
    "int8": ", which costs accuracy: 0.6 F1 of entities and 1.1 of relations on CoNLL04 with the model of the clone"
}
FASTER = 1.2  # times; what is chosen by itself is faster than float32 by so much, or a noisy clock would choose
TRIAL = (128, 384, 1536)  # rows, in, out: one product of a small batch
ROUNDS = 4


def check_precision(precision: str) -> None:
    """Refuse another word than one of `Precision`.

    Raises:
        UsageError: see above.
    """
    if precision not in get_args(Precision):
        raise UsageError(f"precision: found {precision!r}, wanted {', '.join(get_args(Precision))}")


def refuse_precision(precision: Precision, reason: str) -> None:
    """Refuse what only a frozen BERT can do.

    Raises:
        UsageError: another precision than `auto` or `float32`.
    """
    if precision not in ("auto", "float32"):
        raise UsageError(f"precision: found {precision}, wanted auto or float32: {reason}")


def arithmetic_of(precision: Precision, device: torch.device) -> Arithmetic:
    """Return the arithmetic of a precision on a device; `auto` tries for some 20 ms what the processor is made for.

    Raises:
        UsageError: int8 on a GPU.
    """
    if precision == "int8" and device.type != "cpu":
        raise UsageError("precision: found int8, which runs on a CPU alone; wanted auto, float32 or bfloat16")
    if precision != "auto":
        return precision
    if device.type != "cpu":
        return "float32"
    seconds = _seconds(["float32", *_candidates()])
    fastest = min(seconds, key=lambda arithmetic: seconds[arithmetic])
    return fastest if seconds["float32"] > FASTER * seconds[fastest] else "float32"


def product(weight: Tensor, bias: Tensor, arithmetic: Arithmetic) -> Product:
    """Return the product states (..., in) -> states · weight^T + bias (..., out), float32 in and out.

    Args:
        weight: (out, in) float32.
        bias: (out,) float32.
    """
    if arithmetic == "bfloat16":
        narrow, offset = weight.bfloat16(), bias.bfloat16()
        return lambda states: functional.linear(states.bfloat16(), narrow, offset).float()
    if arithmetic == "float32 by oneDNN":
        return lambda states: torch.ops.mkldnn._linear_pointwise(states, weight, bias, "none", [], "")
    if arithmetic == "int8":
        scales = (weight.abs().amax(1) / 127).clamp(min=1e-12).double()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch moves quantised tensors into a library of their own
            zeros = torch.zeros(len(scales), dtype=torch.long)
            quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
            packed = torch.ops.quantized.linear_prepack(quantised, bias)
        return lambda states: torch.ops.quantized.linear_dynamic(states, packed, reduce_range=True)
    return lambda states: functional.linear(states, weight, bias)


def _candidates() -> list[Arithmetic]:
    """Return what may be faster than float32 by MKL here: never bfloat16 in a processor without its instructions."""
    found: list[Arithmetic] = []
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if onednn and platform.machine().lower() in ("x86_64", "amd64"):
        found.append("float32 by oneDNN")
        if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
            found.append("bfloat16")
    return found


def _seconds(candidates: list[Arithmetic]) -> dict[Arithmetic, float]:
    """Return the least CPU time of a product in each arithmetic, which take turns."""
    rows, size, out = TRIAL
    random = torch.Generator().manual_seed(0)
    states, weight = torch.randn(rows, size, generator=random), torch.randn(out, size, generator=random)
    products = {arithmetic: product(weight, torch.zeros(out), arithmetic) for arithmetic in candidates}
    seconds = dict.fromkeys(candidates, float("inf"))
    with torch.inference_mode():
        for _ in range(ROUNDS + 1):  # the first warms up
            for arithmetic, multiply in products.items():
                start = time.process_time()
                multiply(states)
                seconds[arithmetic] = min(seconds[arithmetic], time.process_time() - start)
    return seconds
