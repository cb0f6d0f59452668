"""Frozen transformer features: every layer of an encoder for every token, a token being the mean of its pieces.

How a sentence becomes pieces and windows is told in `pieces`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from cman.config.inputs import Encoder
from cman.corpora.document import Document
from cman.features.transformer.opened import open_transformer
from cman.fetch.models import file_hashes, model_directory

PIECES_A_BATCH = 4096  # bounds memory: windows are batched by length until their padded pieces exceed this


class ContextualEncoder:
    """A frozen encoder on one device.

    Raises:
        CmanError: the encoder cannot be found or loaded, its tokenizer does not tell which token a piece belongs to, or
            it has no unknown piece where one is needed.
    """

    def __init__(self, encoder: Encoder, name: str, device: torch.device | None = None) -> None:
        self.folder = model_directory(encoder, name)
        self.device = device or torch.device("cpu")
        model, self.pieces = open_transformer(self.folder, f"encoders.{name}: {self.folder}")
        self.model: Any = model.to(self.device)
        self.model.requires_grad_(False)
        # Measured, because configurations name and count layers in many ways.
        self.layers, self.size = self._run([self.pieces.marker])[0].shape[1:]

    def identity(self) -> dict[str, Any]:
        """Return what distinguishes this encoder's features from another's."""
        options = {"window": self.pieces.window, "unit": "mean of pieces", "layers": self.layers, "size": self.size}
        return {"files": file_hashes(self.folder), "options": options}

    def features(self, documents: Sequence[Document]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (position of the document, (tokens, layers, size) float16), in an order of the encoder's choice."""
        pieces = [self.pieces.pieces(document) for document in documents]
        windows = [(place, start) for place, (ids, _) in enumerate(pieces) for start in self.pieces.starts(len(ids))]
        # Short windows first: neighbours in a batch have nearly the same length, so little is padded.
        windows.sort(key=lambda window: (min(len(pieces[window[0]][0]) - window[1], self.pieces.window), window))
        collected: dict[int, np.ndarray] = {}
        missing = {place: len(self.pieces.starts(len(ids))) for place, (ids, _) in enumerate(pieces)}
        for batch in self._batches(windows, pieces):
            chunks = [pieces[place][0][start : start + self.pieces.window] for place, start in batch]
            for (place, start), states in zip(batch, self._run(chunks), strict=True):
                ids, owners = pieces[place]
                if place not in collected:
                    collected[place] = np.zeros((len(ids), self.layers, self.size), dtype=np.float32)
                low, high = self.pieces.kept(start, len(ids))
                collected[place][low:high] = states[low - start : high - start]
                missing[place] -= 1
                if not missing[place]:
                    yield place, _mean_by_owner(collected.pop(place), owners, len(documents[place].tokens))

    def _batches(
        self, windows: list[tuple[int, int]], pieces: list[tuple[list[int], np.ndarray]]
    ) -> Iterator[list[tuple[int, int]]]:
        batch: list[tuple[int, int]] = []
        for window in windows:
            longest = min(len(pieces[window[0]][0]) - window[1], self.pieces.window)
            if batch and (len(batch) + 1) * longest > PIECES_A_BATCH:
                yield batch
                batch = []
            batch.append(window)
        if batch:
            yield batch

    @torch.inference_mode()
    def _run(self, chunks: list[list[int]]) -> list[np.ndarray]:
        ids, mask = self.pieces.padded(chunks)
        output = self.model(
            input_ids=ids.to(self.device), attention_mask=mask.to(self.device), output_hidden_states=True
        )
        states = torch.stack(tuple(output.hidden_states), 2).float().cpu().numpy()  # (W, P, layers, size)
        first = len(self.pieces.before)
        return [states[row, first : first + len(chunk)] for row, chunk in enumerate(chunks)]


def _mean_by_owner(states: np.ndarray, owners: np.ndarray, tokens: int) -> np.ndarray:
    starts = np.searchsorted(owners, np.arange(tokens))
    counts = np.diff(np.append(starts, len(owners)))
    means: np.ndarray = (np.add.reduceat(states, starts, axis=0) / counts[:, None, None]).astype(np.float16)
    return means
