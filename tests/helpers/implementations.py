"""What tests of the operations are repeated for: plain PyTorch, every compiled instruction set, CUDA."""

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from cman import kernels
from cman.kernels.library import REASON

SETS = ("portable", "avx2", "avx512")
CUDA = pytest.param("cuda", marks=pytest.mark.cuda)
EVERY = ("reference", *SETS, CUDA)

# For tests of what no instruction set has to do with.
once = pytest.mark.parametrize("operations", ["reference", "compiled", CUDA], indirect=True)
# For tests of what plain PyTorch does not do, or needs too long for.
compiled_only = pytest.mark.parametrize("operations", ["compiled", CUDA], indirect=True)
compiled_on_cpu = pytest.mark.parametrize("operations", ["compiled"], indirect=True)
every_set = pytest.mark.parametrize("operations", SETS, indirect=True)


class Operations:
    """The functions of `cman.kernels` in one implementation, on tensors of the CPU whatever their device is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.device = "cuda" if name == "cuda" else "cpu"

    @property
    def is_reference(self) -> bool:
        return self.name == "reference"

    def assert_same(self, found: Tensor, expected: Tensor, what: str = "") -> None:
        """Compare bit by bit; on a GPU, where blocks add to one sum in any order, to rounding."""
        if self.device == "cpu":
            assert torch.equal(found, expected), what
        else:
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(kernels, name)

        def called(*arguments: Any, **options: Any) -> Any:
            arguments, options = tree_map_only(Tensor, lambda value: value.to(self.device), (arguments, options))
            return tree_map_only(Tensor, lambda value: value.to("cpu"), function(*arguments, **options))

        return function if self.device == "cpu" else called


def set_isa(name: str) -> bool:
    """Use an instruction set from now on; return False where the processor lacks it."""
    return bool(importlib.import_module("cman._C").set_isa(name))


def best_set() -> str:
    return [name for name in SETS if set_isa(name)][-1]


def need_compiled() -> None:
    """Skip the test where nothing is compiled."""
    if REASON is not None:
        pytest.skip(f"nothing is compiled: {REASON}")


def need_cuda() -> None:
    need_compiled()
    if not importlib.import_module("cman._C").cuda:
        pytest.skip("compiled without CUDA")
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
