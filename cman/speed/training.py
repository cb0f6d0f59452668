"""The time of a training step, with the compiled operations and in plain PyTorch, in turns within one process.

Both train the same model on the same batches, each batch once by either, in an order that changes from batch to batch.
What counts is the CPU's time, so that a busy machine does not; the wall's stands beside it.
"""

import logging
import statistics
import time
from pathlib import Path

import torch

from cman.errors import CmanError
from cman.files import write_csv
from cman.kernels import KernelChoice, backend, use_kernels
from cman.layout import Layout
from cman.machine import deterministic, processor
from cman.training.data import TrainingData
from cman.training.protocol import built
from cman.training.runs import Run
from cman.training.step import make_optimiser, training_step

log = logging.getLogger(__name__)

CHOICES: tuple[KernelChoice, ...] = ("auto", "reference")
COLUMNS = ("contender", "corpus", "experiment", "batch_size", "steps", "cpu_ms", "cpu_ms_q1", "cpu_ms_q3", "wall_ms",
           "ratio", "epoch_s", "threads", "processor", "torch")  # fmt: skip
WARM = 3  # steps of each before any counts


def speed_of_training(run: Run, layout: Layout, threads: int, steps: int, output: Path) -> None:
    """Time the steps of a run's first epoch and write a CSV; see `cman speed training`.

    Raises:
        CmanError: nothing is compiled here, an input is missing, or the corpus has too few batches.
    """
    torch.set_num_threads(threads)
    use_kernels("auto")
    names = {"auto": backend(), "reference": "plain PyTorch"}
    if names["auto"].startswith(names["reference"]):
        raise CmanError(f"found {names['auto']}, wanted compiled operations to compare; `make kernels` builds them")
    data = TrainingData.read(run, layout)
    stage, _ = built(run, data, 0, data.train, [])
    batches = list(stage.batches)[: WARM + steps]
    if len(batches) < WARM + steps:
        raise CmanError(f"{run.corpus}: found {len(batches)} batches, wanted {WARM + steps} for {steps} steps")
    optimiser = make_optimiser(stage.model, stage.joint, run.settings)
    stage.model.train()
    times: dict[KernelChoice, list[tuple[float, float]]] = {choice: [] for choice in CHOICES}
    with deterministic():
        for number, batch in enumerate(batches):
            for choice in CHOICES if number % 2 else reversed(CHOICES):
                use_kernels(choice)
                began = time.process_time(), time.perf_counter()
                training_step(stage.model, stage.joint, optimiser, batch, run.settings)
                ended = time.process_time(), time.perf_counter()
                times[choice].append((1e3 * (ended[0] - began[0]), 1e3 * (ended[1] - began[1])))
    use_kernels("auto")
    measured = {choice: list(zip(*pairs[WARM:], strict=True)) for choice, pairs in times.items()}
    rows = []
    for choice, (cpu, wall) in measured.items():
        mean, ratio = statistics.mean(cpu), sum(cpu) / sum(measured["auto"][0])
        low, middle, high = statistics.quantiles(cpu, n=4, method="inclusive")
        epoch = mean * len(stage.batches) / 1e3
        figures = [f"{value:.4g}" for value in (middle, low, high, statistics.median(wall), ratio, epoch)]
        of = run.corpus, run.experiment, run.settings.training.batch_size
        cells = (names[choice], *of, steps, *figures, threads, processor(), torch.__version__)
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
        log.info(
            "%s: %s ms of CPU a step, %s s an epoch, %s times ours", names[choice], figures[0], figures[5], figures[4]
        )
    write_csv(output, COLUMNS, rows)
