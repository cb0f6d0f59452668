"""The plain-PyTorch definition under `torch.compile`, wherever that ends within a limit.

A recurrence over L tokens is unrolled into one graph, whose compilation may take minutes or all memory. So it is first
tried in a process of its own, which is killed at the limit; what it compiled stands in a cache from which this process
then loads it. After a failure at one length, longer sentences are not tried.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

from cman.speed.memory import Job

FUNCTIONS = (
    *("crf_decode", "crf_log_partition", "crf_nll", "crf_marginals", "crf_span_marginals"),
    *("pair_scores", "pair_bce", "pair_select", "lstm"),
)
CACHE = "TORCHINDUCTOR_CACHE_DIR"


class Compiler:
    """Compiles operations within a limit and remembers what was beyond it.

    Args:
        limit: seconds that one compilation may take; 0 tries none.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._failed: dict[str, tuple[int, str]] = {}  # operation -> the length that failed, and why

    def refusal(self, job: Job) -> str | None:
        """Try a compilation in another process; return why there is no `torch.compile` of it, None if there is."""
        if not self.limit:
            return "--no-compile"
        failed = self._failed.get(job.operation)
        if failed is not None and job.sizes[1] >= failed[0]:
            return failed[1]
        why = attempt(job, self.limit)
        if why is not None:
            shape = "x".join(map(str, job.sizes))
            self._failed[job.operation] = (job.sizes[1], f"at {shape}, {why}")
            return why
        return None


def attempt(job: Job, limit: float) -> str | None:
    """Compile and run a job in another process; return what went wrong, None if nothing did."""
    command = [sys.executable, "-m", "cman.speed.compiling", json.dumps(asdict(job))]
    # A process group of its own, because the compiler starts others: all of them end with it.
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            _, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return f"compilation takes more than {limit:g} s"
    if process.returncode == 0:
        return None
    words = [line for line in errors.splitlines() if line.strip()][-1:] or [f"exit status {process.returncode}"]
    return f"compilation fails ({words[0].strip()[:160]})"


@contextmanager
def fresh_cache() -> Iterator[None]:
    """Let what is compiled be kept in a new folder, for this process and those it starts, and be removed afterwards."""
    before = {name: os.environ.get(name) for name in (CACHE, "TORCHINDUCTOR_COMPILE_THREADS")}
    with tempfile.TemporaryDirectory(prefix="cman-compiled-", ignore_cleanup_errors=True) as folder:
        os.environ |= {CACHE: folder, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def compiled_reference() -> Any:
    """Return an object with all operations, each compiled for one shape; what was compiled before is forgotten."""
    import torch

    from cman.kernels import reference

    logging.getLogger("torch._dynamo").setLevel(logging.ERROR)  # checks of the lengths break the graph, as they may
    torch._dynamo.reset()
    return SimpleNamespace(**{name: torch.compile(getattr(reference, name), dynamic=False) for name in FUNCTIONS})


def _compile(job: Job) -> None:
    import torch

    from cman.speed.inputs import make_inputs
    from cman.speed.operations import OPERATIONS, calls_of
    from cman.speed.shapes import Shape

    torch.set_num_threads(job.threads)
    operation = OPERATIONS[job.operation]
    x = make_inputs(Shape(operation.kind, job.sizes), job.seed, full=job.full).cast(job.device)
    with torch.set_grad_enabled(operation.differentiated):
        call = calls_of(compiled_reference())[job.operation](x)
        call()
        began = time.perf_counter()
        call()
        print(time.perf_counter() - began)


if __name__ == "__main__":
    fields = json.loads(sys.argv[1])
    _compile(Job(**{**fields, "sizes": tuple(fields["sizes"])}))
