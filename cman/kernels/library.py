"""Which implementation of the operations is in use: the compiled one (`cman._C`), or plain PyTorch and why.

A missing, outdated or unusable binary is normal and no error; `backend()` says in one line what is in use.
"""

import importlib
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from cman.kernels import registration
from cman.kernels.stamp import PACKAGE, read_stamp, sources_hash

KernelChoice = Literal["auto", "reference"]
BUILD = "build with: python setup.py build_ext --inplace"
ISA_NAMES = {"avx512": "AVX-512", "avx2": "AVX2", "portable": "portable"}


def _why_not_compiled() -> str | None:
    """Load the compiled operations; return None, or why they cannot be used."""
    stamp = read_stamp()
    if stamp is None:
        return f"not built; {BUILD}"
    if stamp["torch"] != torch.__version__:
        return f"built for torch {stamp['torch']}, this is {torch.__version__}; {BUILD}"
    if sources_hash() not in (None, stamp["sources"]):
        return f"built from other sources than csrc/; {BUILD}"
    try:
        found = importlib.import_module("cman._C").__file__
    except ImportError as error:
        return f"the binary does not load ({str(error).splitlines()[0]}); {BUILD}"
    if found is None or Path(found).resolve().parent != PACKAGE:
        return f"the binary beside the package is missing, found {found}; {BUILD}"
    return None


REASON = _why_not_compiled()
if REASON is None:
    registration.complete_compiled()
else:
    registration.define_in_python()
DEVICES = ("cpu", "cuda") if REASON is None and importlib.import_module("cman._C").cuda else ("cpu",)
_in_use = REASON is None


def compiled(tensor: Tensor) -> bool:
    """Return whether operations on a tensor run compiled: whether they are in use and built for its device."""
    return _in_use and tensor.device.type in DEVICES


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
        return f"C++ ({isa}) and CUDA"
    return f"C++ ({isa})" + (", plain PyTorch on the GPU (built without CUDA)" if torch.cuda.is_available() else "")
