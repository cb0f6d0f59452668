"""In which arithmetic a frozen BERT's products are computed when texts are read: what `--precision` chooses between.

Products with the weights take nearly all of an encoder's time. With a processor's own instructions for bfloat16 oneDNN
computes them in a third of the time that PyTorch's float32 takes. What `auto` is, the processor decides and no
measurement, so that a machine finds the same in every run. int8 quantises the weights a row at a time and the states a
product at a time; it is fast everywhere and changes what is found, so nobody gets it unasked. All else of the encoder
stays in float32.
"""

import platform
import warnings
from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from cman.errors import UsageError

Precision = Literal["auto", "float32", "bfloat16", "int8"]
Arithmetic = Literal["float32", "bfloat16", "int8"]
Product = Callable[[Tensor], Tensor]

COSTS: dict[Arithmetic, str] = {
    "int8": ", which costs accuracy: 0.6 F1 of entities and 1.1 of relations on CoNLL04 with the model of the clone"
}


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
    """Return the arithmetic of a precision on a device; `auto` is what the processor is made for.

    Raises:
        UsageError: int8 on a GPU.
    """
    if precision == "int8" and device.type != "cpu":
        raise UsageError("precision: found int8, which runs on a CPU alone; wanted auto, float32 or bfloat16")
    if precision != "auto":
        return precision
    return "bfloat16" if device.type == "cpu" and _narrow_instructions() else "float32"


def product(weight: Tensor, bias: Tensor, arithmetic: Arithmetic) -> Product:
    """Return the product states (..., in) -> states · weight^T + bias (..., out), float32 in and out.

    Args:
        weight: (out, in) float32.
        bias: (out,) float32.
    """
    if arithmetic == "bfloat16":
        narrow, offset = weight.bfloat16(), bias.bfloat16()
        return lambda states: functional.linear(states.bfloat16(), narrow, offset).float()
    if arithmetic == "int8":
        scales = (weight.abs().amax(1) / 127).clamp(min=1e-12).double()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch moves quantised tensors into a library of their own
            zeros = torch.zeros(len(scales), dtype=torch.long)
            quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
            packed = torch.ops.quantized.linear_prepack(quantised, bias)
        return lambda states: torch.ops.quantized.linear_dynamic(states, packed, reduce_range=True)
    return lambda states: functional.linear(states, weight, bias)


def _narrow_instructions() -> bool:
    """Return whether the processor has instructions for bfloat16 for oneDNN; without them it is slower than float32."""
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not onednn or platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
