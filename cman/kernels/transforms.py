"""What the compiled operations do not see: forward-mode derivatives, the transforms of `torch.func`, sparse tensors.

To an operation written in C++ a tensor that carries a tangent looks like any other, and its result would have none: a
derivative of 0 without a word. The functions of `cman.kernels` ask here and then compute in plain PyTorch; the inner
operations, which `torch.ops.cman` calls, refuse.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad


def is_transformed(*tensors: Tensor | None) -> bool:
    """Return whether compiled operations would miss a derivative: in forward mode, or under a transform.

    What `torch.compile` traces is none of these: it sees the inner operations.
    """
    if torch.compiler.is_compiling():
        return False
    return torch._C._functorch.peek_interpreter_stack() is not None or has_tangent(*tensors)


def has_tangent(*tensors: Any) -> bool:
    """Return whether a tensor carries a forward-mode derivative."""
    if forward_ad._current_level < 0:
        return False
    unpacked: Any = forward_ad.unpack_dual
    return any(isinstance(each, Tensor) and unpacked(each).tangent is not None for each in tensors)


def is_differentiated(*tensors: Tensor | None) -> bool:
    """Return whether any derivative of what is computed from the tensors may be asked for."""
    recorded = torch.is_grad_enabled() and any(each is not None and each.requires_grad for each in tensors)
    return recorded or is_transformed(*tensors)


def check_dense(**tensors: Tensor | None) -> None:
    """Raise ValueError unless all tensors have one number for each of their places."""
    for name, tensor in tensors.items():
        if tensor is not None and tensor.layout != torch.strided:
            raise ValueError(f"{name}: got a sparse tensor, wanted a dense one")


def refusing(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operation that refuses what it would miss, for the dispatcher's autograd keys."""
    name = operation.__name__.partition(".")[0].removeprefix("_")

    def run(*arguments: Any, **options: Any) -> Any:
        functional = torch._C._functorch.peek_interpreter_stack() is not None and torch.is_grad_enabled()
        recorded = functional and any(isinstance(each, Tensor) and each.requires_grad for each in arguments)
        if recorded or has_tangent(*arguments):
            raise NotImplementedError(
                f"torch.ops.cman.{name}: found a derivative in forward mode or of torch.func, wanted none: the "
                "functions of cman.kernels have it"
            )
        with torch._C._AutoDispatchBelowAutograd():
            return operation(*arguments, **options)

    return run
