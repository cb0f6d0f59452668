"""Files of texts: whole lines, failed documents, stopping and going on, other formats."""

import csv
import json
import os
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import warm
from full_disk import room_for
from typer.testing import CliRunner

from cman.cli.app import app
from cman.extract import run as run_module
from cman.extract.partial import Partial
from cman.lock import locked

RUNNER = CliRunner()
SENTENCE = "Ada Lovelace lives in London and Charles Babbage in Cambridge ."


def run(*arguments: object, code: int = 0, given: bytes | None = None) -> str:
    result = RUNNER.invoke(app, ["extract", *map(str, arguments)], input=given)
    assert result.exit_code == code, result.output
    return result.output


def test_each_line_of_text_is_a_document_with_its_number(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(f"\ufeff{SENTENCE}\r\n\n{SENTENCE}".encode())
    run("--model", model, "--input", tmp_path / "in.txt", "--output", tmp_path / "out.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(line["id"], line["text"]) for line in lines] == [("1", SENTENCE), ("2", ""), ("3", SENTENCE)]
    assert lines[0]["entities"] and lines[0]["entities"] == lines[2]["entities"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out.jsonl"]


def test_what_cannot_be_read_is_reported_with_its_id_and_the_rest_goes_on(model: Path, tmp_path: Path) -> None:
    lines = [b'{"id": "a", "text": "Ada ."}', b'{"id": "b", "tokens": []}', b"{", b"\xff", b"[1]",
             b'{"id": 7, "tokens": ["Ada", "x y"], "entities": []}', b'{"id": "c", "text": "\\ud800"}', b"",
             b'{"id": "d", "text": "' + b"x" * 300 + b'"}', b'{"id": "e", "text": ""}']  # fmt: skip
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(lines))
    out, errors = tmp_path / "out.jsonl", tmp_path / "out.jsonl.errors.jsonl"
    message = run("--model", model, "--input", tmp_path / "in.jsonl", "--output", out, "--max-characters", 200, code=1)
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["a", "7", "e"]
    failed = [json.loads(line) for line in errors.read_text().splitlines()]
    where = [(each["line"], each["id"]) for each in failed]
    assert where == [(2, "b"), (3, "3"), (4, "4"), (5, "5"), (7, "c"), (9, "d")]
    assert "found a text of 300 characters, wanted 200 at most" in failed[-1]["error"]
    assert "6 documents could not be processed" in message and str(errors) in message


def test_a_line_longer_than_memory_should_hold_is_passed_over(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"y" * 3_000_000 + b"\nAda .\n")
    run("--model", model, "--input", tmp_path / "in.txt", "--output", tmp_path / "o", "--max-characters", 10, code=1)
    assert json.loads((tmp_path / "o").read_text())["text"] == "Ada ."
    assert "found a line of 3000001 bytes" in (tmp_path / "o.errors.jsonl").read_text()


def test_standard_input_and_output_are_the_default(model: Path) -> None:
    lines = run("--model", model, given=f"{SENTENCE}\n".encode()).splitlines()
    assert json.loads(next(line for line in lines if line.startswith("{")))["text"] == SENTENCE


def test_csv_has_a_triple_a_row_and_parquet_what_jsonl_has(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(f"{SENTENCE}\n\n")
    for form in ("jsonl", "csv", "parquet"):
        files = ("--input", tmp_path / "in.txt", "--output", tmp_path / f"out.{form}", "--format", form)
        run("--model", model, *files, "--threshold", 0)
    values = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist() == values
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    first, entities = values[0]["relations"][0], values[0]["entities"]
    assert len(rows) == len(values[0]["relations"])
    assert (rows[0]["head"], rows[0]["relation"]) == (entities[first["head"]]["text"], first["type"])
    assert SENTENCE[int(rows[0]["tail_start"]) : int(rows[0]["tail_end"])] == rows[0]["tail"]


@pytest.mark.slow
def test_killed_half_way_and_resumed_it_ends_as_if_undisturbed(model: Path, tmp_path: Path) -> None:
    given = tmp_path / "in.jsonl"
    given.write_text("".join(
        f'{{"id": "{number}", "text": "{SENTENCE * (1 + number % 3)} {number}"}}\n' if number % 75 else "broken\n"
        for number in range(450)
    ))  # fmt: skip
    undisturbed = tmp_path / "undisturbed.jsonl"
    options = ("--model", model, "--input", given, "--threads", "1", "--output")
    run(*options, undisturbed, code=1)
    for attempt in range(10):  # on a busy machine it may have written all before it is killed
        half = tmp_path / f"half{attempt}.jsonl"
        partial = tmp_path / f"{half.name}.partial"
        command = [*warm.client(), "cman", "extract", *map(str, options), str(half)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        while process.poll() is None and not (partial.exists() and partial.stat().st_size):
            time.sleep(0.01)
        process.kill()
        process.communicate()
        written = partial.read_bytes() if partial.exists() else undisturbed.read_bytes()
        if len(written) < undisturbed.stat().st_size:
            break
    assert written and all(json.loads(line) for line in written.splitlines(keepends=True) if line.endswith(b"\n"))
    assert not half.exists() and len(written) < undisturbed.stat().st_size
    assert "wanted --resume" in run(*options, half, code=2)
    assert "not the same run" in run(*options, half, "--resume", "--threshold", "0.9", code=2)
    with partial.open("ab") as stream:
        stream.write(b'{"id": "torn')
    run(*options, half, "--resume", code=1)
    assert half.read_bytes() == undisturbed.read_bytes()
    errors = [path.with_name(f"{path.name}.errors.jsonl").read_bytes() for path in (half, undisturbed)]
    assert errors[0] == errors[1] and errors[0].count(b"\n") == 6
    assert not partial.exists()


def test_ctrl_c_says_how_many_documents_are_done_and_resume_comes_to_the_same_file(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.txt").write_text("".join(f"{SENTENCE} {number}\n" for number in range(10)))
    command = ("--model", model, "--input", tmp_path / "in.txt", "--threads", 1, "--output")
    monkeypatch.setattr(run_module, "DOCUMENTS_A_CHUNK", 3)
    run(*command, tmp_path / "undisturbed.jsonl")
    processed, calls = run_module._processed, []

    def interrupted(*arguments: Any) -> Any:
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return processed(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "_processed", interrupted)
        message = run(*command, tmp_path / "out.jsonl", code=1)
    assert "stopped after 6 documents, `--resume` goes on" in message and not (tmp_path / "out.jsonl").exists()
    assert "going on after 6 documents" in run(*command, tmp_path / "out.jsonl", "--resume")
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "undisturbed.jsonl").read_bytes()


def test_a_file_that_cannot_take_all_is_an_error_and_resumed_with_room_nothing_is_missing(
    model: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.txt").write_text(f"{SENTENCE}\n" * 40)
    command = ("--model", model, "--input", tmp_path / "in.txt", "--threads", 1, "--output")
    run(*command, tmp_path / "roomy.jsonl")
    with room_for((tmp_path / "roomy.jsonl").stat().st_size // 2):
        message = run(*command, tmp_path / "tight.jsonl", code=1)
    assert "tight.jsonl.partial: cannot be written (File too large)" in message
    assert not (tmp_path / "tight.jsonl").exists()
    run(*command, tmp_path / "tight.jsonl", "--resume")
    assert (tmp_path / "tight.jsonl").read_bytes() == (tmp_path / "roomy.jsonl").read_bytes()


def test_what_makes_no_sense_is_wrong_use(model: Path) -> None:
    for options, message in (
        (("--format", "xml"), "--format: found 'xml', wanted jsonl, csv, parquet"),
        (("--format", "parquet"), "found standard output, wanted a file"),
        (("--resume",), "--resume: found standard output, wanted a file"),
        (("--language", "zz"), "language: found 'zz'"),
        (("--input-format", "pdf"), "--input-format: found 'pdf'"),
    ):
        assert message in run("--model", model, *options, code=2, given=b"Ada\n")


def test_an_input_that_is_missing_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    message = run("--model", model, "--input", tmp_path / "no.txt", "--output", tmp_path / "o", code=1)
    assert "no.txt: found no file" in message and not list(tmp_path.iterdir())


def test_a_language_that_is_wrong_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("Ada\n")
    run("--model", model, "--input", tmp_path / "in.txt", "--output", tmp_path / "o", "--language", "zz", code=2)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def test_of_two_that_write_one_output_the_second_says_who_writes_it(model: Path, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text(f"{SENTENCE}\n")
    command = ("--model", model, "--input", tmp_path / "in.txt", "--output", tmp_path / "o", "--threads", 1)
    with locked(tmp_path / "o", "written"):
        for more in ((), ("--resume",)):
            assert f"o: is being written by process {os.getpid()} on" in run(*command, *more, code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]


def stopped(model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, at: tuple[object, str]) -> tuple[object, ...]:
    """Run an extraction that is killed at a call and return its command; `undisturbed` beside it is as it should be."""
    (folder / "in.txt").write_text(f"{SENTENCE}\n" * 3)
    command = ("--model", model, "--input", folder / "in.txt", "--threads", 1, "--output")
    run(*command, folder / "undisturbed")

    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*at, killed)
        RUNNER.invoke(app, ["extract", *map(str, (*command, folder / "o"))])
    return *command, folder / "o"


@pytest.mark.parametrize("more", [(), ("--resume",)], ids=str)
def test_a_run_killed_after_its_output_has_its_name_goes_on_with_and_without_resume(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    command = stopped(model, tmp_path, monkeypatch, at=(run_module, "sync"))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["in.txt", "o", "o.errors.jsonl", "o.partial.json", "undisturbed"]
    run(*command, *more)
    assert (tmp_path / "o").read_bytes() == (tmp_path / "undisturbed").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "o", "undisturbed"]


def test_what_a_stopped_run_left_is_resumed_only_as_it_was_written(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = stopped(model, tmp_path, monkeypatch, at=(Partial, "finish"))
    lines, mark = tmp_path / "o.partial", tmp_path / "o.partial.json"
    for path in (lines, mark):
        content = path.read_bytes()
        for damaged in (content[: len(content) // 2], content[:40] + bytes([content[40] ^ 1]) + content[41:]):
            path.write_bytes(damaged)
            message = run(*command, "--resume", code=1)
            assert str(path) in message and not (tmp_path / "o").exists(), message
        path.write_bytes(content)
    run(*command, "--resume")
    assert (tmp_path / "o").read_bytes() == (tmp_path / "undisturbed").read_bytes()


def test_an_output_that_is_not_all_that_was_written_gets_no_name(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.txt").write_text(f"{SENTENCE}\n" * 3)
    saved = Partial._save

    def lossy(partial: Partial) -> None:
        saved(partial)
        with partial.lines.path.open("r+b") as stream:
            stream.truncate(max(partial.lines.extent.size - 1, 0))

    monkeypatch.setattr(Partial, "_save", lossy)
    message = run("--model", model, "--input", tmp_path / "in.txt", "--output", tmp_path / "o", code=1)
    assert "o.partial: found" in message and "wanted the" in message and not (tmp_path / "o").exists()


def test_a_pipe_is_read_a_device_is_written_through_and_a_link_is_followed(model: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text(f"{SENTENCE}\n"))
    writer.start()
    (tmp_path / "there").mkdir()
    (tmp_path / "o").symlink_to(Path("there") / "o")
    command = ("--model", model, "--threads", 1, "--input")
    run(*command, tmp_path / "pipe", "--output", tmp_path / "o")
    writer.join()
    assert (tmp_path / "o").is_symlink() and json.loads((tmp_path / "there" / "o").read_text())["text"] == SENTENCE
    for form in ("jsonl", "csv"):
        run(*command, tmp_path / "there" / "o", "--output", "/dev/null", "--format", form, "--input-format", "jsonl")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    message = run(*command, tmp_path / "there" / "o", "--output", "/dev/full", "--input-format", "jsonl", code=1)
    assert "error: /dev/full: No space left on device" in message
    for options in (("--resume",), ("--errors", tmp_path / "e"), ("--format", "parquet")):
        assert "found /dev/null" in run(*command, tmp_path / "o", "--output", "/dev/null", *options, code=2)
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["o"]


def test_a_chunk_is_bounded_by_characters_where_texts_have_no_tokens(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cman.extract.shards.SMALLEST", 1 << 30)  # one block: nothing else ends a chunk
    sizes: list[int] = []
    processed = run_module._processed
    monkeypatch.setattr(run_module, "_processed", lambda *args: sizes.append(len(args[1])) or processed(*args))
    (tmp_path / "in.txt").write_text((" " * 900_000 + "\n") * 7)
    run("--model", model, "--input", tmp_path / "in.txt", "--output", tmp_path / "o")
    assert sizes == [3, 3, 1]
    assert (tmp_path / "o").read_text().count("\n") == 7
