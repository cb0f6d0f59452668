"""Peak memory of one operation of one contender, in a process of its own.

The process imports everything, builds the inputs and calls the operation once at a tiny shape, which loads what is
loaded on first use. That is the bare process; how far one call at the real shape lifts the peak above it is what the
operation needs, its result included. The peak is the kernel's high-water mark, set back before the call where the
system can; on a GPU, it is the peak of the allocator.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass

from cman.machine import forget_peak_memory, peak_memory

LIMIT = 300  # seconds that one process may take


@dataclass(frozen=True)
class Job:
    """What one process runs."""

    operation: str
    contender: str
    sizes: tuple[int, ...]
    seed: int = 0
    full: bool = False
    device: str = "cpu"
    threads: int = 1


@dataclass(frozen=True)
class Measured:
    """The bytes that a call needed, or why that is not known."""

    peak: int | None
    note: str = ""


def in_a_process(job: Job) -> Measured:
    """Start a process, let it measure, and return what it says."""
    command = [sys.executable, "-m", "cman.speed.memory", json.dumps(asdict(job))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return Measured(None, f"memory not measured: more than {LIMIT} s")
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return Measured(None, f"memory not measured: {words[0]}")
    return Measured(int(done.stdout))


def lift(call: object, device: str = "cpu") -> int:
    """Return how many bytes one call lifts the peak of this process."""
    assert callable(call)
    if device == "cuda":
        import torch

        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        result = call()
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated() - before
    else:
        forget_peak_memory()
        before = peak_memory()
        result = call()
        peak = peak_memory() - before
    del result
    return max(0, peak)


def measure(job: Job) -> int:
    """Return the bytes that a job's call needs, in this process."""
    import torch

    from cman.speed.contenders import contenders
    from cman.speed.inputs import make_inputs
    from cman.speed.operations import OPERATIONS
    from cman.speed.shapes import Shape

    torch.set_num_threads(job.threads)
    contender = next(one for one in contenders() if one.name == job.contender)
    kind = OPERATIONS[job.operation].kind
    build = contender.builds[job.operation]
    tiny = (1, 8, job.sizes[2]) if kind == "crf" else (1, 4, *job.sizes[2:])
    with torch.set_grad_enabled(OPERATIONS[job.operation].differentiated):
        build(make_inputs(Shape(kind, tiny)).cast(job.device))()
        call = build(make_inputs(Shape(kind, job.sizes), job.seed, full=job.full).cast(job.device))
        return lift(call, job.device)


if __name__ == "__main__":
    fields = json.loads(sys.argv[1])
    print(measure(Job(**{**fields, "sizes": tuple(fields["sizes"])})))
