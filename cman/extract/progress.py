"""How far an extraction is: a bar with rate and time left on a terminal, a line now and then in a log."""

import logging
import sys
import time
from types import TracebackType
from typing import Any

log = logging.getLogger(__name__)

SECONDS_A_LINE = 15


class Progress:
    """Reports bytes of the input, of which there are `total` if that is known, and counts documents and sentences."""

    def __init__(self, total: int | None, done: int = 0) -> None:
        self.total, self.first, self.done = total, done, done
        self.documents = self.sentences = 0
        self.started = self.reported = time.monotonic()
        self._bar: Any = None
        if sys.stderr is not None and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.description}"))
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=total, completed=done)

    def __enter__(self) -> "Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def add(self, documents: int, sentences: int, done: int) -> None:
        """Count a chunk; `done` is the position in the input after it."""
        self.documents, self.sentences, self.done = self.documents + documents, self.sentences + sentences, done
        if self._bar is not None:
            self._bar.update(self._task, completed=done, description=self.rate)
        elif time.monotonic() - self.reported >= SECONDS_A_LINE:
            self.reported = time.monotonic()
            log.info("%d documents, %s%s", self.documents, self.rate, self._left())

    @property
    def rate(self) -> str:
        """Sentences a second since the start."""
        return f"{self.sentences / max(time.monotonic() - self.started, 1e-9):,.0f} sentences/s"

    def _left(self) -> str:
        new = self.done - self.first
        if not self.total or not new:
            return ""
        seconds = (time.monotonic() - self.started) * (self.total - self.done) / new
        return f", {100 * self.done / self.total:.0f} %, {seconds / 60:.0f} min left"
