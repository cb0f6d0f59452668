"""One thread that runs the model, and the bounded queue before it.

A model is not for several threads at once, so requests are computed in turn. What gave up while it waited (time-out,
closed connection) leaves the queue and is never computed; what is being computed cannot be stopped, its result is
dropped. Functions of `Worker` are called from the event loop.
"""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

log = logging.getLogger("cman")


class Found(Protocol):
    """What the model found in one text."""

    def to_json(self) -> dict[str, Any]:
        """Return id, text, entities and relations."""
        ...


class TextExtractor(Protocol):
    """What the server needs of an extractor."""

    @property
    def entity_types(self) -> tuple[str, ...]: ...

    @property
    def relation_types(self) -> tuple[str, ...]: ...

    def describe(self) -> dict[str, Any]:
        """Return what the page's header says of the model."""
        ...

    def batch(self, texts: list[str]) -> Sequence[Found]:
        """Return what each text holds."""
        ...


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
        extractor: the model.
        max_waiting: requests that may wait while one is computed.
        timeout: seconds from the arrival of a request to its result.
    """

    def __init__(self, extractor: TextExtractor, max_waiting: int, timeout: float) -> None:
        self.extractor, self.max_waiting, self.timeout = extractor, max_waiting, timeout
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
        job = _Job(texts, loop, loop.create_future())
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

    def _retry_after(self) -> int:
        return max(1, math.ceil(min(self._seconds * (len(self._waiting) + 1), self.timeout)))

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = False
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                job = self._waiting.popleft()
                self._running = True
            start = time.monotonic()
            try:
                result = [found.to_json() for found in self.extractor.batch(job.texts)]
            except BaseException as error:  # whatever it is, the thread lives on and the asker is told
                job.settle(None, error if isinstance(error, Exception) else RuntimeError(repr(error)))
            else:
                job.settle(result, None)
            self._seconds = time.monotonic() - start
            del job  # its texts are not kept while waiting for the next
