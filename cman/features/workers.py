"""Worker threads that each compute whole batches on one core, for encoders and models on a CPU.

Two cores then do nearly twice the work of one, which PyTorch's own threads within an operation do not reach at these
sizes, and the result does not depend on how many there are.

Threads do not live on in a forked child, and cannot be pickled: what holds them is made anew by each process that uses
it.
"""

import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Generic, TypeVar

import torch

from cman.machine import available_cores

T = TypeVar("T")


class OfProcess(Generic[T]):
    """A value that each process makes for itself, when it first asks; pickled as what makes it."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[int, T] = {}  # by process; a fork keeps that of its parent, which it must not touch

    def get(self) -> T:
        """Return the value of this process."""
        process = os.getpid()
        if process not in self._made:
            if self._made:
                torch.set_num_threads(1)  # the threads within an operation stayed behind, too, and would be waited for
            self._made.setdefault(process, self._make())
        return self._made[process]

    def __reduce__(self) -> tuple[Any, ...]:
        return OfProcess, (self._make,)


class Workers(Executor):
    """A pool of so many threads, in whichever process uses it."""

    def __init__(self, threads: int) -> None:
        # The number of threads within an operation is set for each thread that calls PyTorch.
        pool = partial(ThreadPoolExecutor, threads, initializer=torch.set_num_threads, initargs=(1,))
        self._pool: OfProcess[ThreadPoolExecutor] = OfProcess(pool)

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        """Have a thread call a function."""
        return self._pool.get().submit(function, *arguments, **options)


def one_core_each(device: torch.device, threads: int | None) -> Workers | None:
    """Return `threads` workers, all cores by default; None on another device than a CPU, which needs none."""
    return Workers(threads or available_cores()) if device.type == "cpu" else None
