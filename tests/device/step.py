"""A training step of CMAN on a GPU: whether it waits, what recorded graphs give, and how long it takes.

    python -m tests.device.step cuda FOLDER

The model has the sizes of the paper, no contextual features and no dropout: replayed graphs must give the gradients of
the plain calls.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from cman.cli.options import configuration_at
from cman.cli.training import run_of
from cman.features.batch import Batch
from cman.layout import Layout
from cman.machine import deterministic
from cman.training.data import TrainingData
from cman.training.graphs import RecordedGradients
from cman.training.loop import Stage
from cman.training.protocol import built
from cman.training.step import add_gradients, make_optimiser, training_step
from tests.device import epoch

STEPS = 20
SETTINGS: dict[str, object] = {"dropout": {"inputs": 0.0, "recurrent": 0.0}, "word": {"unknown_rate": 0.0}}


def stage_of(folder: Path, sizes: dict[str, int], settings: dict[str, object] = SETTINGS) -> Stage:
    """Return the stage that a run of the corpus of random sentences begins with."""
    epoch.prepare(folder, sizes, settings)
    run = run_of(configuration_at(folder / "device.yaml"), "device", "cman", "main", 1)
    data = TrainingData.read(run, Layout(folder / "results"))
    return built(run, data, 0, data.train, [])[0]


class OnDevice:
    """A stage's model and batches on a device, trained for a few steps."""

    def __init__(self, stage: Stage, device: str) -> None:
        self.device = torch.device(device)
        self.model, self.joint, self.settings = stage.model.to(device), stage.joint.to(device), stage.settings
        self.batches = list(stage.batches)
        self.optimiser = make_optimiser(self.model, self.joint, self.settings)
        self.model.train()
        for batch in self.batches[:3]:
            self.step(batch)

    def step(self, batch: Batch) -> None:
        training_step(self.model, self.joint, self.optimiser, batch.to(self.device), self.settings)

    def add_gradients(self, batch: Batch) -> None:
        """Compute the gradients anew, into the memory that they have."""
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                parameter.grad.zero_()
        add_gradients(self.model, self.joint, batch, self.settings)

    def gradients(self) -> list[torch.Tensor]:
        return [each.grad.clone() for each in self.model.parameters() if each.grad is not None]

    def milliseconds(self, call: Callable[[], object]) -> float:
        """Return the mean time of a call, of several that follow one another."""
        for _ in range(3):
            call()
        self.wait()
        began = time.perf_counter()
        for _ in range(STEPS):
            call()
        self.wait()
        return 1e3 * (time.perf_counter() - began) / STEPS

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def waits(on: OnDevice) -> str:
    """Let torch raise where a step waits for the device."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        for batch in on.batches[3 : 3 + STEPS]:
            on.step(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return f"{STEPS} steps waited for nothing"


def recorded(on: OnDevice) -> str:
    """Replay recorded gradients of batches (`cman.training.graphs`) and compare them with those of the plain calls."""
    recorded = RecordedGradients(on.model, on.joint, on.settings, on.batches, len(on.batches[0].lengths))
    replayed = 0
    torch.backends.cudnn.allow_tf32 = False  # its rounding is larger than what is looked for
    for batch in on.batches:
        recorded(batch)
        found, replayed = on.gradients(), replayed + (recorded.shape(batch) is not None)
        on.add_gradients(batch.to(on.device))
        for one, other in zip(found, on.gradients(), strict=True):
            # By the largest value of a tensor: gradients near 0 are differences of sums in another order.
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * float(1 + other.abs().max()))
    batch = on.batches[0]
    given = batch.to(on.device)
    plain, again = on.milliseconds(lambda: on.add_gradients(given)), on.milliseconds(lambda: recorded(batch))
    return (
        f"{replayed} of {len(on.batches)} batches replayed in {len(recorded.shapes)} shapes; gradients of "
        f"{len(batch.lengths)} sentences: {plain:.2f} ms, replayed {again:.2f} ms"
    )


def main(device: str, folder: Path) -> None:
    """Print what was found."""
    with deterministic():
        on = OnDevice(stage_of(folder, {"train": 640, "dev": 1, "test": 1}), device)
        print(f"a step: {on.milliseconds(lambda: on.step(on.batches[3])):.2f} ms", flush=True)
        if device == "cuda":
            print(waits(on), flush=True)
            print(recorded(on), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
