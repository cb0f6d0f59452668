"""The loop around the step: epochs, learning rates, dev scores, a checkpoint an epoch, exact resumption, signals.

An epoch's random state is a function of seed, stage and epoch, and everything else is in the checkpoint: an epoch goes
the same way whether the process ran through or was started again before it.
"""

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import torch
from torch import Tensor

from cman.config.settings import Settings
from cman.errors import CmanError
from cman.evaluation.counts import strict_counts
from cman.features.batch import EncodedDocuments
from cman.machine import deterministic
from cman.model.annotate import annotate
from cman.model.cman import Cman
from cman.model.copying import LabelCopies
from cman.model.losses import JointLoss
from cman.model.multihead import MultiHead
from cman.model.teacher import Teacher
from cman.training.average import WeightAverage
from cman.training.batches import TrainingBatches
from cman.training.checkpoint import Checkpoint, Progress
from cman.training.graphs import RecordedGradients, recordable
from cman.training.schedule import set_learning_rates
from cman.training.step import make_optimiser, training_step
from cman.training.watch import Watch

STAGES = ("select", "retrain")


class Stopped(BaseException):
    """A signal came; not an Exception, so that nothing on the way takes it for an error of its own."""


@dataclass(frozen=True)
class Stage:
    """What one stage of a run trains.

    Args:
        number: 0 for the selection of the epoch, 1 for the retraining; part of the random state.
        dev: documents held out from training, encoded without their annotations; None where no epoch is chosen.
        following: epochs of the stages after it, at most, for whoever waits.
        teacher: models that it learns from beside the gold annotations; None: there are none.
    """

    number: int
    model: Cman | MultiHead
    joint: JointLoss
    batches: TrainingBatches
    dev: EncodedDocuments | None
    settings: Settings
    seed: int
    following: int = 0
    teacher: Teacher | None = None


def train_stage(stage: Stage, epochs: int, checkpoint: Checkpoint, device: str) -> Progress:
    """Run a stage's remaining epochs; at its end the model holds the last epoch's weights.

    Raises:
        CmanError: a signal stopped it, or another process took the checkpoints over.
    """
    model, joint, settings = stage.model.to(device), stage.joint.to(device), stage.settings
    if stage.teacher is not None:
        stage.teacher.to(device)
    optimiser = make_optimiser(model, joint, settings)
    average = WeightAverage(model, settings.training, settings.training.epochs * len(stage.batches))
    progress = checkpoint.restore(model, joint, optimiser, average)
    recorded = None
    if recordable(settings, torch.device(device)):
        recorded = RecordedGradients(model, joint, settings, stage.batches, settings.training.batch_size)
    watch = Watch(STAGES[stage.number], epochs, len(stage.batches), stage.following, progress.epoch_seconds)
    with deterministic(), _signals_stop(checkpoint), watch:
        for epoch in range(len(progress.history), epochs):
            if progress.stopped:
                break
            began = time.perf_counter()
            losses = _train_epoch(stage, optimiser, average, epoch, torch.device(device), watch, recorded)
            scores = {} if stage.dev is None else dev_scores(average.model, stage.dev)
            progress.epoch_seconds.append(round(time.perf_counter() - began, 2))
            variances = {f"log_variance_{name}": value for name, value in joint.log_variances().items()}
            row = {"stage": STAGES[stage.number], "epoch": epoch + 1, **losses, **variances, **scores}
            progress.history.append(row)
            watch.epoch(losses | scores)
            if scores:
                progress.judge(scores["dev_mean_f1"], average.model, settings.training)
            checkpoint.save(model, joint, optimiser, average, progress)
    average.settle()
    return progress


def _train_epoch(
    stage: Stage,
    optimiser: torch.optim.Optimizer,
    average: WeightAverage,
    epoch: int,
    device: torch.device,
    watch: Watch,
    recorded: RecordedGradients | None = None,
) -> dict[str, float]:
    """Train for one epoch and return its losses, averaged over its steps and passes."""
    model, batches = stage.model, stage.batches
    torch.manual_seed(((stage.seed * 2 + stage.number) << 20) + epoch)
    model.train()
    model.labels.start_epoch(epoch, stage.settings.training.epochs)
    batches.epoch = epoch
    totals: dict[str, Tensor] = {}
    passes = 0
    for number, batch in enumerate(batches):
        set_learning_rates(optimiser, stage.settings, epoch, number, len(batches))
        given = batch if recorded is not None else batch.to(device)
        for losses in training_step(model, stage.joint, optimiser, given, stage.settings, stage.teacher, recorded):
            passes += 1
            for name, loss in losses.items():
                totals[name] = totals.get(name, torch.zeros_like(loss)) + loss
        average.update(epoch * len(batches) + number)
        watch.batch()
    means = {f"loss_{name}": total.item() / passes for name, total in totals.items()}
    for name, mean in means.items():
        if math.isnan(mean):
            raise CmanError(
                f"{STAGES[stage.number]} epoch {epoch + 1}: found a {name} that is no number, wanted a training that "
                "does not diverge: a lower training.lr, or training.clip_norm"
            )
    return means


def dev_scores(model: Cman | MultiHead, dev: EncodedDocuments) -> dict[str, float]:
    """Return the strict F1 of dev in percent, and the label-copy rates of a model with two CRFs.

    The mean that chooses the epoch is over what dev has: entities alone where no relation is annotated. A task without
    any gold item has no F1; where there is none at all, the mean is 0 and the first epoch is the best.
    """
    copies = LabelCopies()
    predicted = annotate(model, dev, confidences=False, copies=copies)
    counts = dict(zip(("entity", "relation"), strict_counts(dev.documents, predicted), strict=True))
    known = {task: each.f1 for task, each in counts.items() if each.gold}
    scores = {f"dev_{task}_f1": 100 * f1 for task, f1 in known.items()}
    scores["dev_mean_f1"] = 100 * sum(known.values()) / max(len(known), 1)
    return scores | copies.rates() if copies.tokens else scores  # one CRF alone cannot copy itself


@contextmanager
def _signals_stop(checkpoint: Checkpoint) -> Iterator[None]:
    """Turn SIGTERM and SIGINT inside the block into an error that says where the same command continues."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped

    if threading.current_thread() is not threading.main_thread():  # only that one receives signals
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    except Stopped:
        done = checkpoint.epochs
        raise CmanError(f"stopped by a signal after epoch {done}; the same command continues from there") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
