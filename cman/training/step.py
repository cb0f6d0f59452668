"""One training step (section III-E): joint loss, adversarial training, clipping, optimiser.

The token representation X (B, L, D) is computed once. The model's body runs on a copy of it that collects gradients:
the perturbation of equation 22 needs exactly that gradient. Both passes' gradients of X then flow into the embeddings
in one backward call, so adversarial training doubles the body's cost and not the inputs'.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from cman.config.settings import Settings
from cman.features.batch import Batch
from cman.model.adversarial import perturbation
from cman.model.cman import Cman
from cman.model.lesson import Lesson
from cman.model.losses import JointLoss
from cman.model.multihead import MultiHead
from cman.model.output import Losses
from cman.model.teacher import Teacher
from cman.training.schedule import parameter_groups


def make_optimiser(model: Cman | MultiHead, joint: JointLoss, settings: Settings) -> torch.optim.Optimizer:
    """Return Adam over everything that is trained, what has a rate of its own in groups of its own (see `schedule`)."""
    groups = parameter_groups(model, joint, model.inputs.encoder, settings)
    return torch.optim.Adam(groups, lr=settings.training.lr, eps=1e-8, fused=True)


def training_step(
    model: Cman | MultiHead,
    joint: JointLoss,
    optimiser: torch.optim.Optimizer,
    batch: Batch,
    settings: Settings,
    teacher: Teacher | None = None,
    recorded: Callable[[Batch], list[Losses]] | None = None,
) -> list[Losses]:
    """Change the weights by one batch on the model's device.

    Args:
        teacher: on that device; its targets are those of the perturbed pass, too.
        recorded: puts the gradients of a batch of the host in their place, see `cman.training.graphs`.

    Returns:
        The detached losses of the clean pass and, with adversarial training, of the perturbed one: tensors, not
        numbers, because a GPU would have to be waited for.
    """
    if recorded is not None:
        passes = recorded(batch)
    else:
        optimiser.zero_grad()
        passes = add_gradients(model, joint, batch, settings, None if teacher is None else teacher.lesson(batch))
    if settings.training.clip_norm is not None:
        nn.utils.clip_grad_norm_([*model.parameters(), *joint.parameters()], settings.training.clip_norm)
    optimiser.step()
    joint.hold_bounds()
    return passes


def add_gradients(
    model: Cman | MultiHead, joint: JointLoss, batch: Batch, settings: Settings, lesson: Lesson | None = None
) -> list[Losses]:
    """Add the gradients of equation 22, or of the joint loss alone, to those of the weights; return the losses.

    With the scorer of pairs nothing in it waits for a GPU, so that it can be recorded (`cman.training.graphs`).
    """
    x = model.inputs(batch)  # (B, L, D)
    losses, gradient = _backward(model, joint, x.detach(), batch, lesson, regularise=True)
    passes = [losses]
    if settings.at.enabled:
        eta = perturbation(gradient, model.inputs.static_size, settings.at)
        losses, noisy = _backward(model, joint, x.detach() + eta, batch, lesson, regularise=settings.at.reg_twice)
        gradient = gradient + noisy  # of L(X) + L(X + eta), (22)
        passes.append(losses)
    if x.requires_grad:
        x.backward(gradient)
    return passes


def _backward(
    model: Cman | MultiHead, joint: JointLoss, x: Tensor, batch: Batch, lesson: Lesson | None, regularise: bool
) -> tuple[Losses, Tensor]:
    """Run the body on `x`, send the joint loss backward; return the losses and the joint loss's gradient at `x`."""
    x.requires_grad_()
    if lesson is None:
        losses = model.losses(x, batch)
    else:
        assert isinstance(model, Cman)
        losses = model.losses(x, batch, lesson)
    joint(losses, regularise).backward()
    assert x.grad is not None
    return {name: loss.detach() for name, loss in losses.items()}, x.grad
