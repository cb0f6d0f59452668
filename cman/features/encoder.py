"""Frozen transformer features: every layer of an encoder for every token, a token being the mean of its pieces.

A sentence longer than the encoder's window is read in windows that overlap by half, and each piece is taken from the
window in which it stands farthest from an edge. A token without any piece (an encoder may drop rare characters) is
read as the encoder's unknown piece. So nothing is truncated and every token has features.
"""

import importlib.util
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cman.config import Encoder
from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.cache import token_hash
from cman.files import atomic_path, sha256, write_json

log = logging.getLogger(__name__)

PIECES_A_BATCH = 4096  # bounds memory: windows are batched by length until their padded pieces exceed this
LARGEST_WINDOW = 100_000  # tokenizers without a limit report an absurdly large one


def model_directory(encoder: Encoder, name: str) -> Path:
    """Return the folder that holds an encoder's `config.json`.

    Raises:
        CmanError: the package is not installed or ships no model, or the path has no `config.json`.
    """
    if encoder.path is not None:
        if not (encoder.path / "config.json").is_file():
            raise CmanError(f"encoders.{name}.path: {encoder.path} has no config.json, wanted a model directory")
        return encoder.path
    try:
        spec = importlib.util.find_spec(str(encoder.package))
    except ModuleNotFoundError:  # of the parent of a dotted name
        spec = None
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        # The outermost config.json beside weights is the encoder's; packages add others for their own layers.
        candidates = [path.parent for path in folder.rglob("config.json") if list(path.parent.glob("*.safetensors"))]
        if candidates:
            return min(candidates, key=lambda path: len(path.parts))
    problem = "ships no model" if spec else "is not installed"
    raise CmanError(
        f"encoders.{name}.package: the package {encoder.package!r} {problem}, wanted one that ships a model"
    )


class ContextualEncoder:
    """A frozen encoder on one device.

    Raises:
        CmanError: the encoder cannot be found or its tokenizer has no unknown piece where one is needed.
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
        self.tokenizer: Any = AutoTokenizer.from_pretrained(
            self.folder, local_files_only=True, use_fast=True, add_prefix_space=True
        )
        self.model: Any = AutoModel.from_pretrained(self.folder, local_files_only=True).eval().to(self.device)
        self.model.requires_grad_(False)
        # Piece ids around an empty text are the special pieces; what precedes them tells where they go.
        self._before, self._after = self._special_pieces()
        limit = min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings, LARGEST_WINDOW)
        self.window = limit - len(self._before) - len(self._after)
        self.layers = int(self.model.config.num_hidden_layers) + 1
        self.size = int(self.model.config.hidden_size)

    def identity(self) -> dict[str, Any]:
        """Return what distinguishes this encoder's features from another's."""
        weights = sorted(self.folder.glob("*.safetensors")) + sorted(self.folder.glob("*.bin"))
        return {"weights": {path.name: sha256(path) for path in weights}, "layers": self.layers, "size": self.size}

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

    def _special_pieces(self) -> tuple[list[int], list[int]]:
        marker = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        framed = self.tokenizer("a")["input_ids"]
        start = next(place for place in range(len(framed)) if framed[place : place + len(marker)] == marker)
        return framed[:start], framed[start + len(marker) :]

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
        states = torch.stack(output.hidden_states, 2).float().cpu().numpy()  # (W, P, layers, size)
        first = len(self._before)
        return [states[row, first : first + len(chunk)] for row, chunk in enumerate(chunks)]


def _mean_by_owner(states: np.ndarray, owners: np.ndarray, tokens: int) -> np.ndarray:
    starts = np.searchsorted(owners, np.arange(tokens))
    counts = np.diff(np.append(starts, len(owners)))
    means: np.ndarray = (np.add.reduceat(states, starts, axis=0) / counts[:, None, None]).astype(np.float16)
    return means


class DocumentFeatures:
    """Features of documents that are in memory, with the reading side of `FeatureCache`."""

    def __init__(self, encoder: ContextualEncoder, documents: Sequence[Document]) -> None:
        self._rows = {}
        lengths = [len(document.tokens) for document in documents]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        self.features: np.ndarray = np.zeros((int(starts[-1]), encoder.layers, encoder.size), dtype=np.float16)
        for place, values in encoder.features(documents):
            self.features[starts[place] : starts[place + 1]] = values
        self._rows = {document.id: int(start) for document, start in zip(documents, starts[:-1], strict=True)}

    def rows(self, document: Document) -> int:
        """Return the row of a document's first token."""
        return self._rows[document.id]


def write_cache(documents: Sequence[Document], encoder: ContextualEncoder, folder: Path) -> None:
    """Write the features of documents as a folder that `FeatureCache` reads; documents of one id must be the same.

    Raises:
        CmanError: two different documents have one id.
    """
    distinct: dict[str, Document] = {}
    for document in documents:
        if token_hash(distinct.setdefault(document.id, document)) != token_hash(document):
            raise CmanError(f"document {document.id!r} stands in two splits with different tokens")
    unique = list(distinct.values())
    starts = np.concatenate([[0], np.cumsum([len(document.tokens) for document in unique])]).astype(int)
    shape = (int(starts[-1]), encoder.layers, encoder.size)
    with atomic_path(folder / "features.npy") as temporary:
        # A file object, because NumPy would append .npy to a name without it.
        with temporary.open("wb") as stream:
            np.lib.format.write_array_header_2_0(stream, {"descr": "<f2", "fortran_order": False, "shape": shape})
            offset = stream.tell()
            stream.truncate(offset + 2 * int(np.prod(shape)))
        features = np.memmap(temporary, dtype=np.float16, mode="r+", offset=offset, shape=shape)
        for done, (place, values) in enumerate(encoder.features(unique), start=1):
            features[starts[place] : starts[place + 1]] = values
            if done % 500 == 0 or done == len(unique):
                log.info("%d of %d documents embedded", done, len(unique))
        features.flush()
        del features
    index = {
        "encoder": encoder.identity(),
        "shape": shape,
        "documents": {
            document.id: {"row": int(start), "tokens": token_hash(document)}
            for document, start in zip(unique, starts[:-1], strict=True)
        },
    }
    write_json(folder / "index.json", json.loads(json.dumps(index)))
