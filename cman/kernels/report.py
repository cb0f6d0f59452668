"""What `cman kernels` prints, from any working directory: which kernels are in use and what they were built from."""

import torch

from cman.binary import read_stamp
from cman.kernels.library import backend


def lines() -> list[str]:
    """Return the backend, the sources it was built from, torch and the devices, a line each."""
    stamp = read_stamp()
    sources = stamp["sources"][:12] if stamp is not None else "none"
    codes = f" for {', '.join(stamp['codes'])}" if stamp is not None and stamp["codes"] else ""
    devices = [f"cpu, {torch.get_num_threads()} threads"]
    devices += [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [
        f"backend: {backend()}",
        f"sources: {sources}{codes}",
        f"torch: {torch.__version__}",
        *(f"device: {device}" for device in devices),
    ]
