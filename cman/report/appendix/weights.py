"""The learned loss weights over time: exp(-s) with s = log sigma squared of homoscedastic uncertainty (eq. 26).

`history.csv` has s after each epoch of a stage, nan for a loss whose weight is not learned. Seeds may have trained for
other numbers of epochs: the printed table takes each run at the same share of its own epochs, the CSV has every epoch
and over how many runs its mean goes.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from cman.errors import CmanError, reads
from cman.files import read_text
from cman.report.appendix.section import Section, grouped, mean
from cman.report.evidence import Evidence
from cman.report.frame import Measured, tidy
from cman.report.results import Run

LOSSES = {"first": "First phase", "second": "Second phase", "rel": "Relations"}
SHARES = {"first": 0.0, "1/4": 0.25, "1/2": 0.5, "3/4": 0.75, "last": 1.0}

Stages = dict[str, dict[int, dict[str, float]]]  # stage -> epoch -> loss -> weight


def build(evidence: Evidence) -> Section:
    """Return the section.

    Raises:
        CmanError: a run's `history.csv` is missing or malformed.
    """
    section = Section("weights", "Learned loss weights over time", evidence)
    section.absent = "Nothing ran that learns the weights of its losses."
    runs = [(run, read_weights(run)) for group in evidence.groups.values() for run in group.runs]
    runs = [(run, stages) for run, stages in runs if stages]
    if not runs:
        return section
    section.summarise(tidy((run, _by_epoch(stages)) for run, stages in runs), deviation=False)
    found = section.summarise(tidy((run, _by_share(stages)) for run, stages in runs))
    ends = {(stage, len(epochs)) for _, stages in runs for stage, epochs in [list(stages.items())[-1]]}
    lengths, names = sorted(length for _, length in ends), sorted({stage for stage, _ in ends})
    epochs = str(lengths[0]) if lengths[0] == lengths[-1] else f"{lengths[0]} to {lengths[-1]}"
    section.text = (
        "The weight of a loss is exp(-s), where s is its learned log variance; all weights begin at 1. Shown at the "
        f"end of the first epoch, at shares of a run's epochs and at the last, in the stage that trained the model "
        f"({' or '.join(names)}, {epochs} epochs).",
    )
    cells = {
        name: [mean(found.get((name, "", f"{loss}, {share}", "weight"))) for loss in LOSSES for share in SHARES]
        for name in dict.fromkeys(run.experiment for run, _ in runs)
    }
    section.table(
        "weights",
        "Learned weights of the losses of both CRFs and of the relations, mean over runs",
        grouped(tuple(SHARES), LOSSES.values()),
        section.rows(cells),
    )
    return section


def _by_epoch(stages: Stages) -> Iterator[Measured]:
    for stage, epochs in stages.items():
        for epoch, weights in epochs.items():
            for loss, weight in weights.items():
                yield "", "", f"{loss}, {stage} {epoch}", "weight", weight


def _by_share(stages: Stages) -> Iterator[Measured]:
    *_, epochs = stages.values()  # the last stage trained the model that predicts
    for loss in LOSSES:
        for share, at in SHARES.items():
            if (weight := _at(epochs, at, loss)) is not None:
                yield "", "", f"{loss}, {share}", "weight", weight


def _at(epochs: Mapping[int, Mapping[str, float]], share: float, loss: str) -> float | None:
    """Return a weight at a share of the epochs, the nearest epoch, halves down."""
    numbers = sorted(epochs)
    return epochs[numbers[math.ceil(share * (len(numbers) - 1) - 0.5)]].get(loss)


def read_weights(run: Run) -> Stages:
    """Return the learned weights of a run by stage, epoch and loss; empty where none is learned.

    Raises:
        CmanError: `history.csv` is missing, or a line has no stage, epoch or number where one belongs.
    """
    return _read(run.folder / "history.csv")


@reads("the history of a training")
def _read(path: Path) -> Stages:
    stages: Stages = {}
    for number, line in enumerate(csv.DictReader(io.StringIO(read_text(path))), start=2):
        try:
            stage, epoch = line["stage"], int(line["epoch"])
            logs = {loss: float(line.get(f"log_variance_{loss}") or "nan") for loss in LOSSES}
            weights = {loss: math.exp(-value) for loss, value in logs.items() if not math.isnan(value)}
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CmanError(f"{path}: line {number}: {error}; wanted stage, epoch and log variances") from None
        if weights:
            stages.setdefault(stage, {})[epoch] = weights
    return stages
