"""The token representation X of section III-A1: word embedding, character BiLSTM and contextual features, joined.

The character BiLSTM reads each different word form of a batch once, in groups of similar length, because most of the
words of a batch recur and a group is padded only to its own longest word.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cman.config.settings import Recurrent as RecurrentSettings
from cman.config.settings import Settings
from cman.features.batch import GROUP_ENDS, Batch
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.vocabulary import Vocabulary
from cman.model.recurrent import Recurrent

FORM_STEP = 32  # forms
CHAR_STEP = 2  # characters


class Inputs(nn.Module):
    """(batch) -> X (B, L, size), before dropout.

    Args:
        vectors: (words, dim) pre-trained vectors in the order of the vocabulary, or None for random ones.
        contextual: (layers, size) of the contextual features, or None without them.
        encoder: computes the contextual features of each batch, in the place of cached ones, and is trained.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        settings: Settings,
        vectors: Tensor | None = None,
        contextual: tuple[int, int] | None = None,
        encoder: TransformerEncoder | None = None,
    ) -> None:
        super().__init__()
        dim = settings.word.dim if vectors is None else vectors.shape[1]
        self.word = nn.Embedding(len(vocabulary.words), dim)
        nn.init.uniform_(self.word.weight, -((3.0 / dim) ** 0.5), (3.0 / dim) ** 0.5)  # variance 1 / dim
        if vectors is not None:
            self.word.weight.data.copy_(vectors)
        trainable = settings.word.trainable
        self.word.weight.requires_grad_(vectors is None if trainable is None else trainable)
        rare = torch.tensor([word in vocabulary.singletons for word in vocabulary.words])
        self.register_buffer("rare", rare if vectors is None else torch.zeros_like(rare))
        self.unknown_rate = settings.word.unknown_rate
        self.chars = CharBiLSTM(len(vocabulary.chars), settings) if settings.char.enabled else None
        self.static_size = dim + (2 * settings.char.hidden if self.chars is not None else 0)
        self.encoder = encoder
        if encoder is not None:
            contextual = (encoder.layers, encoder.size)
        self.contextual = contextual
        self.mix = LayerMix(contextual[0], settings.contextual.mix) if contextual is not None else None
        self.size = self.static_size + (contextual[1] if contextual is not None else 0)

    def forward(self, batch: Batch) -> Tensor:
        words = batch.words
        if self.training and self.unknown_rate:
            unknown = self.rare[words] & (torch.rand(words.shape, device=words.device) < self.unknown_rate)  # type: ignore[index]
            words = words.masked_fill(unknown, 0)
        embeddings = [self.word(words)]
        if self.chars is not None:
            embeddings.append(self.chars(batch.chars, batch.groups)[batch.forms])
        if self.mix is not None:
            embeddings.append(self.mix(self._layers(batch)))
        return torch.cat(embeddings, 2)

    def _layers(self, batch: Batch) -> Tensor:
        if self.encoder is not None:
            if batch.windows is None:
                raise ValueError("the model needs the pieces of its encoder and the batch has none")
            layers: Tensor = self.encoder(batch.windows, tuple(batch.words.shape))
            return layers
        if batch.contextual is None:
            raise ValueError("the model needs contextual features and the batch has none")
        return batch.contextual


class CharBiLSTM(nn.Module):
    """(U, C) character ids -> (U, 2 * hidden): the last state of each direction."""

    def __init__(self, chars: int, settings: Settings) -> None:
        super().__init__()
        self.hidden = settings.char.hidden
        self.lookup = nn.Embedding(chars, settings.char.emb, padding_idx=0)
        # Characters are read by a BiLSTM whatever the kind of the model's own recurrent unit.
        self.recurrent = Recurrent(settings.char.emb, self.hidden, RecurrentSettings(init=settings.lstm.init))

    def forward(self, chars: Tensor, groups: Sequence[tuple[int, int]]) -> Tensor:
        """Read the forms.

        Args:
            groups: as `Batch.groups`, so that no size has to be asked of the device.
        """
        parts = torch.split(chars, [count for count, _ in groups])
        return torch.cat([self._read(part[:, :longest]) for part, (_, longest) in zip(parts, groups, strict=True)])

    def _read(self, chars: Tensor) -> Tensor:
        # Rounded up to few different shapes, because PyTorch's fused LSTM on a CPU is compiled for each.
        count, longest = chars.shape
        rows = -count % FORM_STEP if longest <= GROUP_ENDS[-1] or count > FORM_STEP else 0
        lengths = (chars > 0).sum(1)
        padded = nn.functional.pad(chars, (0, -longest % CHAR_STEP, 0, rows))
        states = self.recurrent(self.lookup(padded), nn.functional.pad(lengths, (0, rows), value=1))
        forwards = states[torch.arange(len(lengths), device=chars.device), lengths - 1, : self.hidden]
        return torch.cat([forwards, states[: len(lengths), 0, self.hidden :]], 1)


class LayerMix(nn.Module):
    """One vector of an encoder's layers: a learned softmax mix times a learned gamma, the mean, or the top layer."""

    def __init__(self, layers: int, mix: str) -> None:
        super().__init__()
        self.mix = mix
        if mix == "scalar":
            self.weights = nn.Parameter(torch.zeros(layers))
            self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, layers: Tensor) -> Tensor:  # (B, L, layers, size) -> (B, L, size) float32
        if self.mix == "top":
            return layers[:, :, -1].float()
        if self.mix == "mean":
            return layers.float().mean(2)
        return self.gamma * torch.einsum("blks,k->bls", layers.float(), self.weights.softmax(0))
