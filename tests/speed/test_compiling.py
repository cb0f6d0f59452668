"""When the definition is compiled, and what is said when it is not."""

import os
from pathlib import Path

import pytest

from cman.speed import compiling
from cman.speed.compiling import CACHE, Compiler, attempt, fresh_cache
from cman.speed.memory import Job


def job(length: int, operation: str = "crf_decode") -> Job:
    return Job(operation, "", (2, length, 3))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lengths that were tried; from 10 on they fail."""
    lengths: list[int] = []

    def pretend(given: Job, limit: float) -> str | None:
        lengths.append(given.sizes[1])
        return f"compilation takes more than {limit:g} s" if given.sizes[1] >= 10 else None

    monkeypatch.setattr(compiling, "attempt", pretend)
    return lengths


def test_after_a_failure_longer_sentences_are_not_tried_but_shorter_ones_are(tried):
    compiler = Compiler(5)
    assert compiler.refusal(job(5)) is None
    assert compiler.refusal(job(10)) == "compilation takes more than 5 s"
    assert compiler.refusal(job(20)) == "at 2x10x3, compilation takes more than 5 s"
    assert compiler.refusal(job(9)) is None
    assert compiler.refusal(job(20, "crf_marginals")) == "compilation takes more than 5 s"
    assert tried == [5, 10, 9, 20]


def test_without_a_limit_nothing_is_tried(tried):
    assert Compiler(0).refusal(job(5)) == "--no-compile"
    assert tried == []


def test_a_compilation_is_ended_at_its_limit():
    assert attempt(job(400), 0.05) == "compilation takes more than 0.05 s"


def test_a_compilation_that_fails_is_told_in_its_own_words():
    assert attempt(job(4, "no_operation"), 60) == "compilation fails (KeyError: 'no_operation')"


def test_what_is_compiled_leaves_nothing_behind(monkeypatch):
    monkeypatch.delenv(CACHE, raising=False)
    with fresh_cache():
        folder = Path(os.environ[CACHE])
        assert folder.is_dir()
    assert CACHE not in os.environ
    assert not folder.exists()
