"""Processes that run side by side on a machine with several GPUs, none of which has to be there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cman.gpu import VISIBLE, own_gpu, visible_gpus

HOLDS = f"""
import os, sys
from cman.gpu import own_gpu
own_gpu("cuda")
print(os.environ["{VISIBLE}"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv(VISIBLE, "")  # so that it is put back whatever happens to it
    monkeypatch.delenv(VISIBLE)


def smi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an nvidia-smi first on PATH."""
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_each_process_takes_the_least_busy_gpu_and_frees_it_however_it_ends(monkeypatch):
    monkeypatch.setenv(VISIBLE, "2,GPU-5a/1")
    processes: list[subprocess.Popen] = []

    def started() -> str:
        line = [sys.executable, "-c", HOLDS]
        processes.append(subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return processes[-1].stdout.readline().strip()  # type: ignore[union-attr]

    try:
        assert [started() for _ in range(4)] == ["2", "GPU-5a/1"] * 2
        for number in (1, 3):
            processes[number].kill()
            processes[number].wait()
        assert [started() for _ in range(3)] == ["GPU-5a/1", "GPU-5a/1", "2"]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_one_gpu_or_none_is_left_as_it_is(monkeypatch):
    for visible in ("3", "", "-1", "0,-1,1"):
        monkeypatch.setenv(VISIBLE, visible)
        assert own_gpu("cuda") == "cuda"
        assert os.environ[VISIBLE] == visible
    monkeypatch.setenv(VISIBLE, "0, 1")
    assert own_gpu("cpu") == "cpu"
    assert os.environ[VISIBLE] == "0, 1"


def test_without_a_list_the_driver_says_how_many_there_are(tmp_path, monkeypatch):
    smi(tmp_path, "echo 'GPU 0: A (UUID: GPU-1)'; echo '  MIG 1g.5gb'; echo 'GPU 1: B (UUID: GPU-2)'", monkeypatch)
    assert visible_gpus() == ["0", "1"]
    assert own_gpu("auto") == "auto"
    assert os.environ[VISIBLE] == "0"
    monkeypatch.delenv(VISIBLE)
    smi(tmp_path, "echo 'NVIDIA-SMI has failed'; exit 9", monkeypatch)
    assert visible_gpus() == []
    assert own_gpu("auto") == "auto"
    assert VISIBLE not in os.environ


def test_where_no_lock_can_be_had_all_gpus_stay_visible(tmp_path, monkeypatch):
    monkeypatch.setenv(VISIBLE, "0,1")
    (tmp_path / f"cman-gpu-{os.getuid()}").write_text("a file in its place")
    assert own_gpu("cuda") == "cuda"
    assert os.environ[VISIBLE] == "0,1"
