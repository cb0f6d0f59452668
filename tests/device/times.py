"""How long the device is busy with each operation, and how long a call takes when calls follow one another.

    python -m tests.device.times OUTPUT.csv

The second is the larger where the host needs longer to queue the work than the device to do it. Both are taken with
sums in any order, and in torch's deterministic mode, where blocks add to parts of their own.
"""

import csv
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from cman import kernels
from cman.machine import deterministic
from cman.speed.inputs import make_inputs
from cman.speed.operations import OPERATIONS, calls_of
from cman.speed.shapes import Shape

CALLS = 20
SHAPES = (
    *(Shape("crf", sizes) for sizes in ((32, 40, 9), (256, 64, 9), (256, 128, 17), (32, 512, 32), (4096, 128, 9))),
    *(Shape("pairs", sizes) for sizes in ((16, 40, 128, 6), (64, 64, 128, 6), (4, 256, 128, 12), (256, 128, 128, 6))),
)


def microseconds(call: Callable[[], object]) -> tuple[float, float]:
    """Return how long a call takes, and how long the device is busy with it."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    for _ in range(CALLS):
        call()
    ended.record()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as watched:
        for _ in range(CALLS):
            call()
        torch.cuda.synchronize()
    busy = sum(event.self_device_time_total for event in watched.key_averages())
    return 1e3 * began.elapsed_time(ended) / CALLS, busy / CALLS


def main(output: Path) -> None:
    """Write a line for every operation, shape and mode; all sentences have their full length."""
    with output.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["operation", "shape", "sums", "call_us", "device_us", "device", "torch"])
        for shape in SHAPES:
            x = make_inputs(shape, full=True).cast("cuda")
            for in_order in (False, True):
                for operation in OPERATIONS.values():
                    if operation.kind != shape.kind:
                        continue
                    with (
                        deterministic() if in_order else nullcontext(),
                        torch.set_grad_enabled(operation.differentiated),
                    ):
                        times = microseconds(calls_of(kernels)[operation.name](x))
                    mode = "in order" if in_order else "in any order"
                    machine = torch.cuda.get_device_name(), torch.__version__
                    writer.writerow([operation.name, shape.name, mode, *(f"{each:.1f}" for each in times), *machine])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
