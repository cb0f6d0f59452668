"""One GPU of several for this process: jobs that run side by side on a machine spread over its GPUs.

Snakemake counts jobs (`--resources gpu=N`) and says to none which device is its own. Here a process holds the lock of a
file, named after a GPU and a number, as long as it lives: number 0 of a GPU that nobody has is taken first, then a
number 1, and so on. The system frees a lock however the process ends. Slurm shows a job the GPU that it reserved, and
nothing is left to choose.
"""

import itertools
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from cman.flock import WINDOWS, lock

VISIBLE = "CUDA_VISIBLE_DEVICES"
log = logging.getLogger("cman")


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    if VISIBLE in os.environ:
        names = (name.strip() for name in os.environ[VISIBLE].split(","))
        return list(itertools.takewhile(lambda name: name not in ("", "-1"), names))  # as CUDA reads it
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [str(number) for number in range(sum(line.startswith("GPU ") for line in listed.splitlines()))]


def own_gpu(device: str) -> str:
    """Return the device as given; where it may be one of several GPUs, only the least busy is visible from now on.

    To be called before CUDA is: it reads the environment once. Files of locks stand in the folder for temporary files;
    without locks there (Windows, some network file systems) all GPUs stay visible, of which PyTorch takes the first.
    """
    names = [] if device == "cpu" or WINDOWS else visible_gpus()
    if len(names) < 2:
        return device
    folder = Path(tempfile.gettempdir()) / f"cman-gpu-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        chosen = next(name for number in itertools.count() for name in names if _taken(folder, name, number))
    except OSError:
        return device
    os.environ[VISIBLE] = chosen
    log.info("GPU %s of %s", chosen, ", ".join(names))
    return device


def _taken(folder: Path, name: str, number: int) -> bool:
    """Return whether this process holds the lock from now on, until its end."""
    descriptor = os.open(folder / f"{quote(name, safe='')}.{number}", os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
    try:
        lock(descriptor, wait=False)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError:
        os.close(descriptor)
        raise
    return True
