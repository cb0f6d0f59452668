"""The learned loss weights over time: exp(-s) with s = log sigma squared of homoscedastic uncertainty (eq. 26).

`history.csv` has s after each epoch of a stage, nan for a loss whose weight is not learned. Seeds may have trained for
other numbers of epochs: the printed table takes each run at the same share of its own epochs, the CSV has every epoch
and over how many runs its mean goes.
"""

import csv
import io
import math
import statistics
from collections.abc import Mapping

from cman.errors import CmanError
from cman.files import read_text
from cman.report.appendix.evidence import Evidence, Key, on_a_share, over_seeds
from cman.report.appendix.layout import Cell, Heading, Printed, Row, Section, percent
from cman.report.results import Run

LOSSES = {"first": "First phase", "second": "Second phase", "rel": "Relations"}
SHARES = {"first": 0.0, "1/4": 0.25, "1/2": 0.5, "3/4": 0.75, "last": 1.0}

Stages = dict[str, dict[int, dict[str, float]]]  # stage -> epoch -> loss -> weight


def build(evidence: Evidence) -> Section:
    """Return the section.

    Raises:
        CmanError: a run's `history.csv` is missing or malformed.
    """
    section = Section("weights", "Learned loss weights over time", evidence.corpus)
    section.absent = "Nothing ran that learns the weights of its losses."
    rows, ends = [], set()
    for name, group in evidence.groups.items():
        runs: dict[Key, tuple[Run, Stages]] = {
            (run.split, run.seed): (run, stages) for run in group.runs if (stages := read_weights(run))
        }
        if not runs:
            continue
        _keep_epochs(section, name, list(runs.values()))
        # The last stage trained the model that predicts.
        final = {key: list(stages.items())[-1] for key, (_, stages) in runs.items()}
        ends |= {(stage, len(epochs)) for stage, epochs in final.values()}
        cells = []
        for loss in LOSSES:
            for share, at in SHARES.items():
                found = {key: _at(epochs, at, loss) for key, (_, epochs) in final.items()}
                values = {key: weight for key, weight in found.items() if weight is not None}
                cells.append(Cell(percent(over_seeds(values).mean) if values else ""))
                if values:
                    members = [run for key, (run, _) in runs.items() if key in values]
                    section.spread(name, f"{loss}, {share}", "weight", over_seeds(values), members, "")
        if not on_a_share(name):
            rows.append(Row(group.first.title, tuple(cells)))
    if not section.figures:
        return section
    lengths, names = sorted(length for _, length in ends), sorted({stage for stage, _ in ends})
    epochs = str(lengths[0]) if lengths[0] == lengths[-1] else f"{lengths[0]} to {lengths[-1]}"
    section.text = (
        "The weight of a loss is exp(-s), where s is its learned log variance; all weights begin at 1. Shown at the "
        f"end of the first epoch, at shares of a run's epochs and at the last, in the stage that trained the model "
        f"({' or '.join(names)}, {epochs} epochs).",
    )
    section.tables.append(
        Printed(
            name="weights",
            caption="Learned weights of the losses of both CRFs and of the relations, mean over runs.",
            stub="Experiment",
            groups=tuple(Heading(title, len(SHARES)) for title in LOSSES.values()),
            heads=tuple(SHARES) * len(LOSSES),
            spread=(False,) * (len(SHARES) * len(LOSSES)),
            rows=tuple(rows),
        )
    )
    return section


def _keep_epochs(section: Section, name: str, runs: list[tuple[Run, Stages]]) -> None:
    for stage in dict.fromkeys(stage for _, stages in runs for stage in stages):
        for epoch in sorted({epoch for _, stages in runs for epoch in stages.get(stage, {})}):
            for loss in LOSSES:
                found = [
                    (run, stages[stage][epoch][loss])
                    for run, stages in runs
                    if loss in stages.get(stage, {}).get(epoch, {})
                ]
                if found:
                    mean = statistics.mean(weight for _, weight in found)
                    section.add(name, f"{loss}, {stage} {epoch}", "weight", mean, [run for run, _ in found])


def _at(epochs: Mapping[int, Mapping[str, float]], share: float, loss: str) -> float | None:
    """Return a weight at a share of the epochs, the nearest epoch, halves down."""
    numbers = sorted(epochs)
    return epochs[numbers[math.ceil(share * (len(numbers) - 1) - 0.5)]].get(loss)


def read_weights(run: Run) -> Stages:
    """Return the learned weights of a run by stage, epoch and loss; empty where none is learned.

    Raises:
        CmanError: `history.csv` is missing, or a line has no stage, epoch or number where one belongs.
    """
    path = run.folder / "history.csv"
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
