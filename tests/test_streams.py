"""Standard streams that are closed, full or not UTF-8: one sentence with the stream's name, and no traceback."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import cman, configuration, empty_folder, predicted, sentence  # noqa: F401

from cman.streams import Bar

SCORE = "score --gold gold.jsonl --predictions predicted.jsonl"
FULL = "No space left on device"
CASES = [  # what a shell is given; exit status, standard output, standard error
    ("config --config - --corpus s <&-", 2, "", "error: standard input: is closed, wanted an open stream"),
    (f"{SCORE} >&-", 1, "", "error: standard output: is closed, wanted an open stream"),
    (f"{SCORE} > /dev/full", 1, "", f"error: standard output: {FULL}"),
    (f"{SCORE} --log /dev/full", 1, None, f"error: /dev/full: {FULL}"),
    (f"{SCORE} --output scores.json --log log.txt <&- >&- 2>&-", 0, "", ""),
    ("score --gold nothing.jsonl --predictions predicted.jsonl 2>&-", 1, "error: nothing.jsonl: cannot be read", ""),
    ("score --help > /dev/full", 1, "", f"error: standard output: {FULL}"),
]


def start(command: str, **environment: str) -> "subprocess.Popen[str]":
    shell = f"{sys.executable} -m cman {command}"
    return subprocess.Popen(["bash", "-c", shell], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=os.environ | environment, encoding="utf-8")  # fmt: skip


@pytest.mark.slow
def test_each_stream_that_is_missing_or_full_is_told_once_by_its_name():
    configuration()
    predicted()
    for command, status, out, error in CASES:
        process = start(command)
        said = process.communicate()
        assert process.returncode == status, (command, said)
        assert "Traceback" not in "".join(said) and "Exception ignored" not in said[1], (command, said)
        assert out is None or (said[0].startswith(out) and bool(said[0]) == bool(out)), (command, said)
        assert error in said[1] and bool(said[1]) == bool(error) and said[1].count(FULL) <= 1, (command, said)
    assert json.loads(Path("scores.json").read_text())["documents"] == 1
    assert "entities" in Path("log.txt").read_text()  # and the numbers of the closed streams went to no file


def test_output_is_utf8_whatever_the_encoding_of_the_terminal():
    Path("Łódź.jsonl").write_text("{")
    said = start("score --gold Łódź.jsonl --predictions x", PYTHONIOENCODING="ascii", LC_ALL="C").communicate()
    assert said[1].startswith("error: Łódź.jsonl: line 1")


def test_a_full_disk_is_told_with_the_name_of_the_file_by_every_verb_that_writes_one():
    path = configuration()
    gold, found = predicted()
    for command in (("score", "--gold", gold, "--predictions", found), ("config", "--config", path, "--corpus", "s"),
                    ("convert", "--from", "jsonl", "--to", "spert", "--input", gold)):  # fmt: skip
        assert sentence(cman(*command, "--output", "/dev/full"), 1) == f"error: /dev/full: {FULL}"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_says_how_far_it_is_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shown in ((Terminal(), True), (io.StringIO(), False), (None, False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with Bar(10) as bar:
            assert bar.update(5, "half of it") is shown
            with bar.aside():
                pass
        assert stream is None or ("half of it" in stream.getvalue()) is shown
