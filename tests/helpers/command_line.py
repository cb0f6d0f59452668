"""A call of `cman` in a folder of its own: what it printed and how it ended, and a configuration to call it with."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from cman.cli.app import app
from cman.corpora.document import Document, Entity, Relation, write_documents

SAMPLE = {"format": "conll04-sample", "sentences": {"train": 12, "dev": 3, "test": 3}}
MINE = {"format": "jsonl", "paths": {"train": "train.jsonl", "dev": "dev.jsonl", "test": "test.jsonl"}}
GOLD = Document("1", ("Ada", "of", "Orm"), (Entity("Peop", 0, 1), Entity("Loc", 2, 3)), (Relation("Live_In", 0, 1),))


class Result(NamedTuple):
    """What a call printed, and how it ended."""

    status: int
    out: str
    error: str


def cman(*arguments: object, given: str | bytes | None = None) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)
    return Result(result.exit_code, plain(result.stdout), plain(result.stderr))


def plain(text: str) -> str:
    """Without colours, which some environments force."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def sentence(result: Result, status: int) -> str:
    """The one line that an error is."""
    lines = result.error.splitlines()
    assert (result.status, result.out, len(lines)) == (status, "", 1), result.error
    assert lines[0].startswith("error: ")
    return lines[0]


def configuration(path: Path = Path("configuration.json"), **changes: Any) -> Path:
    path.write_text(json.dumps({"corpora": {"s": SAMPLE, "mine": MINE}, **changes}))
    return path


def predicted() -> tuple[Path, Path]:
    """Gold and predicted documents: one entity of two is right, the relation is not."""
    wrong = Document("1", GOLD.tokens, (Entity("Peop", 0, 1, 0.9), Entity("Org", 2, 3, 0.8)), ())
    write_documents(Path("gold.jsonl"), [GOLD])
    write_documents(Path("predicted.jsonl"), [wrong])
    return Path("gold.jsonl"), Path("predicted.jsonl")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of a module that imports this run in an empty folder each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CMAN_MIRROR", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
