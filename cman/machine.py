"""What machine this is: the device of a stage and how it computes, the processor, the cores, this process's memory."""

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cman.errors import UsageError

KIB = 1024


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


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor of the host on a device. A GPU reads it out of pinned memory by itself, and nobody waits."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@contextmanager
def deterministic() -> Iterator[None]:
    """Let operations give the same bits for the same tensors inside the block, on a GPU too.

    A whole training has not been the same there all the same (docs/limits.md).
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before, benchmark = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    deterministic: Any = torch.utils.deterministic  # its attribute is made at run time
    filled = deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    # Every new tensor would be filled before it is written: 7 % of a step, for memory that no operation here reads.
    deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        deterministic.fill_uninitialized_memory = filled
        torch.backends.cudnn.benchmark = benchmark


def processor() -> str:
    """Return the processor's model."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory() -> int:
    """Return the most bytes that this process has had resident since `forget_peak_memory`, or since its start."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * KIB for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        if sys.platform == "win32":
            return 0  # not known
        import resource

        # macOS counts bytes here, other systems KiB.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else KIB)


def forget_peak_memory() -> None:
    """Begin to measure the peak anew; where the system cannot, it stays that of the whole process."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
