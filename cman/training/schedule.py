"""How fast which parameters learn: the model at `training.lr`, a trained encoder at its own rate with warm-up.

The log variances of uncertainty weighting (equations 24-26) may have a rate of their own, `uw.lr`: three numbers that
begin at 0 move little in as many steps as a model needs.
"""

from typing import Any

from torch import nn
from torch.optim import Optimizer

from cman.config.settings import Settings


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
            group["lr"] = group["highest"] * warmed_up(step, steps, encoder.warmup)
        elif training.schedule == "linear":
            group["lr"] = group["highest"] * (1.0 - progress)


def parameter_groups(
    model: nn.Module, joint: nn.Module, encoder: nn.Module | None, settings: Settings
) -> list[dict[str, Any]]:
    """Return the optimiser's groups: everything without a rate of its own, then what has one.

    These are the encoder's matrices and its vectors (no weight decay), and the log variances.

    Args:
        joint: the joint loss, whose parameters are the log variances.
        encoder: the part of the model with a learning rate of its own; None where no encoder is trained.
    """
    rate = settings.training.lr
    own = [] if encoder is None else [*encoder.parameters()]
    variances = [] if settings.uw.lr is None else [*joint.parameters()]
    apart = {id(parameter) for parameter in (*own, *variances)}
    others = [*model.parameters(), *joint.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": [each for each in others if each.requires_grad and id(each) not in apart], "highest": rate}
    ]
    if variances:
        groups.append({"params": variances, "lr": settings.uw.lr, "highest": settings.uw.lr})
    if encoder is not None:
        tuned = [parameter for parameter in own if parameter.requires_grad]
        tuning = {"lr": settings.encoder.lr, "highest": settings.encoder.lr}
        decayed = {"weight_decay": settings.encoder.weight_decay, "decoupled_weight_decay": True}
        groups += [
            {"params": [value for value in tuned if value.dim() > 1], "of_encoder": True, **tuning, **decayed},
            {"params": [value for value in tuned if value.dim() <= 1], "of_encoder": True, **tuning},
        ]
    return [{"of_encoder": False, **group} for group in groups]
