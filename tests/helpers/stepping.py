"""One training step of a model, as the training loop makes it."""

from typing import Any

from cman.config.settings import Settings
from cman.features.batch import Batch
from cman.model.losses import JointLoss
from cman.training.step import make_optimiser, training_step


def step(model: Any, settings: Settings, batch: Batch) -> float:
    """Change the weights by one batch and return the sum of its losses before the change."""
    joint = JointLoss(model.loss_names, settings)
    losses, *_ = training_step(model.train(), joint, make_optimiser(model, joint, settings), batch, settings)
    return float(sum(losses.values()))
