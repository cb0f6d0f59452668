"""Frozen transformer features: every layer of an encoder for every token, a token being the mean of its pieces.

A sentence longer than the encoder's window is read in windows that overlap by half, and each piece is taken from the
window in which it stands farthest from an edge; a single token of more pieces than a window holds is no exception. A
token without any piece (an encoder may drop rare characters) is read as the encoder's unknown piece. So nothing is
truncated and every token has features. Where a tokenizer itself reads an over-long word as unknown (WordPiece: more
than 100 characters), that is what the encoder was trained with, and it stays.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.configured import Encoder
from cman.features.model_directory import file_hashes, model_directory

PIECES_A_BATCH = 4096  # bounds memory: windows are batched by length until their padded pieces exceed this
LARGEST_WINDOW = 100_000  # tokenizers without a limit report an absurdly large one


class ContextualEncoder:
    """A frozen encoder on one device.

    Raises:
        CmanError: the encoder cannot be found or loaded, its tokenizer does not tell which token a piece belongs to, or
            it has no unknown piece where one is needed.
    """

    def __init__(self, encoder: Encoder, name: str, device: torch.device | None = None) -> None:
        # Imported here: transformers takes seconds to load and only this class needs it.
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging as transformers_logging

        quiet: Any = transformers_logging
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
        self.folder = model_directory(encoder, name)
        self.device = device or torch.device("cpu")
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(
                self.folder, local_files_only=True, use_fast=True, add_prefix_space=True
            )
            model: Any = AutoModel.from_pretrained(self.folder, local_files_only=True)
        except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise CmanError(
                f"encoders.{name}: {self.folder}: cannot be loaded ({reason}); wanted a transformer with its tokenizer"
            ) from None
        if not self.tokenizer.is_fast:
            raise CmanError(f"encoders.{name}: {self.folder}: found no tokenizer.json, wanted a fast tokenizer")
        # Of a model that also writes, the reading half gives the features.
        self.model: Any = (model.get_encoder() if model.config.is_encoder_decoder else model).eval().to(self.device)
        self.model.requires_grad_(False)
        # Piece ids around a text are the special pieces; what precedes it tells where they go.
        marker, self._before, self._after = self._special_pieces(name)
        self.window = self._limit() - len(self._before) - len(self._after)
        if self.window < 2:
            raise CmanError(
                f"encoders.{name}: {self.folder}: found a window of {self.window} pieces, wanted 2 at least"
            )
        # Measured, because configurations name and count layers in many ways.
        self.layers, self.size = self._run([marker])[0].shape[1:]

    def identity(self) -> dict[str, Any]:
        """Return what distinguishes this encoder's features from another's."""
        options = {"window": self.window, "unit": "mean of pieces", "layers": self.layers, "size": self.size}
        return {"files": file_hashes(self.folder), "options": options}

    def features(self, documents: Sequence[Document]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (position of the document, (tokens, layers, size) float16), in an order of the encoder's choice."""
        pieces = [self._pieces(document) for document in documents]
        windows = [(place, start) for place, (ids, _) in enumerate(pieces) for start in self._starts(len(ids))]
        # Short windows first: neighbours in a batch have nearly the same length, so little is padded.
        windows.sort(key=lambda window: (min(len(pieces[window[0]][0]) - window[1], self.window), window))
        collected: dict[int, np.ndarray] = {}
        missing = {place: len(self._starts(len(ids))) for place, (ids, _) in enumerate(pieces)}
        for batch in self._batches(windows, pieces):
            chunks = [pieces[place][0][start : start + self.window] for place, start in batch]
            for (place, start), states in zip(batch, self._run(chunks), strict=True):
                ids, owners = pieces[place]
                if place not in collected:
                    collected[place] = np.zeros((len(ids), self.layers, self.size), dtype=np.float32)
                low, high = self._kept(start, len(ids))
                collected[place][low:high] = states[low - start : high - start]
                missing[place] -= 1
                if not missing[place]:
                    yield place, _mean_by_owner(collected.pop(place), owners, len(documents[place].tokens))

    def _special_pieces(self, name: str) -> tuple[list[int], list[int], list[int]]:
        marker = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        framed = self.tokenizer("a")["input_ids"]
        starts = [place for place in range(len(framed)) if framed[place : place + len(marker)] == marker]
        if not marker or not starts:
            raise CmanError(f"encoders.{name}: {self.folder}: the tokenizer has no piece for 'a', wanted one for text")
        return marker, framed[: starts[0]], framed[starts[0] + len(marker) :]

    def _limit(self) -> int:
        """Return how many pieces, special ones included, the model reads at once."""
        stated = getattr(self.model.config, "max_position_embeddings", None)
        limits = [self.tokenizer.model_max_length, LARGEST_WINDOW, *([stated] if stated else [])]
        for name, module in self.model.named_modules():
            # RoBERTa and its kin count positions from behind the padding's: the first ones are no positions of pieces.
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
                limits.append(module.num_embeddings - module.padding_idx - 1)
        return int(min(limits))

    def _pieces(self, document: Document) -> tuple[list[int], np.ndarray]:
        """Return piece ids and, for each, the token that it belongs to."""
        encoded = self.tokenizer(list(document.tokens), is_split_into_words=True, add_special_tokens=False)
        ids: list[int] = []
        owners: list[int] = []
        owned = list(zip(encoded["input_ids"], encoded.word_ids(), strict=True))
        place = 0
        for token in range(len(document.tokens)):
            before = len(ids)
            while place < len(owned) and owned[place][1] == token:
                ids.append(owned[place][0])
                place += 1
            if len(ids) == before:
                if self.tokenizer.unk_token_id is None:
                    raise CmanError(
                        f"document {document.id!r}: token {token} ({document.tokens[token]!r}) has no piece"
                    )
                ids.append(self.tokenizer.unk_token_id)
            owners.extend([token] * (len(ids) - before))
        return ids, np.array(owners)

    def _starts(self, pieces: int) -> range:
        if pieces <= self.window:
            return range(1)
        stride = self.window // 2
        return range(0, pieces - self.window + stride, stride)

    def _kept(self, start: int, pieces: int) -> tuple[int, int]:
        """Return the pieces that the window at `start` supplies: it gives up a quarter to each neighbour."""
        quarter = self.window // 4
        low = start + quarter if start else 0
        last = start + self.window >= pieces
        return low, pieces if last else start + self.window // 2 + quarter

    def _batches(
        self, windows: list[tuple[int, int]], pieces: list[tuple[list[int], np.ndarray]]
    ) -> Iterator[list[tuple[int, int]]]:
        batch: list[tuple[int, int]] = []
        for window in windows:
            longest = min(len(pieces[window[0]][0]) - window[1], self.window)
            if batch and (len(batch) + 1) * longest > PIECES_A_BATCH:
                yield batch
                batch = []
            batch.append(window)
        if batch:
            yield batch

    @torch.inference_mode()
    def _run(self, chunks: list[list[int]]) -> list[np.ndarray]:
        longest = max(len(chunk) for chunk in chunks)
        frame = len(self._before) + len(self._after)
        ids = torch.full((len(chunks), longest + frame), self.tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for row, chunk in enumerate(chunks):
            framed = [*self._before, *chunk, *self._after]
            ids[row, : len(framed)] = torch.tensor(framed)
            mask[row, : len(framed)] = 1
        output = self.model(
            input_ids=ids.to(self.device), attention_mask=mask.to(self.device), output_hidden_states=True
        )
        states = torch.stack(tuple(output.hidden_states), 2).float().cpu().numpy()  # (W, P, layers, size)
        first = len(self._before)
        return [states[row, first : first + len(chunk)] for row, chunk in enumerate(chunks)]


def _mean_by_owner(states: np.ndarray, owners: np.ndarray, tokens: int) -> np.ndarray:
    starts = np.searchsorted(owners, np.arange(tokens))
    counts = np.diff(np.append(starts, len(owners)))
    means: np.ndarray = (np.add.reduceat(states, starts, axis=0) / counts[:, None, None]).astype(np.float16)
    return means
