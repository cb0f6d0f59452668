"""ELMo as a frozen encoder of documents: all layers of every token, in batches of similar length.

A sentence is read from a zero state, so its features do not depend on what was read before. `stateful: true` reads the
documents one by one in their order, each from the state that the one before left, as AllenNLP's own class does.
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
import torch

from cman.corpora.document import Document
from cman.features.arithmetic import Arithmetic
from cman.features.elmo.network import BiLm, State, characters
from cman.features.elmo.weights import read_options, read_weights
from cman.features.lengths import batches_by_length
from cman.fetch.inputs import encoder_files, verified
from cman.fetch.models import EncoderSource
from cman.layout import Layout

log = logging.getLogger(__name__)

TOKENS_A_BATCH = 2048  # bounds memory: sentences are batched by length until their padded tokens exceed this
MARKS = 2  # of a sentence and of a word


class ElmoEncoder:
    """A frozen ELMo on one device.

    Raises:
        CmanError: a file is missing, has another hash than it should, or the two do not belong together.
    """

    def __init__(self, encoder: EncoderSource, name: str, device: torch.device, layout: Layout) -> None:
        files = encoder_files(encoder, name, layout)
        (options_path, options_hash), (weights_path, weights_hash) = (
            verified(files[key]) for key in ("options", "weights")
        )
        options = read_options(options_path)
        model = BiLm(options)
        model.load(read_weights(weights_path, options, options_path))
        self.model = model.eval().to(device)
        self.device = device
        self.stateful = encoder.stateful
        self.layers, self.size = model.layers, model.size
        self.arithmetic: Arithmetic = "float32"
        self._characters = options.char_cnn.max_characters_per_token
        self._files = {"options": options_hash, "weights": weights_hash}

    def identity(self) -> dict[str, Any]:
        """Return what distinguishes this encoder's features from another's."""
        options = {"stateful": self.stateful, "layers": self.layers, "size": self.size}
        return {"files": self._files, "options": options}

    def features(
        self, documents: Sequence[Document], workers: Executor | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (position of the document, (tokens, layers, size) float16), in an order of the encoder's choice.

        Args:
            workers: threads that compute whole batches, unless each batch needs the one before it.
        """
        self._tell_of_long_tokens(documents)
        state: State | None = None

        def computed(indices: list[int]) -> list[tuple[int, np.ndarray]]:
            nonlocal state
            ids, lengths = characters([documents[index].tokens for index in indices], self._characters)
            with torch.inference_mode():
                layers, after = self.model(ids.to(self.device), lengths.to(self.device), state)
                values = layers.half().cpu().numpy()
            state = after if self.stateful else None
            rows = enumerate(indices)
            return [(index, values[row, 1 : 1 + len(documents[index].tokens)]) for row, index in rows]

        batches = self._batches([len(document.tokens) for document in documents])
        for features in (map if workers is None or self.stateful else workers.map)(computed, batches):
            yield from features

    def _batches(self, lengths: list[int]) -> list[list[int]]:
        if self.stateful:
            return [[index] for index in range(len(lengths))]
        return batches_by_length([length + MARKS for length in lengths], padded=TOKENS_A_BATCH)

    def _tell_of_long_tokens(self, documents: Sequence[Document]) -> None:
        room = self._characters - MARKS
        forms = {token for document in documents for token in document.tokens}
        longer = [token for token in forms if len(token.encode("utf-8", errors="surrogatepass")) > room]
        if longer:
            log.info("%d word forms have more than %d bytes: ELMo reads the first %d", len(longer), room, room)
