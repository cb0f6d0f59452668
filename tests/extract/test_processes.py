"""One extractor in several threads and processes: a forked one, a spawned one, one that unpickles it."""

import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cman import Extractor

TEXTS = [f"Ada {number} lives in London. Charles Babbage lives in Cambridge." for number in range(6)]


@pytest.fixture(scope="module")
def extractor(model: Path) -> Extractor:
    used = Extractor.load(model, device="cpu", threads=2)
    used(TEXTS[0])  # its threads are there now
    return used


def found(extractor: Extractor) -> list[Any]:
    return [each.to_json() for each in extractor.batch(TEXTS)]


def test_a_forked_child_answers_after_its_parent_used_the_extractor(extractor: Extractor) -> None:
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writer, pickle.dumps(found(extractor)))
        finally:
            os._exit(0)
    os.close(writer)
    killer = threading.Timer(60, os.kill, (child, 9))
    killer.start()
    with os.fdopen(reader, "rb") as stream:
        content = stream.read()
    os.waitpid(child, 0)
    killer.cancel()
    assert content and pickle.loads(content) == found(extractor)


def test_a_pickled_extractor_is_the_same_one(extractor: Extractor) -> None:
    again = pickle.loads(pickle.dumps(extractor))
    assert found(again) == found(extractor) != []
    assert again.entity_types == extractor.entity_types


@pytest.mark.slow
def test_a_spawned_process_takes_an_extractor(extractor: Extractor) -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(found, extractor).result(timeout=120) == found(extractor)


def test_threads_take_turns(extractor: Extractor) -> None:
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: found(extractor), range(6)))
    assert all(result == results[0] for result in results)
