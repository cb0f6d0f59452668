"""The protocol of a run: choose the epoch on dev, retrain on train and dev for as many epochs, keep that model.

    retrain   as said; what SpERT and the multi-head baseline report
    train     keep the model of the best dev epoch, trained on train alone
    fixed     train and dev together for `training.epochs` epochs, without looking at dev

Killed at any moment and started again, a run continues after the last epoch that ended and comes to the same model.
"""

import logging
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cman.corpora.document import Document
from cman.features.batch import EncodedDocuments
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.vocabulary import Vocabulary
from cman.lock import Lock
from cman.model.build import build_model
from cman.model.calibration import Calibration
from cman.model.cman import Cman
from cman.model.losses import JointLoss
from cman.model.multihead import MultiHead
from cman.training.batches import TrainingBatches
from cman.training.calibrate import calibrate
from cman.training.checkpoint import Checkpoint, Progress
from cman.training.data import TrainingData, subset
from cman.training.loop import STAGES, Stage, train_stage
from cman.training.runs import Run
from cman.training.teachers import teacher_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What a run leaves."""

    model: Cman | MultiHead
    vocabulary: Vocabulary
    history: list[dict[str, Any]]
    epoch_seconds: dict[str, list[float]]  # by stage
    best_epoch: int | None
    calibration: Calibration | None  # fitted on dev; None without
    trained_on: list[Document]


def built(
    run: Run, data: TrainingData, number: int, documents: list[Document], dev: list[Document]
) -> tuple[Stage, Vocabulary]:
    """Return a stage of a run before its first epoch, on a model made anew of the run's seed, and the vocabulary.

    Args:
        number: 0 for the selection of the epoch, 1 for the retraining.
        documents: to train on.
        dev: to choose the epoch by; none where it is not chosen.

    Raises:
        CmanError: a type of dev that train lacks, or documents that the model cannot be trained on.
    """
    settings, cache = run.settings, data.cache
    seed_everything(run.seed)
    vocabulary, vectors = data.vocabulary(documents, settings)
    contextual = None if cache is None else (cache.layers, cache.size)
    encoder = _encoder(run)
    pieces = None if encoder is None else encoder.pieces
    model = build_model(settings, vocabulary, vectors, contextual, encoder)
    if number == 0:
        size = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        log.info("%d trained parameters, %d documents", size, len(documents))
    encoded = EncodedDocuments(documents, vocabulary, cache, settings.rel.anchor, pieces=pieces)
    batches = TrainingBatches(encoded, settings.training.batch_size, run.seed, settings.training.shuffle)
    held = None
    if dev:
        given = settings.ner.given
        held = EncodedDocuments(dev, vocabulary, cache, annotated=False, pieces=pieces, given=given)
    joint = JointLoss(model.loss_names, settings)
    teacher = teacher_of(data.teachers, run, vocabulary, cache) if data.teachers else None
    following = settings.training.epochs if number == 0 and settings.training.protocol == "retrain" else 0
    return Stage(number, model, joint, batches, held, settings, run.seed, following, teacher), vocabulary


def _encoder(run: Run) -> TransformerEncoder | None:
    """Return the encoder to be trained, with its pre-trained weights; None where features are frozen."""
    settings = run.settings
    if not settings.encoder.trainable:
        return None
    assert run.encoder is not None
    tuning = settings.encoder
    return TransformerEncoder.open(
        run.encoder,
        settings.contextual.encoder,
        checkpointing=tuning.checkpointing,
        precision=tuning.precision,
    )


@dataclass(frozen=True)
class Trainer:
    """A run with what it reads and where it is trained; call `train`."""

    run: Run
    data: TrainingData
    checkpoints: Path
    lock: Lock
    device: str = "cpu"

    def train(self) -> Trained:
        """Train by the protocol that the settings name, continuing from the checkpoints that there are.

        Raises:
            CmanError: see `train_stage`; a type of dev that train lacks.
        """
        training = self.run.settings.training
        both = [*self.data.train, *subset(self.data.dev, training)]
        if training.protocol == "fixed":
            log.info("scores stay uncalibrated: training.protocol fixed trains on dev, too")
            return self._trained([self._stage(1, both, [], training.epochs)], both)
        select = self._stage(0, self.data.train, self.data.dev, training.epochs)
        best, last = select.progress.best_epoch, len(select.progress.history)
        log.info("the best of %d epochs on dev is epoch %d", last, best)
        if select.progress.best_weights is not None:
            select.model.load_state_dict(select.progress.best_weights)
        calibration = None
        if select.dev is not None:
            calibration = calibrate(select.model, select.dev, self.run.settings.ner.given)
        if training.protocol == "train":
            return self._trained([select], self.data.train, best, calibration)
        epochs = {"best": best, "patience_end": last, "last": training.epochs}[training.epoch_rule]
        return self._trained([select, self._stage(1, both, [], epochs)], both, best, calibration)

    def _stage(self, number: int, documents: list[Document], dev: list[Document], epochs: int) -> "_Done":
        """Build the model of a stage anew and train it; without dev documents, for exactly `epochs` epochs."""
        stage, vocabulary = built(self.run, self.data, number, documents, dev)
        checkpoint = Checkpoint(self.checkpoints / f"{STAGES[number]}.ckpt", self.lock)
        return _Done(stage.model, vocabulary, train_stage(stage, epochs, checkpoint, self.device), stage.dev)

    def _trained(
        self,
        stages: list["_Done"],
        documents: list[Document],
        best: int | None = None,
        calibration: Calibration | None = None,
    ) -> Trained:
        kept = stages[-1]
        history = [row for stage in stages for row in stage.progress.history]
        seconds = {stage.progress.history[0]["stage"]: stage.progress.epoch_seconds for stage in stages}
        if self.run.settings.rel.threshold == "auto" and calibration is not None and calibration.threshold is not None:
            kept.model.relations.threshold = calibration.threshold
        return Trained(kept.model.cpu().eval(), kept.vocabulary, history, seconds, best, calibration, documents)


@dataclass(frozen=True)
class _Done:
    """A stage that has been trained."""

    model: Cman | MultiHead
    vocabulary: Vocabulary
    progress: Progress
    dev: EncodedDocuments | None


def seed_everything(seed: int) -> None:
    """Seed the generators of Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
