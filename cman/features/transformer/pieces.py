"""From tokens to an encoder's pieces: which pieces a sentence has, whose they are, and the windows they are read in.

A sentence longer than the encoder's window is read in windows that overlap by half, and each piece is taken from the
window in which it stands farthest from an edge; a single token of more pieces than a window holds is no exception. A
token without any piece (an encoder may drop rare characters) is read as the encoder's unknown piece. So nothing is
truncated and every token has features. Where a tokenizer itself reads an over-long word as unknown (WordPiece: more
than 100 characters), that is what the encoder was trained with, and it stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.machine import send

PIECE_STEP = 4  # pieces
SMALL_FILES = (".json", ".txt", ".model")  # configuration and tokenizer


@dataclass(frozen=True)
class Windows:
    """The pieces of a batch of B sentences of L padded tokens: W windows of P pieces, special ones included.

    A sentence has one window, or more if it is longer than the encoder reads at once.
    """

    ids: Tensor  # (W, P) piece ids
    mask: Tensor  # (W, P) 1, and 0 in the padding
    owners: Tensor  # (W, P) sentence * L + token that a piece belongs to; B * L for a piece that serves no token

    def to(self, device: torch.device) -> "Windows":
        """Return the windows on a device."""
        return Windows(send(self.ids, device), send(self.mask, device), send(self.owners, device))


class PieceTokenizer:
    """The tokenizer's side of an encoder.

    Args:
        tokenizer: a `tokenizers.Tokenizer`.
        unknown: the piece for what has none; None if the encoder knows no such piece.
        padding: the piece that fills a window up; None for the first one.
        limit: pieces, special ones included, that the encoder reads at once.
        folder: of the encoder.
        where: names the encoder in errors.

    Raises:
        CmanError: the tokenizer has no piece for text, or the encoder reads fewer than two pieces at once.
    """

    def __init__(
        self, tokenizer: Any, unknown: int | None, padding: int | None, limit: int, folder: Path, where: str
    ) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer, self.unknown, self.padding, self.where = tokenizer, unknown, padding or 0, where
        self.files = _small_files(folder)
        # Piece ids around a text are the special pieces; what precedes it tells where they go.
        self.marker: list[int] = self._encoded("a", add_special_tokens=False).ids
        framed = self._encoded("a").ids
        size = len(self.marker)
        starts = [start for start in range(len(framed)) if framed[start : start + size] == self.marker]
        if not self.marker or not starts:
            raise CmanError(f"{where}: the tokenizer has no piece for 'a', wanted one for text")
        self.before: list[int] = framed[: starts[0]]
        self.after: list[int] = framed[starts[0] + size :]
        self.window = limit - len(self.before) - len(self.after)
        if self.window < 2:
            raise CmanError(f"{where}: found a window of {self.window} pieces, wanted 2 at least")

    def pieces(self, document: Document) -> tuple[list[int], np.ndarray]:
        """Return piece ids and, for each, the token that it belongs to.

        Raises:
            CmanError: a token has no piece and the encoder no unknown piece.
        """
        encoded = self._encoded(list(document.tokens), is_pretokenized=True, add_special_tokens=False)
        ids: list[int] = []
        owners: list[int] = []
        owned = list(zip(encoded.ids, encoded.word_ids, strict=True))
        index = 0
        for token in range(len(document.tokens)):
            before = len(ids)
            while index < len(owned) and owned[index][1] == token:
                ids.append(owned[index][0])
                index += 1
            if len(ids) == before:
                if self.unknown is None:
                    raise CmanError(
                        f"document {document.id!r}: token {token} ({document.tokens[token]!r}) has no piece"
                    )
                ids.append(self.unknown)
            owners.extend([token] * (len(ids) - before))
        return ids, np.array(owners)

    def _encoded(self, text: str | list[str], **options: bool) -> Any:
        try:
            return self.tokenizer.encode(text, **options)
        except Exception as error:  # the library, compiled from Rust, raises nothing more special
            raise CmanError(
                f"{self.where}: the tokenizer cannot read a text ({error}); wanted one with a piece for every text"
            ) from None

    def starts(self, pieces: int) -> range:
        """Return the first piece of each window of a sentence."""
        if pieces <= self.window:
            return range(1)
        stride = self.window // 2
        return range(0, pieces - self.window + stride, stride)

    def kept(self, start: int, pieces: int) -> tuple[int, int]:
        """Return the pieces that the window at `start` supplies: it gives up a quarter to each neighbour."""
        quarter = self.window // 4
        low = start + quarter if start else 0
        last = start + self.window >= pieces
        return low, pieces if last else start + self.window // 2 + quarter

    def padded_length(self, pieces: int) -> int:
        """Return P for the windows of a sentence by itself, special pieces included.

        It is rounded up so that many sentences have the same, but is never more than the encoder reads.
        """
        special = len(self.before) + len(self.after)
        length = min(pieces, self.window) + special
        return min(-(-length // PIECE_STEP) * PIECE_STEP, self.window + special)

    def padded(self, chunks: Sequence[list[int]], length: int | None = None) -> tuple[Tensor, Tensor]:
        """Return ids and mask, both (W, P), of the pieces of windows, with special pieces around each.

        Args:
            length: P; that of the longest window by default.
        """
        longest = max(len(chunk) for chunk in chunks) + len(self.before) + len(self.after)
        ids = torch.full((len(chunks), length or longest), self.padding)
        mask = torch.zeros_like(ids)
        for row, chunk in enumerate(chunks):
            framed = [*self.before, *chunk, *self.after]
            ids[row, : len(framed)] = torch.tensor(framed)
            mask[row, : len(framed)] = 1
        return ids, mask

    def windows(
        self, sentences: Sequence[tuple[list[int], np.ndarray]], length: int, padded: int | None = None
    ) -> Windows:
        """Return the windows of a batch of sentences; a sentence as `pieces` returns it.

        Args:
            length: L, the tokens that the sentences are padded to.
            padded: P, as for `padded`.
        """
        chunks: list[list[int]] = []
        supplied: list[tuple[int, np.ndarray]] = []  # first piece and owners of what a window supplies
        for row, (ids, owners) in enumerate(sentences):
            for start in self.starts(len(ids)):
                low, high = self.kept(start, len(ids))
                chunks.append(ids[start : start + self.window])
                supplied.append((len(self.before) + low - start, row * length + owners[low:high]))
        ids_of_windows, mask = self.padded(chunks, padded)
        of_pieces = torch.full_like(ids_of_windows, len(sentences) * length)
        for row, (first, tokens) in enumerate(supplied):
            of_pieces[row, first : first + len(tokens)] = torch.from_numpy(tokens)
        return Windows(ids_of_windows, mask, of_pieces)


def _small_files(folder: Path) -> dict[str, bytes]:
    """Return the files of an encoder's folder by name, but its weights."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if path.suffix in SMALL_FILES and not path.name.endswith(".index.json")
    }
