"""The device that a stage runs on."""

import torch

from cman.errors import UsageError


def available_device(name: str) -> str:
    """Return `cpu` or `cuda` for `auto`, `cpu` or `cuda`.

    Raises:
        UsageError: another name, or `cuda` where torch sees no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device: found {name!r}, wanted auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("device: found 'cuda', but this torch sees no GPU; wanted 'auto' or 'cpu'")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"
