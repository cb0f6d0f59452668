"""One input in several commands: every document once, ids of the whole, and merged the very same bytes."""

import gzip
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from cman.cli.app import app
from cman.extract import shards as module
from cman.extract.shards import Shard

RUNNER = CliRunner()
WORDS = [
    "Ada",
    "Lovelace",
    "lives",
    "in",
    "London",
    "and",
    "Charles",
    "Babbage",
    "works",
    "for",
    "the",
    "Royal",
    "Society",
    "in",
    "Cambridge",
    "today",
]


def run(*arguments: object, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["extract", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def sentence(number: int) -> str:
    return " ".join(WORDS[: 3 + number * 7 % 13]) + f" {number}."


def make(folder: Path, name: str) -> Path:
    lines = [sentence(number) for number in range(80)]
    text = "\n".join([*lines[:40], "", *lines[40:]]) + "\n"
    path = folder / name
    if name == "in.txt":
        path.write_bytes(text.encode() + b"\xff bad\n")
    elif name == "in.txt.gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif name == "in.parquet":
        pyarrow.parquet.write_table(pyarrow.table({"text": lines}), path)
    elif name == "in.csv":
        path.write_text("text\n" + "\n".join(lines) + "\n")
    else:
        path.mkdir()
        for number in range(9):
            (path / f"{number}.txt").write_text("\n".join(lines[number * 8 : number * 9]) + "\n")
    return path


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALLEST", 256)
    monkeypatch.setattr(module, "BLOCKS", 4)
    monkeypatch.setattr(module, "ROWS", 8)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "form", "counts", "more"), [
    ("in.txt", "jsonl", (1, 2, 7), ()), ("in.txt", "csv", (2,), ("--documents", "paragraph")),
    ("in.txt.gz", "jsonl", (2,), ()), ("in.csv", "parquet", (2,), ()), ("in.parquet", "ntriples", (2,), ()),
    ("folder", "jsonl", (7,), ()),
])  # fmt: skip
def test_merged_shards_are_what_one_command_writes_byte_for_byte(model, tmp_path, name, form, counts, more):
    path = make(tmp_path, name)
    code = int(name == "in.txt")
    options = ("--model", model, "--input", path, "--format", form, "--threads", 1, "--threshold", 0.05, *more)
    run(*options, "--output", tmp_path / f"whole.{form}", code=code)
    names = [f"whole.{form}", *([f"whole.entities.{form}"] if form == "csv" else [])]
    for count in counts:
        folder = tmp_path / str(count)
        sizes = []
        for index in range(count):
            result = RUNNER.invoke(app, ["extract", *map(str, (*options, "--shard", f"{index}/{count}", "--output",
                                                               folder / f"whole.{form}"))])  # fmt: skip
            assert result.exit_code in (0, code), result.output
            sizes.append((folder / f"whole-{index:05}-of-{count:05}.{form}").stat().st_size)
        assert f"{count} shards" in run("--merge", "--output", folder / f"whole.{form}", "--format", form)
        for each in names:
            assert (folder / each).read_bytes() == (tmp_path / each).read_bytes(), (count, each)
        assert count == 1 or sum(size > min(sizes) for size in sizes) > 0, "the work is divided"
        if code:
            errors = [where / f"whole.{form}.errors.jsonl" for where in (tmp_path, folder)]
            assert errors[0].read_bytes() == errors[1].read_bytes()


def test_shards_that_are_missing_unfinished_or_of_two_divisions_are_not_merged(tmp_path):
    target = tmp_path / "o.jsonl"
    assert "found the shards none" in run("--merge", "--output", target, code=1)
    for index in (0, 2):
        Shard(index, 3).output(target).write_text("")
    assert "o-00001-of-00003.jsonl: found no such file" in run("--merge", "--output", target, code=1)
    Shard(1, 3).output(target).write_text("")
    (tmp_path / "o-00001-of-00003.jsonl.partial.json").write_text("")
    assert "a run that is not finished" in run("--merge", "--output", target, code=1)
    Shard(0, 2).output(target).write_text("")
    assert "found the shards of 2, of 3" in run("--merge", "--output", target, code=1)
    assert not target.exists()


def test_what_is_no_shard_or_cannot_be_divided_is_wrong_use(model, tmp_path):
    (tmp_path / "a.txt").write_text("Ada.\n")
    given = ("--model", model, "--input", tmp_path / "a.txt", "--output", tmp_path / "o")
    for more, said in (
        (("--shard", "16/16"), "found '16/16', wanted 0/16 to 15/16, counted from 0"),
        (("--shard", "x"), "wanted 0/16 to 15/16"),
        (("--shard", "0/2", "--format", "graph"), "nodes are those of the whole input"),
    ):
        assert said in run(*given, *more, code=2)
    assert "--shard: found standard output" in run(*given[:4], "--shard", "0/2", code=2)
    assert "--shard: found -" in run("--model", model, "--output", tmp_path / "o", "--shard", "0/2", code=2)
