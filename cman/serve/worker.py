"""One thread that asks the model, and the bounded queue before it.

A model is not for several threads at once, so requests are computed in turn. What gave up while it waited (time-out,
closed connection) leaves the queue and is never computed; what is being computed is ended when its time is over, or
`GRACE` seconds after it began if it waited that long. Functions of `Worker` are called from the event loop.
"""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from cman.serve.process import Inside, ModelProcess

log = logging.getLogger("cman")

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
    texts: list[str]
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
        self._seconds = 1.0  # of the last request, for the guess of `Retry-After`
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

    async def extract(self, texts: list[str]) -> list[dict[str, Any]]:
        """Return the result of each text, as `to_json` gives it.

        Raises:
            QueueFullError, ClosedError: the request was not accepted.
            TimeoutError: no result in time.
            Exception: whatever the extractor raised.
        """
        loop = asyncio.get_running_loop()
        job = _Job(texts, loop, loop.create_future(), time.monotonic() + self.timeout)
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
                job = self._waiting.popleft()
                self._running = True
            start = time.monotonic()
            try:
                result = self.model.answers(job.texts, max(job.deadline - start, min(self.timeout, GRACE)))
            except BaseException as error:  # whatever it is, the thread lives on and the asker is told
                job.settle(None, error if isinstance(error, Exception) else RuntimeError(repr(error)))
            else:
                job.settle(result, None)
            self._seconds = time.monotonic() - start
            del job  # its texts are not kept while waiting for the next

    def _wait_for_model(self) -> None:
        """Wait before a request is taken from the queue, where it can still give up."""
        try:
            self.model.ready()
        except Exception as error:
            log.error("error: %s", error)  # the next request starts the model again, and is told why it cannot
