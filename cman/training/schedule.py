"""How fast which parameters learn: the model at `training.lr`, a trained encoder at its own rate with warm-up."""

from typing import Any

from torch import nn
from torch.optim import Optimizer

from cman.config.settings import FineTuning, Settings


def warmed_up(step: int, steps: int, warmup: float) -> float:
    """Return the share of the highest learning rate at a step, counted from 0.

    It rises in equal parts for `warmup` x `steps` steps, is 1 at the step after them and falls linearly towards 0,
    which it would reach after the last.
    """
    rising = round(warmup * steps)
    if step < rising:
        return (step + 1) / (rising + 1)
    return (steps - step) / (steps - rising)


def set_learning_rates(optimiser: Optimizer, settings: Settings, epoch: int, batch: int, batches: int) -> None:
    """Set the rates of batch `batch` of `batches` in epoch `epoch`, both counted from 0."""
    training, encoder = settings.training, settings.encoder
    step, steps = epoch * batches + batch, training.epochs * batches
    progress = (epoch + batch / batches) / training.epochs
    for group in optimiser.param_groups:
        if group["of_encoder"]:
            group["lr"] = encoder.lr * warmed_up(step, steps, encoder.warmup)
        elif training.schedule == "linear":
            group["lr"] = training.lr * (1.0 - progress)


def parameter_groups(module: nn.Module, encoder: nn.Module | None, settings: FineTuning) -> list[dict[str, Any]]:
    """Return the optimiser's groups: the encoder's matrices, its vectors (no weight decay), and everything else.

    Args:
        module: everything that is trained.
        encoder: a part of it with a learning rate of its own, or None.
    """
    own = {id(parameter) for parameter in encoder.parameters()} if encoder is not None else set()
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in trained if id(parameter) not in own], "of_encoder": False}
    ]
    if encoder is not None:
        tuned = [parameter for parameter in trained if id(parameter) in own]
        decayed = {"weight_decay": settings.weight_decay, "decoupled_weight_decay": True}
        groups += [
            {"params": [value for value in tuned if value.dim() > 1], "of_encoder": True, "lr": settings.lr, **decayed},
            {"params": [value for value in tuned if value.dim() <= 1], "of_encoder": True, "lr": settings.lr},
        ]
    return groups
