"""The joint objective: fixed weights (equations 21 and 23) or homoscedastic uncertainty (equations 24 to 26).

With s = log sigma^2 the paper's term is exp(-s) L + s. Its minimum over s is 1 + log L, which has no lower bound as a
loss goes to 0, and the second phase's can: it may copy the gold labels it reads. So |s| is held below `uw.clamp`, by
putting the parameter back after a step rather than by a clamp in the formula, whose gradient beyond the bound is 0.
"""

import math

import torch
from torch import Tensor, nn

from cman.config.settings import Settings
from cman.model.output import Losses


class JointLoss(nn.Module):
    """Weighs the losses of a model.

    Args:
        names: which losses the model has, of `first`, `second` and `rel`.
    """

    def __init__(self, names: tuple[str, ...], settings: Settings) -> None:
        super().__init__()
        self.uncertainty = settings.uw
        self.weights = {name: float(getattr(settings.loss, name)) for name in names}
        parameters = {name: nn.Parameter(torch.zeros(())) for name in names if settings.uw.enabled}
        self.log_variance = nn.ParameterDict(parameters)

    def forward(self, losses: Losses, regularise: bool = True) -> Tensor:
        """Return the joint loss; `regularise` adds the terms that do not depend on the losses."""
        if not self.uncertainty.enabled:
            return torch.stack([self.weights[name] * loss for name, loss in losses.items()]).sum()
        total = [self._weighted(self.log_variance[name], loss) for name, loss in losses.items()]
        if regularise:
            total += [self._regulariser(self.log_variance[name]) for name in losses]
        return torch.stack(total).sum()

    def _weighted(self, s: Tensor, loss: Tensor) -> Tensor:
        return torch.exp(-s) * loss * (0.5 if self.uncertainty.form == "kendall" else 1.0)

    def _regulariser(self, s: Tensor) -> Tensor:
        if self.uncertainty.form == "log1p":
            return torch.nn.functional.softplus(s)  # log(1 + sigma^2) is never negative
        return s * (0.5 if self.uncertainty.form == "kendall" else 1.0)

    @torch.no_grad()
    def hold_bounds(self) -> None:
        """Put every s back into its bounds; called after each step of the optimiser."""
        for s in self.log_variance.values():
            s.clamp_(-self.uncertainty.clamp, self.uncertainty.clamp)

    def log_variances(self) -> dict[str, float]:
        """Return the current s of each loss; NaN for a fixed weight."""
        return {name: self.log_variance[name].item() if self.uncertainty.enabled else math.nan for name in self.weights}
