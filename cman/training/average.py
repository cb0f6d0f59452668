"""A moving average of the weights (`training.ema`), evaluated and kept in their place: steps of a noisy end cancel out.

It begins after a share of the steps (`training.ema_start`), so that the first, wrong weights are no part of it.
"""

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cman.config.settings import Training
from cman.model.cman import Cman
from cman.model.multihead import MultiHead


class WeightAverage:
    """The exponential moving average of a model's weights; without `training.ema` it is the model itself.

    Args:
        model: on the device where it is trained.
        steps: of the whole training.
    """

    def __init__(self, model: Cman | MultiHead, settings: Training, steps: int) -> None:
        self._model = model
        self._first = round(settings.ema_start * steps)
        self._average: AveragedModel | None = None
        if settings.ema is not None:
            decay = get_ema_multi_avg_fn(settings.ema)  # type: ignore[no-untyped-call]
            self._average = AveragedModel(model, multi_avg_fn=decay)
            for module in self._average.modules():
                if isinstance(module, nn.RNNBase):
                    module.flatten_parameters()  # a copy's weights lie apart, which costs a GPU a copy each call

    @property
    def model(self) -> Cman | MultiHead:
        """The model to evaluate: the average, or the model itself until there is one."""
        if self._average is None or not self._average.n_averaged:
            return self._model
        averaged = self._average.module
        assert isinstance(averaged, Cman | MultiHead)
        return averaged

    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0 over the whole training."""
        if self._average is not None and step >= self._first:
            self._average.update_parameters(self._model)

    @torch.no_grad()
    def settle(self) -> None:
        """Put the average in the place of the model's weights; called once, at the end."""
        averaged: nn.Module = self.model
        if averaged is not self._model:
            self._model.load_state_dict(averaged.state_dict())

    def state_dict(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps; nothing without an average."""
        return {} if self._average is None else self._average.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a checkpoint."""
        if self._average is not None:
            self._average.load_state_dict(state)
