"""Whether a training had converged when it ended, read from its `history.csv`: the rule of docs/study.md.

Over the last quarter of the epochs a line is fitted to the training loss (the sum of the tasks' losses, before they
are weighted) and to the relation F1 of dev. A training has converged if that loss falls by less than 1 % of what it had
fallen since the first epoch, and that F1 rises by less than 0.5. One whose line ends far above its lowest epoch has
diverged, and has not converged however flat it lies there. How far the weights of uncertainty weighting still move is
told beside it and decides nothing.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cman.errors import CmanError
from cman.files import read_text

FALL, RISE = 1.0, 0.5  # percent of what the loss had fallen before, points of F1
MOVED = 5.0  # percent of a weight
DIVERGED = 5.0  # percent of what the loss had fallen until its lowest epoch; trainings that fit end within 1 % of it
SHARE = 4  # a quarter of the epochs ...
FEWEST = 3  # ... of at least so many that a line says more than two points

Row = Mapping[str, str]


@dataclass(frozen=True)
class Convergence:
    """What a history says of its end.

    Attributes:
        epochs: of the stage that trained the model which was kept.
        loss_fall: how far its loss fell over the last quarter, in percent of its fall before; None where there are too
            few epochs.
        dev_rise: points by which relation F1 of dev rose; None where no epoch was scored on dev.
        moved: percent by which the fastest of the loss weights exp(-s) moved; None without uncertainty weighting.
        dev_f1: relation F1 of dev after the last epoch that was scored.
        loss_rise: how far the loss ended above its lowest epoch, in percent of its fall until then.
    """

    epochs: int
    loss_fall: float | None
    dev_rise: float | None = None
    moved: float | None = None
    dev_f1: float | None = None
    loss_rise: float = 0.0

    @property
    def diverged(self) -> bool:
        """Whether the loss ended far above what it had been."""
        return self.loss_rise >= DIVERGED

    @property
    def converged(self) -> bool | None:
        """Whether it had converged; None where the history is too short to say, or not about dev what is needed."""
        if self.loss_fall is None:
            return None
        if self.diverged or self.loss_fall >= FALL or (self.dev_rise is not None and self.dev_rise >= RISE):
            return False
        return None if self.dev_rise is None else True

    @property
    def still_rising(self) -> bool:
        """Whether it had not converged for its F1 on dev alone."""
        return self.converged is False and not self.diverged and self.loss_fall is not None and self.loss_fall < FALL

    @property
    def shortfall(self) -> float:
        """How far it was from converged: the largest of fall, rise and divergence, as multiples of what is allowed."""
        return max((self.loss_fall or 0.0) / FALL, (self.dev_rise or 0.0) / RISE, self.loss_rise / DIVERGED)

    def said(self) -> str:
        """Return it in words."""
        if self.loss_fall is None:
            return f"not known: {self.epochs} epochs are too few to say"
        head = {True: "yes", False: "no", None: "by its loss, as dev was not scored"}[self.converged]
        if self.diverged:
            head += f", it diverged and ended {self.loss_rise:.0f} % of the loss's fall above its lowest epoch"
        return f"{head}; over the last quarter of {self.epochs} epochs {', '.join(self._facts())}"

    def _facts(self) -> Iterator[str]:
        assert self.loss_fall is not None
        yield f"the loss {'fell' if self.loss_fall >= 0 else 'rose'} by {abs(self.loss_fall):.1f} % of its fall before"
        if self.dev_rise is not None:
            yield f"relation F1 of dev {'rose' if self.dev_rise >= 0 else 'fell'} by {abs(self.dev_rise):.1f}"
        if self.moved is not None and self.moved >= MOVED:
            yield f"a weight of the losses still moved by {self.moved:.0f} %"


def convergence_of(folder: Path) -> Convergence | None:
    """Return what the history of a run folder says; None for a folder without one.

    Raises:
        CmanError: see `read_convergence`.
    """
    return read_convergence(folder / "history.csv") if (folder / "history.csv").is_file() else None


def read_convergence(history: Path) -> Convergence:
    """Return what a `history.csv` says.

    Raises:
        CmanError: it is missing, has no epoch, or has a figure that is no number.
    """
    rows = list(csv.DictReader(read_text(history).splitlines()))
    if not rows or "stage" not in rows[0]:
        raise CmanError(f"{history}: found no epoch, wanted the history of a training")
    try:
        return convergence(rows)
    except (TypeError, ValueError) as error:
        raise CmanError(
            f"{history}: found a figure that is no number ({error}), wanted a history of a training"
        ) from None


def convergence(rows: Sequence[Row]) -> Convergence:
    """Return what the rows of a history say, one an epoch, of one stage or of two."""
    kept = [row for row in rows if row["stage"] == rows[-1]["stage"]]  # with two, dev is of the first
    losses = [sum(each) for row in kept if (each := _column(row, "loss_"))]
    loss = _last_quarter(losses)
    scored = [float(row["dev_relation_f1"]) for row in rows if _given(row.get("dev_relation_f1"))]
    dev = _last_quarter(scored)
    weights = list(zip(*([math.exp(-s) for s in _column(row, "log_variance_")] for row in kept), strict=True))
    changes = [change for each in weights if (change := _last_quarter(each)) is not None]
    return Convergence(
        epochs=len(kept),
        loss_fall=None if loss is None else -100 * loss[1] / max(losses[0] - loss[0], 1e-12),
        dev_rise=None if dev is None else dev[1],
        moved=max((abs(100 * change / begin) for begin, change in changes), default=None),
        dev_f1=scored[-1] if scored else None,
        loss_rise=0.0 if loss is None else 100 * (sum(loss) - min(losses)) / max(losses[0] - min(losses), 1e-12),
    )


def _given(value: str | None) -> bool:
    return value not in (None, "", "nan")


def _column(row: Row, prefix: str) -> list[float]:
    return [float(value) for name, value in row.items() if name.startswith(prefix) and _given(value)]


def _last_quarter(values: Sequence[float]) -> tuple[float, float] | None:
    """Return where the line through the last quarter begins and how far it goes; None for too few values."""
    last = np.array(values[-max(FEWEST, math.ceil(len(values) / SHARE)) :], dtype=np.float64)
    if len(values) < SHARE * FEWEST:
        return None
    slope, begin = np.polyfit(np.arange(len(last)), last, 1)
    return float(begin), float(slope * (len(last) - 1))
