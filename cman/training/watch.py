"""How far a training is, for whoever waits: epoch i of n, the scores on dev, the time that is left.

A line an epoch goes to the log; on a terminal a bar stands below it. Before the first epoch has ended, its first
batches say about how long all of them will take. Nothing here changes what is trained.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

from cman.streams import Bar

log = logging.getLogger(__name__)

WARM = 2  # batches that are not counted: the first ones allocate
ESTIMATE = 12  # batches that an estimate is made from
SHOWN = ("loss_", "dev_")  # of an epoch's figures; history.csv has all
RECENT = 3  # epochs whose mean an epoch to come is expected to take


class Watch:
    """Reports one stage.

    Args:
        stage: its name.
        epochs: that it has, those before a restart as well.
        batches: of an epoch.
        following: epochs of the stages after it, at most.
        seconds: of each epoch that has ended; the loop appends to it.
    """

    def __init__(self, stage: str, epochs: int, batches: int, following: int, seconds: Sequence[float]) -> None:
        self.stage, self.epochs, self.batches, self.following, self.seconds = stage, epochs, batches, following, seconds
        self._before = len(seconds)
        self._began: float | None = None  # after the batches that are not counted
        self._batch = 0
        self._bar = Bar(epochs * batches, len(seconds) * batches)

    def __enter__(self) -> "Watch":
        self._bar.__enter__()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(error_type, error, trace)

    def batch(self) -> None:
        """Count a batch that was trained."""
        self._batch += 1
        done = len(self.seconds)
        if done == self._before:  # the first epoch of this process
            if self._batch == min(WARM, self.batches):
                self._began = time.monotonic()
            elif self._began is not None and self._batch == min(WARM + ESTIMATE, self.batches):
                epoch = (time.monotonic() - self._began) / (self._batch - min(WARM, self.batches)) * self.batches
                self._say(
                    "about %s an epoch and %s in all, by %d of %d batches",
                    *(duration(epoch), duration(epoch * self._epochs_left()), self._batch, self.batches),
                )
        left = self._left()
        words = f"{self.stage} epoch {done + 1} of {self.epochs}{', ' + left if left else ''}"
        self._bar.update(done * self.batches + self._batch, words)

    def epoch(self, figures: Mapping[str, float]) -> None:
        """Say what the epoch that has just ended came to."""
        self._batch = 0
        shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items() if name.startswith(SHOWN))
        left = self._left()
        ended = f"{self.seconds[-1]:.1f} s{', ' + left if left else ''}"
        self._say("%s epoch %d of %d: %s (%s)", self.stage, len(self.seconds), self.epochs, shown, ended)

    def _epochs_left(self) -> int:
        return self.epochs - len(self.seconds) + self.following

    def _left(self) -> str:
        if len(self.seconds) == self._before or not self._epochs_left():
            return ""
        recent = self.seconds[self._before :][-RECENT:]
        share = self._batch / self.batches  # of the epoch that runs
        return f"{duration(sum(recent) / len(recent) * max(self._epochs_left() - share, 0))} left"

    def _say(self, message: str, *values: object) -> None:
        with self._bar.aside():
            log.info(message, *values)


def duration(seconds: float) -> str:
    """Return a time as one says it: seconds below two minutes, minutes below two hours, then hours."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
