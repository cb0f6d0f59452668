"""Trainings from prepared files to run folders, one or several in one process."""

import csv
import io
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cman.config.configuration import Configuration
from cman.files import write_json, write_text
from cman.kernels import KernelChoice, backend, use_kernels
from cman.layout import Layout
from cman.machine import available_device
from cman.model.folder import ModelFolder
from cman.training.cells import Cell, check_division
from cman.training.data import TrainingData
from cman.training.protocol import Run
from cman.training.provenance import forget_peak_memory, provenance

log = logging.getLogger(__name__)

HISTORY_DIGITS = 6


def train_several(
    cells: Sequence[Cell], corpus: str, layout: Layout, device: str, threads: int, kernels: KernelChoice = "auto"
) -> list[Path]:
    """Train one after another and return the run folders.

    Python and torch start once, which takes seconds. Each run is the same as in a process of its own. Checkpoints are
    kept until all are done: killed and called again, finished runs load theirs.

    Raises:
        UsageError, CmanError: as `train`; every wrong name is told before the first training begins.
    """
    for cell in cells:
        check_division(cell.configuration, corpus, cell.split)
        cell.configuration.settings_of(corpus, cell.experiment)
    folders = [_train(cell, corpus, layout, device, threads, kernels) for cell in cells]
    for cell in cells:
        shutil.rmtree(layout.checkpoints(corpus, cell.experiment, cell.split, cell.seed))  # a later run begins anew
    return folders


def train(
    configuration: Configuration,
    corpus: str,
    experiment: str,
    split: str,
    seed: int,
    layout: Layout,
    device: str,
    threads: int,
    kernels: KernelChoice = "auto",
) -> Path:
    """Train one run and return its folder, which then holds `model/`, `history.csv` and `provenance.json`.

    Raises:
        UsageError: unknown corpus, experiment or division, or no such device.
        CmanError: an input is missing or malformed.
    """
    cell = Cell(configuration, experiment, split, seed)
    return train_several([cell], corpus, layout, device, threads, kernels)[0]


def _train(cell: Cell, corpus: str, layout: Layout, device: str, threads: int, kernels: KernelChoice) -> Path:
    configuration, experiment, split, seed = cell.configuration, cell.experiment, cell.split, cell.seed
    forget_peak_memory()
    device = available_device(device)
    torch.set_num_threads(threads)
    use_kernels(kernels)
    settings = configuration.settings_of(corpus, experiment)
    data = TrainingData.read(configuration, corpus, settings, split, layout)
    if settings.word.vectors is None:
        log.info("no pre-trained word vectors are configured: random %d-d vectors are trained", settings.word.dim)
    log.info("%s on %s, seed %d, %s, %d threads", experiment, corpus, seed, device, threads)
    log.info("kernels: %s", backend())
    checkpoints = layout.checkpoints(corpus, experiment, split, seed)
    trained = Run(settings, data, seed, checkpoints, device).train()

    run = layout.run(corpus, experiment, split, seed)
    trained_on = {"corpus": corpus, "experiment": experiment, "split": split, "seed": seed}
    model = trained.module.model.cpu().eval()
    contextual, language = model.inputs.contextual, configuration.corpus(corpus).language
    folder = ModelFolder(model, trained.vocabulary, settings, data.encoder, contextual, trained_on, language)
    folder.save(run / "model")
    write_text(run / "history.csv", _table(trained.history))
    facts = provenance(configuration, corpus, experiment, split, seed, settings, data, trained, device)
    write_json(run / "provenance.json", facts)
    return run


def _table(rows: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: f"{value:.{HISTORY_DIGITS}g}" if isinstance(value, float) else value
                         for key, value in row.items()})  # fmt: skip
    return stream.getvalue()
