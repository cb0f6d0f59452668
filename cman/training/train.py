"""A training from prepared files to a run folder: the lock, the inputs, the protocol, what is written."""

import logging
import shutil
from pathlib import Path
from typing import Any

import torch

from cman.errors import CmanError
from cman.files import read_json, write_csv, write_json
from cman.kernels import KernelChoice, backend, use_kernels
from cman.layout import Layout
from cman.lock import Lock, locked
from cman.machine import available_device, forget_peak_memory
from cman.manifest import list_files
from cman.model.folder import ModelFolder
from cman.training.checkpoint import adopt
from cman.training.data import TrainingData
from cman.training.protocol import Trainer
from cman.training.provenance import identity, provenance
from cman.training.runs import RESULTS, Run

log = logging.getLogger(__name__)


def train(run: Run, layout: Layout, device: str, threads: int, kernels: KernelChoice = "auto") -> Path:
    """Train one run and return its folder, which then holds `model/`, `history.csv` and `provenance.json`.

    Killed and called again, it continues after the last epoch that ended.

    Raises:
        UsageError: no such device.
        CmanError: an input is missing, malformed or changed meanwhile, another process trains this run, or a signal
            came.
    """
    device = available_device(device)
    with locked(run.checkpoints(layout), "trained") as lock:
        return _train(run, layout, device, threads, kernels, lock)


def _train(run: Run, layout: Layout, device: str, threads: int, kernels: KernelChoice, lock: Lock) -> Path:
    forget_peak_memory()
    torch.set_num_threads(threads)
    use_kernels(kernels)
    data = TrainingData.read(run, layout)
    if run.settings.word.vectors is None:
        log.info("no pre-trained word vectors are configured: random %d-d vectors are trained", run.settings.word.dim)
    log.info("%s on %s, seed %d, %s, %d threads", run.experiment, run.corpus, run.seed, device, threads)
    log.info("kernels: %s", backend())
    folder, checkpoints = run.folder(layout), run.checkpoints(layout)
    continued = adopt(checkpoints, identity(run, data, device))
    if not continued or _digest(folder) != run.digest:
        for name in RESULTS:
            (folder / name).unlink(missing_ok=True)
    trained = Trainer(run, data, checkpoints, lock, device).train()
    data.check()

    contextual = trained.model.inputs.contextual
    model = ModelFolder(
        trained.model,
        trained.vocabulary,
        run.settings,
        run.encoder,
        contextual,
        run.names,
        run.language,
        trained.calibration,
        identity=None if data.cache is None else data.cache.encoder,
        vectors=data.vectors_source,
    )
    model.save(folder / "model")
    columns = list(dict.fromkeys(name for row in trained.history for name in row))
    write_csv(folder / "history.csv", columns, trained.history)
    write_json(folder / "provenance.json", provenance(run, data, trained, device))
    list_files(folder, ["history.csv", "provenance.json"])
    shutil.rmtree(checkpoints)  # a later run begins anew
    return folder


def _digest(folder: Path) -> Any:
    """Return the digest of the training that a run folder is of; None where it says none."""
    try:
        facts = read_json(folder / "provenance.json")
    except CmanError:
        return None
    return facts.get("digest") if isinstance(facts, dict) else None
