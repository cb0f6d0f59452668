"""`cman serve` as it is typed, around the fake extractor: what it prints, refuses, and how it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

pytest.importorskip("fastapi")
from cman.cli.app import app

HELPERS = Path(__file__).parents[1] / "helpers"
PROGRAM = """
import cman.cli.serve
from fake_extractor import load
cman.cli.serve._load = load
from cman.cli.app import app
app()
"""


@contextmanager
def typed(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, "serve", "--model", "folder", "--port", "0", *options]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HELPERS.parents[1]), str(HELPERS)])}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def end(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)
    assert process.returncode == 0, error
    return error


def test_it_prints_its_address_serves_with_the_given_limits_and_ends_quietly():
    with typed("--max-characters", "10", "--threads", "1", "--threshold", "0.5") as process:
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        assert httpx.get(address).text.startswith("<!doctype html>")
        assert httpx.post(address + "extract", json={"text": "Ada"}).json()["entities"][0]["text"] == "Ada"
        assert httpx.post(address + "extract", json={"text": "a" * 11}).status_code == 413
        assert httpx.get(address, headers={"host": "evil.example"}).status_code == 400
        assert end(process) == (
            "folder [('device', 'auto'), ('encoder', None), ('longest_sentence', 1000), ('precision', 'auto'), "
            "('threads', 1), ('threshold', 0.5), ('trust', False)]\n"
        )


def test_a_server_that_others_can_reach_warns():
    with typed("--host", "0.0.0.0") as process:
        port = process.stdout.readline().split()[0].rstrip("/").rpartition(":")[2]
        answer = httpx.get(f"http://127.0.0.1:{port}/health", headers={"host": "my.machine"})
        assert answer.status_code == 200
        assert "warning: --host 0.0.0.0: whoever reaches this machine" in end(process)


def test_without_the_extra_its_name_is_told(monkeypatch):
    ours = ("cman.serve.app", "cman.serve.server")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("fastapi", "uvicorn") or name in ours]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)  # as if it were not installed
    result = CliRunner().invoke(app, ["serve", "--model", "folder"])
    assert result.exit_code == 2
    assert result.stderr == "error: found no fastapi, wanted the extra `serve`: pip install 'cman-relations[serve]'\n"


@pytest.mark.parametrize(("option", "value"), [("--timeout", "0"), ("--timeout", "nan"), ("--timeout", "inf")])
def test_a_time_out_that_is_none_is_a_wrong_use(option, value):
    result = CliRunner().invoke(app, ["serve", "--model", "folder", option, value])
    assert result.exit_code == 2
    assert f"{option}: found {value}" in result.stderr
