"""One thread that asks the model, and the bounded queue before it.

A model is not for several threads at once, so requests are computed in turn: all that wait with the same threshold in
one batch, and each alone if the batch fails, so that nobody pays for another's text. What gave up while it waited
(time-out, closed connection) leaves the queue and is never computed; what is being computed is ended when its time is
over, or `GRACE` seconds after it began if it waited that long. Functions of `Worker` are called from the event loop.
"""

import asyncio
import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cman.extract.sentences import Given
from cman.serve.process import Inside, ModelProcess

log = logging.getLogger("cman")

BATCH = 20_000  # characters of several requests together
GRACE = 2.0  # seconds; a text that takes less never costs a process


class QueueFullError(Exception):
    """As many requests wait as may; `retry_after` is a guess in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


class ClosedError(Exception):
    """The server is being stopped."""


@dataclass(eq=False)
class _Job:
    givens: Sequence[Given]
    threshold: float | None
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[dict[str, Any]]]
    deadline: float  # of `time.monotonic`

    def settle(self, result: list[dict[str, Any]] | None, error: BaseException | None) -> None:
        """Hand the outcome to the event loop, which may have stopped to wait, or be closed."""

        def hand_over() -> None:
            if self.future.done():
                return
            if error is None:
                self.future.set_result(result or [])
            else:
                self.future.set_exception(error)

        try:
            self.loop.call_soon_threadsafe(hand_over)
        except RuntimeError:  # the loop is closed: nobody waits
            log.debug("a result came after the end")


class Worker:
    """The queue and the thread; the thread starts with the first request.

    Args:
        model: what answers.
        max_waiting: requests that may wait while one is computed.
        timeout: seconds from the arrival of a request to its result.
    """

    def __init__(self, model: ModelProcess | Inside, max_waiting: int, timeout: float) -> None:
        self.model, self.max_waiting, self.timeout = model, max_waiting, timeout
        self._waiting: deque[_Job] = deque()
        self._running = False
        self._closed = False
        self._seconds = 1.0  # of the last batch, for the guess of `Retry-After`
        self.done = Counter[str]()  # since the start: batches, texts, characters
        self.busy = 0.0  # seconds
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @property
    def running(self) -> bool:
        """Whether the model computes."""
        return self._running

    async def extract(self, givens: Sequence[Given], threshold: float | None = None) -> list[dict[str, Any]]:
        """Return the result of each text, as `to_json` gives it.

        Raises:
            QueueFullError, ClosedError: the request was not accepted.
            TimeoutError: no result in time.
            Exception: whatever the extractor raised.
        """
        loop = asyncio.get_running_loop()
        job = _Job(givens, threshold, loop, loop.create_future(), time.monotonic() + self.timeout)
        with self._changed:
            if self._closed:
                raise ClosedError
            # A job that the thread has not taken yet counts as the running one, else a burst on an idle server
            # would be refused one request earlier or later by chance.
            if len(self._waiting) + self._running > self.max_waiting:
                raise QueueFullError(self._retry_after())
            self._waiting.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="cman-extract", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            async with asyncio.timeout(self.timeout):
                return await job.future
        finally:
            with self._changed:
                if job in self._waiting:
                    self._waiting.remove(job)

    def close(self) -> None:
        """Refuse new requests and those that wait; the one that is computed may end."""
        with self._changed:
            self._closed = True
            for job in self._waiting:
                job.settle(None, ClosedError())
            self._waiting.clear()
            self._changed.notify()

    def stop(self) -> None:
        """End the model, whatever it computes."""
        self.close()
        self.model.close()

    def _retry_after(self) -> int:
        return max(1, math.ceil(min(self._seconds * (len(self._waiting) + 1), self.timeout)))

    def _work(self) -> None:
        while True:
            self._running = False
            self._wait_for_model()
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                batch = self._batch()
                self._running = True
            if not self._compute(batch):
                for job in batch:
                    if not job.future.done():
                        self._compute([job])
            del batch  # its texts are not kept while waiting for the next

    def _batch(self) -> list[_Job]:
        """Take the first request from the queue, and with it others that have its threshold."""
        batch: list[_Job] = []
        characters = 0
        for job in tuple(self._waiting):
            characters += sum(len(given.text) for given in job.givens)
            if batch and characters > BATCH:
                break
            if not batch or job.threshold == batch[0].threshold:
                self._waiting.remove(job)
                batch.append(job)
        return batch

    def _compute(self, batch: list[_Job]) -> bool:
        """Compute requests together and hand over their results; return whether all have one, or an error of its own.

        The text of a batch at which the model fails is not known, so the failure of several requests is nobody's.
        """
        start = time.monotonic()
        seconds = max(min(job.deadline for job in batch) - start, min(self.timeout, GRACE))
        givens = [given for job in batch for given in job.givens]
        try:
            results = self.model.answers(givens, batch[0].threshold, seconds)
            for job in batch:
                job.settle(results[: len(job.givens)], None)
                del results[: len(job.givens)]
        except BaseException as error:  # whatever it is, the thread lives on and the asker is told
            if len(batch) > 1:
                return False
            batch[0].settle(None, error if isinstance(error, Exception) else RuntimeError(repr(error)))
        self._seconds = time.monotonic() - start
        self.done.update(batches=1, texts=len(givens), characters=sum(len(given.text) for given in givens))
        self.busy += self._seconds
        return True

    def _wait_for_model(self) -> None:
        """Wait before a request is taken from the queue, where it can still give up."""
        try:
            self.model.ready()
        except Exception as error:
            log.error("error: %s", error)  # the next request starts the model again, and is told why it cannot
