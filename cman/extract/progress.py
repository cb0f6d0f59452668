"""How far an extraction is: a bar with rate and time left on a terminal, a line now and then in a log."""

import logging
import time
from types import TracebackType

from cman.streams import Bar

log = logging.getLogger(__name__)

SECONDS_A_LINE = 15


class Progress:
    """Reports bytes of the input, of which there are `total` if that is known, and counts documents and sentences."""

    def __init__(self, total: int | None, done: int = 0) -> None:
        self.total, self.first, self.done = total, done, done
        self.documents = self.sentences = 0
        self.started = self.reported = time.monotonic()
        self._bar = Bar(total, done)

    def __enter__(self) -> "Progress":
        self._bar.__enter__()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(error_type, error, trace)

    def add(self, documents: int, sentences: int, done: int) -> None:
        """Count a chunk; `done` is the position in the input after it."""
        self.documents, self.sentences, self.done = self.documents + documents, self.sentences + sentences, done
        how_far = f"{self.rate}{self._left()}"
        if not self._bar.update(done, how_far) and time.monotonic() - self.reported >= SECONDS_A_LINE:
            self.reported = time.monotonic()
            log.info("%d documents, %s", self.documents, how_far)

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
