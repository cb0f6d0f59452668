"""The worst-case perturbation of adversarial training (equation 22).

eta = alpha sqrt(D) g / |g| a sentence, with g the gradient of the joint loss at the token representation and D its
size, as in the code of Bekoulis et al. (2018). The perturbation is a constant: no gradient flows through it.
"""

import torch
from torch import Tensor

from cman.config.settings import Adversarial


def perturbation(gradient: Tensor, static_size: int, settings: Adversarial) -> Tensor:
    """Return eta for gradients (B, L, D).

    Args:
        static_size: how many of the D values are word and character embeddings, which come first.
    """
    if settings.targets == "word_char":
        gradient = torch.cat([gradient[..., :static_size], torch.zeros_like(gradient[..., static_size:])], 2)
        size = static_size
    else:
        size = gradient.shape[2]
    norm = gradient.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
    eta: Tensor = settings.alpha * size**0.5 / norm * gradient
    return eta.detach()
