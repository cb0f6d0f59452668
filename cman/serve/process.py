"""The model in a process of its own, which can be ended at any moment: what it computes cannot hold up the server.

A thread that computes cannot be stopped, and a library that holds the interpreter stops every other thread. So the
server's own process does not know the model: it sends texts through a pipe and waits for the answer as long as it may.
A process that runs out of time, or that the system ends for want of memory, is replaced, and the next request waits
until the new one has loaded the model.
"""

import logging
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from cman.errors import CmanError, UsageError
from cman.extract.sentences import Given

log = logging.getLogger("cman")

Answers = list[dict[str, Any]]  # of each text, as `to_json` gives it


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

    def read(self, givens: Sequence[Given], threshold: float | None = None) -> Sequence[Found]:
        """Return what each text holds, at a least confidence in the place of the model's."""
        ...


class EndedError(Exception):
    """The process came to its end while it computed."""


class ModelProcess:
    """A process that holds an extractor; for one thread at a time.

    Args:
        load: gives the extractor, in the new process; it is pickled.

    Raises:
        CmanError, UsageError: what `load` raised.
    """

    def __init__(self, load: Callable[[], TextExtractor]) -> None:
        self._load = load
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._ready = False
        self._closed = False
        self.ready()

    def ready(self) -> None:
        """Wait until the process has loaded the model; start one if there is none.

        Raises:
            CmanError, UsageError: what `load` raised.
        """
        if self._pipe is None:
            self._start()
        if self._ready:
            return
        assert self._pipe is not None
        try:
            known = _result(self._pipe.recv())
            self.entity_types, self.relation_types, self._description = known
            self._ready = True
        except (EOFError, OSError):
            self._pipe = None
            raise CmanError("the model's process ended while it loaded the model") from None
        except Exception:
            self._pipe = None
            raise

    def describe(self) -> dict[str, Any]:
        """Return what the page's header says of the model."""
        description: dict[str, Any] = self._description
        return description

    @property
    def loaded(self) -> bool:
        """Whether the process has loaded the model and read a first sentence with it."""
        return self._ready

    def answers(self, givens: Sequence[Given], threshold: float | None, seconds: float) -> Answers:
        """Return what each text holds.

        Raises:
            TimeoutError: there was no answer within `seconds`; the process is ended and replaced.
            EndedError: the process came to an end by itself; it is replaced.
            Exception: what the extractor raised, by its sentence.
        """
        self.ready()
        assert self._pipe is not None
        try:
            self._pipe.send((givens, threshold))
            message = self._pipe.recv() if self._pipe.poll(seconds) else None
        except (EOFError, OSError):
            self._replace()
            raise EndedError from None
        if message is None:
            self._replace()
            raise TimeoutError
        answers: Answers = _result(message)
        return answers

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        if self._process is not None:
            self._process.kill()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, inner = context.Pipe()
        self._process = context.Process(target=_serve, args=(inner, self._load), name="cman-model", daemon=True)
        self._process.start()
        inner.close()
        self._ready = False

    def _replace(self) -> None:
        assert self._process is not None and self._pipe is not None
        self._process.kill()
        self._process.join()
        self._pipe.close()
        if not self._closed:
            log.warning("the model's process was ended; a new one loads the model")
            self._start()


class Inside:
    """An extractor in this very process, where nothing can end it: for tests and for trusted short texts."""

    loaded = True

    def __init__(self, extractor: TextExtractor) -> None:
        self._extractor = extractor
        self.entity_types, self.relation_types = extractor.entity_types, extractor.relation_types
        self.describe = extractor.describe

    def answers(self, givens: Sequence[Given], threshold: float | None, seconds: float) -> Answers:
        """Return what each text holds, however long it takes."""
        return [found.to_json() for found in self._extractor.read(givens, threshold)]

    def ready(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _result(message: tuple[str, Any]) -> Any:
    kind, value = message
    if kind == "done":
        return value
    raise {"usage": UsageError, "sentence": CmanError}.get(kind, RuntimeError)(value)


def _serve(pipe: Connection, load: Callable[[], TextExtractor]) -> None:
    """Load the model and answer until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; the server ends this one
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    log.setLevel(logging.INFO)
    try:
        extractor = _tell(pipe, partial(_warm, load), lambda it: (it.entity_types, it.relation_types, it.describe()))
        while extractor is not None:
            givens, threshold = pipe.recv()
            _tell(pipe, partial(extractor.read, givens, threshold), lambda found: [each.to_json() for each in found])
    except (EOFError, OSError):
        return


def _warm(load: Callable[[], TextExtractor]) -> TextExtractor:
    """Return the extractor after its first sentence, which takes longer than the next ones."""
    extractor = load()
    extractor.read([Given("1", "Nobody waits for this sentence.")])
    return extractor


def _tell(pipe: Connection, work: Callable[[], Any], shown: Callable[[Any], Any]) -> Any:
    """Send what is to be shown of a result, or why there is none; return the result."""
    result = None
    try:
        result = work()
        message = "done", shown(result)
    except CmanError as error:
        message = "usage" if isinstance(error, UsageError) else "sentence", str(error)
    except Exception as error:
        log.exception("error: the model failed")
        message = "failure", f"{type(error).__name__}: {error}"
    pipe.send(message)
    return result if message[0] == "done" else None
