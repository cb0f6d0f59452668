"""The model's process: whatever a text does to it, the server answers, and the next text is read."""

import threading
import time
from collections.abc import Iterator

import httpx
import pytest

pytest.importorskip("fastapi")
from fake_extractor import FakeExtractor
from served import Served, request, served

from cman.errors import CmanError, UsageError
from cman.extract.sentences import Given
from cman.serve.process import EndedError, ModelProcess

TEXT = {"text": "Ada lives in London"}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(timeout=1.5) as running:
        yield running


def lives(server: Served) -> bool:
    for _ in range(20):  # a new process may load the model yet
        answer = httpx.post(server.address + "extract", json=TEXT, timeout=30)
        if answer.status_code == 200:
            return len(answer.json()["entities"]) == 2
    return False


def test_a_text_that_holds_the_interpreter_for_ever_costs_its_own_answer_and_nothing_else(server):
    waits: list[float] = []
    done = threading.Event()

    def watch() -> None:
        with httpx.Client(timeout=30) as client:
            while not done.wait(0.1):
                start = time.monotonic()
                assert client.get(server.address + "health").status_code == 200
                waits.append(time.monotonic() - start)

    assert lives(server)  # its start is not what is measured
    watcher = threading.Thread(target=watch)
    watcher.start()
    trickling = [server.connect() for _ in range(50)]
    for connection in trickling:
        connection.sendall(request("Content-Length: 99", body=b'{"te'))
    try:
        assert lives(server)
        hung = httpx.post(server.address + "extract", json={"text": "hang"}, timeout=30)
        assert hung.status_code == 504 and "no result within 1.5 s" in hung.json()["error"]
        assert lives(server)
    finally:
        done.set()
        watcher.join()
        for connection in trickling:
            connection.close()
    assert len(waits) > 5 and max(waits) < 1, max(waits)


def test_a_process_that_the_system_ends_is_answered_in_a_sentence_and_replaced(server):
    ended = httpx.post(server.address + "extract", json={"text": "die"}, timeout=30)
    assert ended.status_code == 413 and "want of memory" in ended.json()["error"]
    assert lives(server)


def test_a_model_that_cannot_be_loaded_says_why():
    for load, kind, sentence in (
        (no_model, CmanError, "m: found no model"),
        (no_language, UsageError, "language: found 'zz'"),
        (nothing, CmanError, "ended while it loaded the model"),
        (broken, RuntimeError, "ZeroDivisionError"),
    ):
        with pytest.raises(kind, match=sentence):
            ModelProcess(load)


def test_what_the_extractor_raises_is_raised_here_and_its_end_is_told():
    process = ModelProcess(FakeExtractor)

    def answers(*texts: str, seconds: float = 20):
        return process.answers([Given(text, text) for text in texts], None, seconds)

    try:
        assert process.loaded
        assert process.entity_types == FakeExtractor.entity_types and process.describe()["corpus"] == "conll04"
        assert [each["text"] for each in answers("Ada", "Bo")] == ["Ada", "Bo"]
        with pytest.raises(CmanError, match="found no sentence"):
            answers("unreadable")
        with pytest.raises(RuntimeError, match="ZeroDivisionError: secret words"):
            answers("break")
        with pytest.raises(TimeoutError):
            answers("hang", seconds=0.2)
        assert not process.loaded
        with pytest.raises(EndedError):
            answers("die")
        assert answers("Ada")
    finally:
        process.close()


def no_model() -> FakeExtractor:
    raise CmanError("m: found no model")


def no_language() -> FakeExtractor:
    raise UsageError("language: found 'zz'")


def nothing() -> FakeExtractor:
    raise SystemExit(3)


def broken() -> FakeExtractor:
    raise ZeroDivisionError
