"""A contextual encoder that is trained along with the model (`encoder.trainable`): a batch's pieces in, layers out.

In evaluation mode it gives what frozen features of the same weights give, in float32 rather than float16.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cman.config.inputs import Encoder
from cman.config.settings import FineTuning
from cman.features.transformer.encoder import PIECES_A_BATCH
from cman.features.transformer.opened import open_transformer
from cman.features.transformer.pieces import Windows
from cman.fetch.models import model_directory
from cman.files import atomic_path


class TrainableEncoder(nn.Module):
    """A transformer and its tokenizer; `layers` and `size` are those of its output.

    Gradient checkpointing and mixed precision are of training alone.

    Raises:
        CmanError: see `open_transformer`.
    """

    layers: int
    size: int

    def __init__(self, folder: Path, where: str, settings: FineTuning, weights: bool = True) -> None:
        super().__init__()
        model, self.pieces = open_transformer(folder, where, weights)
        self.model: Any = model.float()  # weights of half precision would lose small steps
        self.settings = settings
        ids, mask = self.pieces.padded([self.pieces.marker])
        with torch.no_grad():
            self.layers, self.size = self._states(ids, mask).shape[2:]
        if settings.checkpointing:
            self.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        self.train()  # a loaded transformer stands in evaluation mode, without its dropout

    @classmethod
    def open(cls, encoder: Encoder, name: str, settings: FineTuning) -> "TrainableEncoder":
        """Return a configured encoder with its pre-trained weights; `name` is its name in the configuration.

        Raises:
            CmanError: it cannot be found or loaded.
        """
        folder = model_directory(encoder, name)
        return cls(folder, f"encoders.{name}: {folder}", settings)

    def forward(self, windows: Windows, shape: tuple[int, int]) -> Tensor:
        """Return (B, L, layers, size) for windows of a batch of the shape (B, L): the mean of each token's pieces."""
        tokens = shape[0] * shape[1]
        # One row more, for special pieces and those that another window supplies.
        sums = torch.zeros(tokens + 1, self.layers, self.size, device=windows.ids.device)
        counts = torch.zeros(tokens + 1, device=windows.ids.device)
        step = max(1, PIECES_A_BATCH // windows.ids.shape[1])
        for start in range(0, len(windows.ids), step):
            part = slice(start, start + step)
            owners = windows.owners[part].flatten()
            states = self._states(windows.ids[part], windows.mask[part])  # (w, P, layers, size)
            sums = sums.index_add(0, owners, states.flatten(0, 1))
            counts = counts.index_add(0, owners, torch.ones_like(owners, dtype=counts.dtype))
        means = sums[:tokens] / counts[:tokens].clamp(min=1.0)[:, None, None]
        return means.view(*shape, self.layers, self.size)

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        precision = self.settings.precision
        mixed = precision == "bf16-mixed" or (precision == "auto" and ids.device.type == "cuda")
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=mixed and self.training):
            output = self.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        return torch.stack([state.float() for state in output.hidden_states], 2)

    def save_files(self, folder: Path) -> None:
        """Write configuration and tokenizer, each file complete or not at all; the weights are the whole model's."""
        for name, content in self.pieces.files.items():
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(content)
