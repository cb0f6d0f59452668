"""Checks of the operations' arguments, in sentences that name the argument, what was found and what was wanted.

Values are checked on the CPU alone: on a GPU, looking at them would have to wait for it.
"""

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

HALVES = (torch.float16, torch.bfloat16)
FULL = (torch.float32, torch.float64)


def check_shape(name: str, tensor: Tensor, *wanted: tuple[int, ...]) -> None:
    """Raise ValueError unless the tensor has one of the wanted shapes."""
    if tuple(tensor.shape) not in wanted:
        shapes = " or ".join(f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})" for shape in wanted)
        raise ValueError(f"{name}: got shape {tuple(tensor.shape)}, wanted {shapes}")


def check_dtype(name: str, tensor: Tensor, wanted: torch.dtype) -> None:
    """Raise TypeError unless the tensor has the wanted type."""
    if tensor.dtype != wanted:
        raise TypeError(f"{name}: got {_name(tensor.dtype)}, wanted {_name(wanted)}")


def check_device(first: tuple[str, Tensor], **others: Tensor | None) -> None:
    """Raise ValueError unless all tensors are on the device of the first one."""
    name, tensor = first
    for other, value in others.items():
        if value is not None and value.device != tensor.device:
            raise ValueError(f"{other}: got device {value.device}, wanted {tensor.device}, that of {name}")


def check_range(name: str, values: Tensor, low: int, high: int) -> None:
    """Raise ValueError unless all values lie in [low, high]."""
    if not values_known(values) or values.numel() == 0:
        return
    smallest, largest = int(values.min()), int(values.max())
    if smallest < low or largest > high:
        raise ValueError(f"{name}: got values from {smallest} to {largest}, wanted {low} to {high}")


def check_numbers(name: str, values: Tensor, lengths: Tensor) -> None:
    """Raise ValueError if a value (B, L, K) within the lengths is NaN, as all are after a training that diverged."""
    if torch.compiler.is_compiling() or not (values_known(values) and values_known(lengths)):
        return
    if not values.sum().isnan():  # one quick look, as a rule
        return
    inside = torch.arange(values.shape[1]) < lengths.unsqueeze(1)
    wrong = (values.isnan().any(2) & inside).nonzero()
    if len(wrong):
        sentence, token = wrong[0].tolist()
        raise ValueError(f"{name}: got NaN at sentence {sentence}, token {token}, wanted numbers")


def values_known(tensor: Tensor) -> bool:
    """Return whether looking at the values is possible and costs no waiting; under vmap there are several at once."""
    if tensor.device.type != "cpu" or isinstance(tensor, FakeTensor):
        return False
    return torch.compiler.is_compiling() or not torch._C._functorch.is_batchedtensor(tensor)


def promoted(**tensors: Tensor | None) -> list[Tensor]:
    """Return floating tensors in the type that an operation computes in: float32 for half precision.

    Raises:
        TypeError: a tensor of another type, or float32 and float64 together.
    """
    given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    for name, tensor in given.items():
        if tensor.dtype not in HALVES + FULL:
            wanted = "float32, float64, float16 or bfloat16"
            raise TypeError(f"{name}: got {_name(tensor.dtype)}, wanted {wanted}")
    first_name, first = next(iter(given.items()))
    dtype = torch.float32 if first.dtype in HALVES else first.dtype
    for name, tensor in given.items():
        if (torch.float32 if tensor.dtype in HALVES else tensor.dtype) != dtype:
            raise TypeError(f"{name}: got {_name(tensor.dtype)}, wanted {_name(dtype)}, as {first_name}")
    return [tensor.to(dtype) for tensor in given.values()]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
