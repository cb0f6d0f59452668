"""What tests of the operations are repeated for: plain PyTorch, every compiled instruction set, CUDA, and tables.

    @everywhere                                  # or once, compiled_only, compiled_on_cpu, every_set
    @for_each(dtype=FLOATS, tags=[4, 17])
    def test_something(operations, dtype, tags): ...

is one test, which runs its body for every implementation that this machine has and for every combination of the
values; a failure says for which. What the machine lacks is left out, and skipped by name in test_implementations.py.
"""

import functools
import importlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from cman import kernels
from cman.kernels import use_kernels
from cman.kernels.library import REASON

FLOATS = (torch.float32, torch.float64)
SETS = ("portable", "avx2", "avx512")
EVERY = ("reference", *SETS, "cuda")
Test = Callable[..., None]


class Operations:
    """The functions of `cman.kernels` in one implementation, on tensors of the CPU whatever their device is."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.device = "cuda" if name == "cuda" else "cpu"

    @property
    def is_reference(self) -> bool:
        return self.name == "reference"

    def assert_same(self, actual: Tensor, expected: Tensor, what: str = "") -> None:
        """Compare bit by bit; on a GPU, where blocks add to one sum in any order, to rounding."""
        if self.device == "cpu":
            assert torch.equal(actual, expected), what
        else:
            torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(kernels, name)

        def called(*arguments: Any, **options: Any) -> Any:
            arguments, options = tree_map_only(Tensor, lambda value: value.to(self.device), (arguments, options))
            return tree_map_only(Tensor, lambda value: value.to("cpu"), function(*arguments, **options))

        return function if self.device == "cpu" else called


def missing(name: str) -> str | None:
    """Return why this machine cannot run an implementation; None if it can."""
    if name == "reference":
        return None
    if REASON is not None:
        return f"nothing is compiled: {REASON}"
    if name == "cuda":
        built = importlib.import_module("cman._C").cuda
        return None if built and torch.cuda.is_available() else "no GPU" if built else "compiled without CUDA"
    return None if name not in SETS or name in available_sets() else f"this processor has no {name}"


@functools.cache
def available_sets() -> tuple[str, ...]:
    return tuple(name for name in SETS if set_isa(name))  # and the best one is in use afterwards


def set_isa(name: str) -> bool:
    """Use an instruction set from now on; return False where the processor lacks it."""
    return bool(importlib.import_module("cman._C").set_isa(name))


def need_compiled() -> None:
    """Skip the test where nothing is compiled."""
    if REASON is not None:
        pytest.skip(f"nothing is compiled: {REASON}")


@contextmanager
def using(name: str) -> Iterator[Operations]:
    """Use one implementation in this process."""
    use_kernels("reference" if name == "reference" else "auto")
    if name in SETS:
        set_isa(name)
    try:
        yield Operations(name)
    finally:
        use_kernels("auto")
        if REASON is None:
            set_isa(available_sets()[-1])


def implementations(*names: str) -> Callable[[Test], Test]:
    """Repeat a test, whose argument `operations` this gives, for implementations."""

    def decorate(test: Test) -> Test:
        def repeated(**given: Any) -> None:
            present = [name for name in names if missing(name) is None]
            if not present:
                pytest.skip(missing(names[0]) or "")
            for name in present:
                with using(name) as operations, note(f"operations: {name}"):
                    test(operations=operations, **given)

        return without_arguments(test, repeated, "operations")

    return decorate


def for_each(**values: Any) -> Callable[[Test], Test]:
    """Repeat a test for every combination of the values of some of its arguments."""

    def decorate(test: Test) -> Test:
        def repeated(**given: Any) -> None:
            for combination in itertools.product(*values.values()):
                chosen = dict(zip(values, combination, strict=True))
                with note(", ".join(f"{name}: {value}" for name, value in chosen.items())):
                    test(**given, **chosen)

        return without_arguments(test, repeated, *values)

    return decorate


@contextmanager
def note(text: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(text)
        raise


def without_arguments(test: Test, repeated: Test, *names: str) -> Test:
    """Return the second function under the name of the first, without the arguments that it gives itself."""
    signature = inspect.signature(test)
    rest = [parameter for name, parameter in signature.parameters.items() if name not in names]
    assert len(rest) == len(signature.parameters) - len(names), f"{test.__name__}: wanted the arguments {names}"
    shorter = signature.replace(parameters=rest)

    def called(*arguments: Any, **given: Any) -> None:
        repeated(**shorter.bind(*arguments, **given).arguments)

    functools.update_wrapper(called, test)
    del called.__wrapped__  # type: ignore[attr-defined]
    called.__signature__ = shorter  # type: ignore[attr-defined]
    return called


everywhere = implementations(*EVERY)
# For tests of what no instruction set has to do with.
once = implementations("reference", "compiled", "cuda")
# For tests of what plain PyTorch does not do, or needs too long for.
compiled_only = implementations("compiled", "cuda")
compiled_on_cpu = implementations("compiled")
on_cpu = implementations("reference", "compiled")
every_set = implementations(*SETS)
