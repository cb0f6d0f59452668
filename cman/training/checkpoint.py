"""Checkpoints of an unfinished run: one file a stage, replaced after each epoch, and a mark that says whose they are.

A checkpoint replaces the one before it by a rename, so a process killed at any moment leaves a whole one, of the last
epoch that ended. It ends in the SHA-256 of all before: one that is cut or damaged is no checkpoint, and its stage
begins anew.
"""

import hashlib
import logging
import pickle
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

from cman.config.settings import Training
from cman.errors import CmanError
from cman.files import atomic_path, read_json, write_json
from cman.hashes import hashed_bytes
from cman.lock import Lock
from cman.training.average import WeightAverage

log = logging.getLogger(__name__)

MARK = "run.json"


@dataclass
class Progress:
    """How far a stage has come; its epochs are counted from 1."""

    history: list[dict[str, Any]] = field(default_factory=list)
    epoch_seconds: list[float] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -1.0
    best_weights: dict[str, Tensor] | None = None  # after that epoch: kept, or what is calibrated
    stopped: bool = False  # early, because dev no longer improved

    def judge(self, score: float, model: nn.Module, settings: Training) -> None:
        """Take note of the last epoch's dev score: whether it is the best, and whether to stop."""
        epoch = len(self.history)
        if score > self.best_score:
            self.best_epoch, self.best_score = epoch, score
            if settings.protocol == "train" or settings.epoch_rule == "best":
                self.best_weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        self.stopped = settings.patience is not None and epoch - self.best_epoch >= settings.patience


class Checkpoint:
    """The checkpoint of one stage.

    Args:
        lock: of the run; nothing is written once another process has taken it over.
    """

    def __init__(self, path: Path, lock: Lock) -> None:
        self.path, self.lock = path, lock
        self.epochs = 0  # that are in the file

    def save(
        self,
        model: nn.Module,
        joint: nn.Module,
        optimiser: torch.optim.Optimizer,
        average: WeightAverage,
        progress: Progress,
    ) -> None:
        """Replace the file.

        Raises:
            CmanError: another process has taken the run over.
        """
        self.lock.check()
        state = {"model": model.state_dict(), "joint": joint.state_dict(), "optimiser": optimiser.state_dict()}
        state["average"] = average.state_dict()
        with atomic_path(self.path) as temporary:
            _write(temporary, {**state, "progress": vars(progress)})
        self.epochs = len(progress.history)

    def restore(
        self, model: nn.Module, joint: nn.Module, optimiser: torch.optim.Optimizer, average: WeightAverage
    ) -> Progress:
        """Set everything to the state of the file and return how far that is; without a whole file, change nothing."""
        if not self.path.is_file():
            return Progress()
        try:
            state = _read(self.path)
            progress = Progress(**state["progress"])
            weights, variances, moments = state["model"], state["joint"], state["optimiser"]
            averaged = state["average"]
        except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
            reason = str(error).partition("\n")[0]
            log.info("%s cannot be read (%s); this stage starts from its first epoch", self.path, reason)
            return Progress()
        model.load_state_dict(weights)
        joint.load_state_dict(variances)
        optimiser.load_state_dict(moments)
        average.load_state_dict(averaged)
        self.epochs = len(progress.history)
        return progress


class _Hashed:
    """A stream that hashes what is written."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.digest = stream, hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.digest.update(content)
        return self.stream.write(content)

    def flush(self) -> None:
        self.stream.flush()


def _write(path: Path, state: dict[str, Any]) -> None:
    with path.open("wb") as stream:
        hashed: Any = _Hashed(stream)
        try:
            torch.save(state, hashed)
        except RuntimeError as error:
            if isinstance(error.__context__, OSError):  # such as a full disk, which torch has other words for
                raise error.__context__ from None
            raise
        stream.write(hashed.digest.digest())


def _read(path: Path) -> Any:
    size = path.stat().st_size - hashlib.sha256().digest_size
    with path.open("rb") as stream:
        digest = hashed_bytes(stream, size)
        if size <= 0 or digest.digest() != stream.read():
            raise ValueError("it is not what was written")
    return torch.load(path, map_location="cpu", weights_only=True)  # what follows the archive is passed over


def adopt(folder: Path, identity: dict[str, Any]) -> bool:
    """Keep checkpoints of exactly this run, remove others; tell whether any were kept."""
    mark = folder / MARK
    try:
        known = read_json(mark) if mark.is_file() else None
    except CmanError as error:
        log.info("%s", error)
        known = None
    if known == identity:
        log.info("continuing from %s", folder)
        return True
    if folder.exists():
        log.info("%s belongs to other settings, inputs or code; starting from the first epoch", folder)
        shutil.rmtree(folder)
    write_json(mark, identity)
    return False
