"""The protocol of a run: choose the epoch on dev, retrain on train and dev for as many epochs, keep that model.

    retrain   as said; what SpERT and the multi-head baseline report
    train     keep the model of the best dev epoch, trained on train alone
    fixed     train and dev together for `training.epochs` epochs, without looking at dev

Killed at any moment and started again, a run continues after the last epoch that ended and comes to the same model,
because an epoch's randomness is a function of seed, stage and epoch, and everything else is in the checkpoint. A
checkpoint of other settings, inputs or code is thrown away, with a line that says so.
"""

import hashlib
import json
import logging
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch

from cman.config.settings import Settings
from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.batch import EncodedDocuments, EvaluationBatches
from cman.features.vocabulary import Vocabulary
from cman.files import read_json, write_json
from cman.model.build import build_model
from cman.model.finetuning import TrainableEncoder
from cman.training.batches import TrainingBatches
from cman.training.data import TrainingData, subset
from cman.training.module import JointTraining
from cman.training.progress import Progress

log = logging.getLogger(__name__)

CODE = ("corpora/bio.py", "corpora/document.py", "features", "kernels", "model", "training", "config/settings.py",
        "evaluation/counts.py")  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """What a run leaves."""

    module: JointTraining
    vocabulary: Vocabulary
    history: list[dict[str, Any]]
    epoch_seconds: dict[str, list[float]]
    best_epoch: int | None
    trained_on: list[Document]


@dataclass(frozen=True)
class Run:
    """One run to be trained; call `train`."""

    settings: Settings
    data: TrainingData
    seed: int
    checkpoints: Path
    device: str = "cpu"

    def train(self) -> Trained:
        """Train by the protocol that the settings name, resuming from checkpoints that fit."""
        self._adopt_checkpoints()
        training = self.settings.training
        both = [*self.data.train, *subset(self.data.dev, training.fraction, training.subset_seed)]
        if training.protocol == "fixed":
            return self._result(both, [self._stage(1, both, [], training.epochs)], None)
        select = self._stage(0, self.data.train, self.data.dev, training.epochs)
        best = select[1].best_epoch
        log.info("the best of %d epochs on dev is epoch %d", len(select[1].epoch_seconds), best)
        if training.protocol == "train":
            select[0].load_state_dict(torch.load(self._best_weights, weights_only=True))
            return self._result(self.data.train, [select], best)
        last = len(select[1].epoch_seconds)
        epochs = {"best": best, "patience_end": last, "last": training.epochs}[training.epoch_rule]
        return self._result(both, [select, self._stage(1, both, [], epochs)], best)

    @property
    def _best_weights(self) -> Path:
        return self.checkpoints / "best.pt"

    def _stage(
        self, stage: int, documents: list[Document], dev: list[Document], epochs: int
    ) -> tuple[JointTraining, Progress, Vocabulary]:
        lightning.seed_everything(self.seed, verbose=False)
        vocabulary, vectors = self.data.vocabulary(documents, self.settings)
        cache = self.data.cache
        contextual = None if cache is None else (cache.layers, cache.size)
        encoder = self._encoder()
        pieces = None if encoder is None else encoder.pieces
        model = build_model(self.settings, vocabulary, vectors, contextual, encoder)
        if stage == 0:
            size = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
            log.info("%d trained parameters, %d documents", size, len(documents))
        anchor, training = self.settings.rel.anchor, self.settings.training
        encoded = EncodedDocuments(documents, vocabulary, cache, anchor, pieces=pieces)
        batches = TrainingBatches(encoded, training.batch_size, self.seed, training.shuffle)
        module = JointTraining(model, self.settings, vocabulary, batches, self.seed, stage, dev)
        checkpoint = self.checkpoints / f"{('select', 'retrain')[stage]}.ckpt"
        keep_best = self._best_weights if dev and training.protocol == "train" else None
        progress = Progress(checkpoint, training.patience if dev else None, keep_best)
        evaluation = None
        if dev:
            given = self.settings.ner.given
            held_out = EncodedDocuments(dev, vocabulary, cache, annotated=False, pieces=pieces, given=given)
            evaluation = EvaluationBatches(held_out)
        _fit(module, progress, batches, evaluation, epochs, self.device)
        return module, progress, vocabulary

    def _encoder(self) -> TrainableEncoder | None:
        """Return the encoder to be trained, with its pre-trained weights; None where features are frozen."""
        if not self.settings.encoder.trainable:
            return None
        assert self.data.encoder is not None
        return TrainableEncoder.open(self.data.encoder, self.settings.contextual.encoder, self.settings.encoder)

    def _result(
        self,
        documents: list[Document],
        stages: list[tuple[JointTraining, Progress, Vocabulary]],
        best: int | None,
    ) -> Trained:
        module, _, vocabulary = stages[-1]
        history = [row for _, progress, _ in stages for row in progress.history]
        seconds = {progress.history[0]["stage"]: progress.epoch_seconds for _, progress, _ in stages}
        return Trained(module, vocabulary, history, seconds, best, documents)

    def _adopt_checkpoints(self) -> None:
        """Keep checkpoints of exactly this run, remove others."""
        mark = self.checkpoints / "run.json"
        identity = self._identity()
        if mark.is_file() and read_json(mark) == identity:
            log.info("continuing from %s", self.checkpoints)
            return
        if self.checkpoints.exists():
            log.info("%s belongs to other settings, inputs or code; starting from the first epoch", self.checkpoints)
            shutil.rmtree(self.checkpoints)
        write_json(mark, identity)

    def _identity(self) -> dict[str, Any]:
        code = hashlib.sha256()
        package = Path(__file__).parent.parent
        for entry in CODE:
            for path in sorted((package / entry).rglob("*.py")) if (package / entry).is_dir() else [package / entry]:
                code.update(path.read_bytes())
        return {
            "settings": json.loads(self.settings.model_dump_json()),
            "inputs": self.data.hashes(),
            "code": code.hexdigest(),
            "seed": self.seed,
            "device": self.device,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }


def _fit(
    module: JointTraining,
    progress: Progress,
    batches: TrainingBatches,
    evaluation: EvaluationBatches | None,
    epochs: int,
    device: str,
) -> None:
    """Run the stage's remaining epochs; at its end the module holds the last epoch's weights."""
    # Lightning advises more data-loading workers and warns of its own internals; neither helps the reader of a log.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    trainer = lightning.Trainer(
        accelerator=device,
        devices=1,
        max_epochs=epochs,
        callbacks=[progress],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        deterministic=True,
    )
    resume = progress.checkpoint if progress.checkpoint.is_file() else None
    if resume is not None:
        state = torch.load(resume, weights_only=True)
        progress.load_state_dict(state["callbacks"][progress.state_key])
        if progress.stopped or len(progress.history) >= epochs:
            module.load_state_dict(state["state_dict"])
            return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            trainer.fit(module, batches, evaluation, ckpt_path=resume)
        except SystemExit:
            # Lightning turns a signal into a silent exit, after SIGTERM even with status 0.
            done = len(progress.history)
            raise CmanError(f"stopped by a signal after epoch {done}; the same command continues from there") from None
