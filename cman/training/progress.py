"""The callback that ends an epoch: history, choice of the best epoch, early stopping and the checkpoint.

A checkpoint replaces the one before it by a rename, so a process killed at any moment leaves a whole one, of the last
epoch that ended.
"""

import logging
import time
from pathlib import Path
from typing import Any

import lightning
import torch

from cman.files import atomic_path
from cman.training.module import JointTraining

log = logging.getLogger(__name__)

STAGES = ("select", "retrain")


class Progress(lightning.Callback):
    """Keeps the story of one stage; its state is part of the checkpoint.

    Args:
        checkpoint: the file that is written after each epoch.
        patience: epochs without a better dev mean F1 before the stage stops; None never stops early.
        best_weights: where the best epoch's weights are kept, if they are wanted.
    """

    def __init__(self, checkpoint: Path, patience: int | None, best_weights: Path | None = None) -> None:
        self.checkpoint, self.patience, self.best_weights = checkpoint, patience, best_weights
        self.history: list[dict[str, Any]] = []
        self.epoch_seconds: list[float] = []
        self.best_epoch = 0  # 1 is the first
        self.best_score = -1.0
        self.stopped = False
        self._began = 0.0

    def state_dict(self) -> dict[str, Any]:
        names = ("history", "epoch_seconds", "best_epoch", "best_score", "stopped")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        vars(self).update(state_dict)

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._began = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, JointTraining)
        epoch = trainer.current_epoch + 1
        self.epoch_seconds.append(round(time.perf_counter() - self._began, 2))
        losses = {f"loss_{name}": value for name, value in pl_module.mean_losses().items()}
        variances = {f"log_variance_{name}": value for name, value in pl_module.joint.log_variances().items()}
        row = {"stage": STAGES[pl_module.stage], "epoch": epoch, **losses, **variances, **pl_module.dev_scores}
        self.history.append(row)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in (losses | pl_module.dev_scores).items())
        log.info("%s epoch %d: %s (%.1f s)", row["stage"], epoch, shown, self.epoch_seconds[-1])
        if pl_module.dev_scores:
            self._judge(epoch, pl_module.dev_scores["dev_mean_f1"])
            if self.best_weights is not None and self.best_epoch == epoch:
                with atomic_path(self.best_weights) as temporary:
                    torch.save(pl_module.state_dict(), temporary)
        if self.stopped:
            trainer.should_stop = True
        with atomic_path(self.checkpoint) as temporary:
            trainer.save_checkpoint(temporary)

    def _judge(self, epoch: int, score: float) -> None:
        if score > self.best_score:
            self.best_epoch, self.best_score = epoch, score
        self.stopped = self.patience is not None and epoch - self.best_epoch >= self.patience
