"""Trainings side by side on a machine with two GPUs, neither of which has to be there."""

import os
import re
import subprocess
import sys

import pytest
import torch

from tests.workflow.conftest import CONFIGURED, Project

# A training ends when both have come to their end, so that they run at once however busy the machine is.
TOGETHER = """
if _sys.argv[1:2] == ["train"]:
    import atexit, pathlib, time
    def _together():
        pathlib.Path("ended" + _sys.argv[_sys.argv.index("--seed") + 1]).touch()
        until = time.monotonic() + 100
        while len(list(pathlib.Path().glob("ended*"))) < 2 and time.monotonic() < until:
            time.sleep(0.1)
    atexit.register(_together)
"""
SEEDS = (7, 8)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="here GPUs are what they are")
def test_trainings_at_once_have_a_gpu_each(own: Project):
    with (own / "cman/__init__.py").open("a") as package:
        package.write(TOGETHER)
    smi = own / "bin/nvidia-smi"  # where it is, jobs reserve a GPU
    smi.parent.mkdir()
    smi.write_text("#!/bin/sh\n")
    smi.chmod(0o755)
    own.configure(device="auto", seeds=list(SEEDS))
    environment = own.environment()
    environment.update(
        PATH=f"{smi.parent}{os.pathsep}{environment['PATH']}", CUDA_VISIBLE_DEVICES="2,5", TMPDIR=str(own.folder)
    )
    models = [f"results/runs/tiny/small/main/seed{seed}/model/model.safetensors" for seed in SEEDS]
    line = [sys.executable, "-m", "snakemake", "--resources", "gpu=2", "--cores", "2", *models, *CONFIGURED]
    done = subprocess.run(line, cwd=own.folder, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    logs = [(own / f"results/logs/train/tiny/small/main/seed{seed}.log").read_text() for seed in SEEDS]
    assert {re.findall(r"GPU (\d) of 2, 5", log)[0] for log in logs} == {"2", "5"}
