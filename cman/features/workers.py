"""Worker threads that each compute whole batches on one core, for encoders and models on a CPU.

Two cores then do nearly twice the work of one, which PyTorch's own threads within an operation do not reach at these
sizes, and the result does not depend on how many there are.
"""

from concurrent.futures import ThreadPoolExecutor

import torch

from cman.machine import available_cores


def one_core_each(device: torch.device, threads: int | None) -> ThreadPoolExecutor | None:
    """Return `threads` workers, all cores by default; None on another device than a CPU, which needs none."""
    if device.type != "cpu":
        return None
    # The number of threads within an operation is set for each thread that calls PyTorch.
    return ThreadPoolExecutor(threads or available_cores(), initializer=torch.set_num_threads, initargs=(1,))
