"""Which implementation of the operations is in use: the compiled one (`cman._C`), or plain PyTorch and why.

A missing, outdated or unusable binary is normal and no error; `backend()` says in one line what is in use. Either way
`torch.ops.cman` has the operations: those of the binary, or their definitions in plain PyTorch.
"""

import functools
import importlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.library import Library

from cman import binary
from cman.kernels import reference
from cman.kernels.transforms import refusing

KernelChoice = Literal["auto", "reference"]
ISA_NAMES = {"avx512": "AVX-512", "avx2": "AVX2", "portable": "portable"}


def _why_not_compiled() -> str | None:
    """Load the compiled operations; return None, or why they cannot be used."""
    if (reason := binary.unusable()) is not None:
        return reason
    try:
        file = importlib.import_module("cman._C").__file__
    except ImportError as error:
        return f"the binary does not load ({str(error).splitlines()[0]}); {binary.BUILD}"
    if file is None or Path(file).resolve().parent != binary.PACKAGE:
        return f"the binary beside the package is missing, found {file}; {binary.BUILD}"
    return None


# oneDNN keeps what it prepared for so many shapes; an epoch's batches have more than the 1,024 that it would keep.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4096")
REASON = _why_not_compiled()
# Kept: what it registered goes when it is collected.
_library = Library("cman", "IMPL" if REASON is None else "DEF")  # type: ignore[no-untyped-call]
DEVICES = ("cpu", "cuda") if REASON is None and importlib.import_module("cman._C").cuda else ("cpu",)
_stamp = binary.read_stamp()
CODES = tuple(_stamp["codes"]) if _stamp is not None else ()  # for GPUs
_in_use = REASON is None


def register(
    schemas: Sequence[str],
    fakes: Mapping[str, Callable[..., Any]],
    in_python: Mapping[str, Callable[..., Any]],
    refused: Sequence[str],
) -> None:
    """Complete the compiled operations, or define all of them where nothing is compiled.

    Args:
        schemas: of the public operations, whose definitions are their namesakes in `cman.kernels.reference`.
        fakes: of the inner operations that are compiled: the shapes and types of results.
        in_python: the inner operations that the binary declares and leaves to Python; a compiler looks into those
            that have no fake.
        refused: the operations that would miss a derivative in forward mode; see `transforms`.
    """
    composite = "CompositeImplicitAutograd"
    if REASON is None:
        for name, function in in_python.items():
            key = "CompositeExplicitAutograd" if name in fakes else composite
            _library.impl(name, function, key)  # type: ignore[no-untyped-call]
        for name, fake in fakes.items():
            torch.library.register_fake(f"cman::{name}", fake, lib=_library)
        for name in refused:
            for key in ("AutogradCPU", "AutogradCUDA"):
                _library.impl(name, refusing(getattr(torch.ops.cman, name).default), key)  # type: ignore[no-untyped-call]
        return
    for schema in schemas:
        name = schema.partition("(")[0]
        _library.define(schema)  # type: ignore[no-untyped-call]
        _library.impl(name, getattr(reference, name), composite)  # type: ignore[no-untyped-call]


def compiled(tensor: Tensor) -> bool:
    """Return whether operations on a tensor run compiled: whether they are in use and built for its device."""
    if not _in_use or tensor.device.type not in DEVICES:
        return False
    return tensor.device.type == "cpu" or runs_on_gpu(tensor.device)


def onednn_multiplies(tensor: Tensor) -> bool:
    """Return whether products of a tensor go to oneDNN: on processors where it is faster, with compiled operations."""
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not compiled(tensor):
        return False
    return bool(importlib.import_module("cman._C").by_onednn())


@functools.cache
def runs_on_gpu(device: torch.device) -> bool:
    """Return whether the binary has code for a GPU; if not, say so, once, since plain PyTorch is slower."""
    capability = torch.cuda.get_device_capability(device)
    if binary.runs_on(CODES, capability):
        return True
    name, (major, minor) = torch.cuda.get_device_name(device), capability
    warnings.warn(
        f"cman kernels: found {name}, compute capability {major}.{minor}, wanted one that the binary has code for "
        f"({', '.join(CODES)}): plain PyTorch runs there",
        stacklevel=2,
    )
    return False


def use_kernels(choice: KernelChoice) -> None:
    """Choose for this process: compiled operations where they are built, or plain PyTorch.

    `torch.ops.cman` is not touched; only the functions of `cman.kernels` follow.
    """
    global _in_use
    _in_use = choice == "auto" and REASON is None


def backend() -> str:
    """Return in one line what runs the operations, such as `C++ (AVX-512)`."""
    if not _in_use:
        return f"plain PyTorch ({REASON or 'kernels: reference'})"
    isa = ISA_NAMES[importlib.import_module("cman._C").isa()]
    if "cuda" in DEVICES:
        count = torch.cuda.device_count()
        others = [at for at in range(count) if not binary.runs_on(CODES, torch.cuda.get_device_capability(at))]
        without = f", plain PyTorch on GPU {', '.join(map(str, others))} (no code for it)" if others else ""
        return f"C++ ({isa}) and CUDA{without}"
    return f"C++ ({isa})" + (", plain PyTorch on the GPU (built without CUDA)" if torch.cuda.is_available() else "")
