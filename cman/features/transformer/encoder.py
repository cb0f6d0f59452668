"""A transformer encoder: the pieces of tokens in, all its layers for every token out, a token the mean of its pieces.

One class serves frozen features, whether they are kept for a corpus or computed for a text, and the encoder that is
trained along with a model (`encoder.trainable`).

Frozen features of a sentence are the same numbers in whatever company it is read. BLAS and the other operations treat
rows alike however many there are, but not the padding, which decides how a sum over the pieces is split. So frozen
sentences are batched by their padded length, which follows from the sentence alone, and rounded to float16.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.arithmetic import Arithmetic, Precision, arithmetic_of, refuse_precision
from cman.features.lengths import batches_by_length
from cman.features.transformer.bert import Bert
from cman.features.transformer.opened import open_transformer
from cman.features.transformer.pieces import Windows
from cman.fetch.models import EncoderSource, file_hashes, model_directory
from cman.files import atomic_path
from cman.machine import deterministic

TrainingPrecision = Literal["auto", "float32", "bf16-mixed"]

PIECES_A_BATCH = 4096  # bounds memory: windows are read in parts of at most so many padded pieces
FROZEN_PIECES_A_BATCH = 1024  # larger ones fall out of a core's cache


class TransformerEncoder(nn.Module):
    """A transformer and its tokenizer; `layers` and `size` are those of its output.

    Args:
        weights: False makes the weights random, for a folder without any.
        checkpointing: compute inner values again in the backward pass.
        precision: of training; evaluation is float32.
        trainable: False for an encoder that stays as it is; see `open_transformer`.

    Raises:
        CmanError: see `open_transformer`.
    """

    layers: int
    size: int

    def __init__(
        self,
        folder: Path,
        where: str,
        *,
        weights: bool = True,
        checkpointing: bool = False,
        precision: TrainingPrecision = "float32",
        trainable: bool = True,
    ) -> None:
        super().__init__()
        self.folder, self.precision = folder, precision
        self.arithmetic: Arithmetic = "float32"  # of frozen features
        model, self.pieces = open_transformer(folder, where, weights, frozen=not trainable)
        self.model: Any = model.float()  # weights of half precision would lose small steps
        ids, mask = self.pieces.padded([self.pieces.marker])
        try:
            with torch.no_grad():
                # Measured, because configurations name and count layers in many ways.
                self.layers, self.size = self._states(ids, mask).shape[2:]
        except Exception as error:  # of a configuration that builds a model and means none
            raise CmanError(f"{where}: cannot be run ({error}); wanted a transformer with its tokenizer") from None
        if checkpointing:
            self.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        self.train()  # a loaded transformer stands in evaluation mode, without its dropout

    @classmethod
    def open(cls, source: EncoderSource, name: str, **options: Any) -> "TransformerEncoder":
        """Return a configured encoder with its pre-trained weights.

        Args:
            name: its name in the configuration.
            options: keyword arguments of the class.

        Raises:
            CmanError: it cannot be found or loaded.
        """
        folder = model_directory(source, name)
        return cls(folder, f"encoders.{name}: {folder}", **options)

    @classmethod
    def frozen(
        cls, source: EncoderSource, name: str, device: torch.device, precision: Precision = "float32"
    ) -> "TransformerEncoder":
        """Return a configured encoder on a device, without dropout and gradients, for `features`.

        Raises:
            CmanError: it cannot be found or loaded.
            UsageError: the encoder knows no such precision there.
        """
        encoder = cls.open(source, name, trainable=False).to(device).eval().requires_grad_(False)
        if isinstance(encoder.model, Bert):
            encoder.arithmetic = arithmetic_of(precision, device)
            encoder.model.compute_in(encoder.arithmetic)
        else:
            refuse_precision(precision, f"encoder {name} is a {encoder.model.config.model_type} and no BERT")
        return encoder

    def forward(self, windows: Windows, shape: tuple[int, int]) -> Tensor:
        """Return (B, L, layers, size) float32 for windows of a batch of the shape (B, L), 0 in the padding."""
        tokens = shape[0] * shape[1]
        # One row more, for special pieces and those that another window supplies.
        sums = torch.zeros(tokens + 1, self.layers, self.size, device=windows.ids.device)
        counts = torch.zeros(tokens + 1, device=windows.ids.device)
        step = max(1, PIECES_A_BATCH // windows.ids.shape[1])
        for start in range(0, len(windows.ids), step):
            rows = slice(start, start + step)
            owners = windows.owners[rows].flatten()
            states = self._states(windows.ids[rows], windows.mask[rows])  # (w, P, layers, size)
            sums = sums.index_add(0, owners, states.flatten(0, 1))
            counts = counts.index_add(0, owners, torch.ones_like(owners, dtype=counts.dtype))
        means = sums[:tokens] / counts[:tokens].clamp(min=1.0)[:, None, None]
        return means.view(*shape, self.layers, self.size)

    def _states(self, ids: Tensor, mask: Tensor) -> Tensor:
        mixed = self.precision == "bf16-mixed" or (self.precision == "auto" and ids.device.type == "cuda")
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=mixed and self.training):
            output = self.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
        return torch.stack([state.float() for state in output.hidden_states], 2)

    # ---- frozen features

    def identity(self) -> dict[str, Any]:
        """Return what distinguishes this encoder's features from another's."""
        options = {"window": self.pieces.window, "unit": "mean of pieces", "layers": self.layers, "size": self.size}
        return {"files": file_hashes(self.folder), "options": options}

    def batches(self, documents: Sequence[Document]) -> Iterator[tuple[list[int], Windows]]:
        """Yield the positions of documents and their windows on the encoder's device, all of one padded length."""
        pieces = [self.pieces.pieces(document) for document in documents]
        lengths = [self.pieces.padded_length(len(ids)) for ids, _ in pieces]
        device = next(self.model.parameters()).device
        for indices in batches_by_length(lengths, padded=FROZEN_PIECES_A_BATCH, equal=True):
            longest = max(len(documents[index].tokens) for index in indices)
            chosen = [pieces[index] for index in indices]
            yield indices, self.pieces.windows(chosen, longest, lengths[indices[0]]).to(device)

    def features(
        self, documents: Sequence[Document], workers: Executor | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (position of the document, (tokens, layers, size) float16), in an order of the encoder's choice.

        Args:
            workers: threads that compute whole batches; None computes one batch after another.
        """

        def computed(batch: tuple[list[int], Windows]) -> list[tuple[int, np.ndarray]]:
            indices, windows = batch
            lengths = [len(documents[index].tokens) for index in indices]
            with torch.inference_mode(), _held(windows.ids.device):
                values = self(windows, (len(indices), max(lengths))).half().cpu().numpy()
            return [(index, values[row, : lengths[row]]) for row, index in enumerate(indices)]

        for features in (map if workers is None else workers.map)(computed, self.batches(documents)):
            yield from features

    def save_files(self, folder: Path) -> list[str]:
        """Write configuration and tokenizer, each file complete or not at all, and return the files' names.

        The weights are the whole model's.
        """
        for name, content in self.pieces.files.items():
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(content)
        return list(self.pieces.files)


def _held(device: torch.device) -> AbstractContextManager[None]:
    """Let a GPU add the pieces of a token in one order. On a CPU it is one anyway, and threads share the switch."""
    return deterministic() if device.type == "cuda" else nullcontext()
