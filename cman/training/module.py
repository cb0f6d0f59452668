"""The Lightning module: one optimiser step a batch, with adversarial training, and the evaluation of an epoch on dev.

The token representation X is computed once a step. The model's body runs on a copy of it that collects gradients; the
perturbation of equation 22 needs exactly that gradient. Both passes' gradients of X then flow into the embeddings in
one backward call, so adversarial training doubles the body's cost and not the inputs'.
"""

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from cman.config.settings import Settings
from cman.corpora.document import Document
from cman.evaluation.counts import strict_counts
from cman.features.batch import Batch
from cman.features.vocabulary import Vocabulary
from cman.model.adversarial import perturbation
from cman.model.cman import Cman
from cman.model.copying import LabelCopies
from cman.model.decode import Dropped, decode_batch
from cman.model.losses import JointLoss
from cman.model.multihead import MultiHead
from cman.training.batches import TrainingBatches
from cman.training.schedule import parameter_groups, warmed_up


class JointTraining(lightning.LightningModule):
    """Trains a model for a number of epochs.

    Args:
        batches: its `epoch` is set here, and the random state is a function of seed, stage and epoch: an epoch goes
            the same way whether the process ran through or was started again before it.
        stage: 0 for the selection of the epoch, 1 for the retraining; part of the random state.
        dev: gold documents in the order of the evaluation batches' positions; empty when there is no evaluation.
    """

    def __init__(
        self,
        model: Cman | MultiHead,
        settings: Settings,
        vocabulary: Vocabulary,
        batches: TrainingBatches,
        seed: int,
        stage: int,
        dev: list[Document],
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # two backward passes a step
        self.model, self.settings, self.vocabulary = model, settings, vocabulary
        self.joint = JointLoss(model.loss_names, settings)
        self.batches, self.seed, self.stage, self.dev = batches, seed, stage, dev
        self.epoch_losses: dict[str, Tensor] = {}
        self.dev_scores: dict[str, float] = {}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        groups = parameter_groups(self, self.model.inputs.encoder, self.settings.encoder)
        return torch.optim.Adam(groups, lr=self.settings.training.lr, eps=1e-8, fused=True)

    def transfer_batch_to_device(self, batch, device, dataloader_idx):  # type: ignore[no-untyped-def]
        if isinstance(batch, tuple):
            return batch[0], batch[1].to(device)
        return batch.to(device)

    def on_train_epoch_start(self) -> None:
        epoch = self.current_epoch
        self.batches.epoch = epoch
        torch.manual_seed(((self.seed * 2 + self.stage) << 20) + epoch)
        self.model.labels.start_epoch(epoch, self.settings.training.epochs)
        self.epoch_losses = {}

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        optimiser = self._optimiser
        self._set_learning_rate(batch_idx)
        optimiser.zero_grad()
        x = self.model.inputs(batch)  # (B, L, D)
        gradient = self._backward(x.detach(), batch, regularise=True)
        if self.settings.at.enabled:
            eta = perturbation(gradient, self.model.inputs.static_size, self.settings.at)
            gradient = gradient + self._backward(x.detach() + eta, batch, self.settings.at.reg_twice)
        if x.requires_grad:
            x.backward(gradient)
        if self.settings.training.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters(), self.settings.training.clip_norm)
        optimiser.step()
        self.joint.hold_bounds()

    @property
    def _optimiser(self) -> LightningOptimizer:
        optimiser = self.optimizers()
        assert isinstance(optimiser, LightningOptimizer)  # there is one
        return optimiser

    def _backward(self, x: Tensor, batch: Batch, regularise: bool) -> Tensor:
        """Run the body on `x`, send the joint loss backward and return its gradient at `x`."""
        x.requires_grad_()
        losses = self.model.losses(x, batch)
        self.manual_backward(self.joint(losses, regularise))
        for name, loss in losses.items():
            # Tensors, not numbers: a GPU would have to be waited for.
            self.epoch_losses[name] = self.epoch_losses.get(name, torch.zeros_like(loss)) + loss.detach()
        assert x.grad is not None
        return x.grad

    def _set_learning_rate(self, batch_idx: int) -> None:
        training, encoder = self.settings.training, self.settings.encoder
        step, steps = self.current_epoch * len(self.batches) + batch_idx, training.epochs * len(self.batches)
        done = (self.current_epoch + batch_idx / len(self.batches)) / training.epochs
        for group in self._optimiser.param_groups:
            if group["of_encoder"]:
                group["lr"] = encoder.lr * warmed_up(step, steps, encoder.warmup)
            elif training.schedule == "linear":
                group["lr"] = training.lr * (1.0 - done)

    def mean_losses(self) -> dict[str, float]:
        """Return the losses of the last epoch, averaged over its steps and passes."""
        passes = len(self.batches) * (2 if self.settings.at.enabled else 1)
        return {name: total.item() / passes for name, total in self.epoch_losses.items()}

    def on_validation_epoch_start(self) -> None:
        self._predicted: dict[int, Document] = {}
        self._copies = LabelCopies()

    def validation_step(self, item: tuple[list[int], Batch], batch_idx: int) -> None:
        indices, batch = item
        prediction = self.model.predict(batch)
        self._copies.add(prediction, batch.lengths)
        documents = [self.dev[index] for index in indices]
        decoded = decode_batch(
            prediction,
            documents,
            batch.lengths,
            self.vocabulary,
            self.model.reported_crf,
            self.settings.rel,
            Dropped(),
            with_scores=False,
        )
        self._predicted.update(zip(indices, decoded, strict=True))

    def on_validation_epoch_end(self) -> None:
        entities, relations = strict_counts(self.dev, [self._predicted[place] for place in range(len(self.dev))])
        self.dev_scores = {
            "dev_entity_f1": 100 * entities.f1,
            "dev_relation_f1": 100 * relations.f1,
            "dev_mean_f1": 50 * (entities.f1 + relations.f1),
        }
        if self._copies.tokens:  # a model with one CRF cannot copy itself
            self.dev_scores |= self._copies.rates()
