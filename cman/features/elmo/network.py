"""ELMo (Peters et al., NAACL 2018): the bidirectional language model as a frozen network, layer by layer.

A token's characters pass a convolution, highway layers and a projection; each direction then reads the sentence with
stacked LSTMs whose cells are clipped and whose outputs are projected and clipped. Layer 0 is the token's own vector,
given to both directions, and the others are the LSTMs'.

Shapes: B sentences, T tokens of the longest including its two marks, C characters, D cells, P values of a projection,
K layers = LSTM layers + 1.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from cman.features.elmo.weights import ElmoOptions, cell_name

SENTENCE_START, SENTENCE_END, WORD_START, WORD_END, PAD = 256, 257, 258, 259, 260
FORMS_A_STEP = 256  # different words convolved at a time: bounds memory
STEPS = 32  # tokens whose inputs are multiplied at once; the recurrence itself goes token by token

# One (cell, output) pair of (B, D) and (B, P) for each LSTM layer of each direction, the forward direction first.
State = list[tuple[Tensor, Tensor]]


def spell(token: str, size: int) -> list[int]:
    """Return the `size` character ids of a token: its UTF-8 bytes, as many as fit between the marks of a word."""
    return _framed(list(token.encode("utf-8", errors="surrogatepass")[: size - 2]), size)


def _framed(codes: list[int], size: int) -> list[int]:
    framed = [WORD_START, *codes, WORD_END]
    # One more than the code: id 0 is the padding of a sentence, whose vector is zero.
    return [code + 1 for code in framed + [PAD] * (size - len(framed))]


def characters(sentences: Sequence[Sequence[str]], size: int) -> tuple[Tensor, Tensor]:
    """Return (B, T, C) character ids, each sentence between its marks and 0 behind it, and its (B,) lengths."""
    start, end = _framed([SENTENCE_START], size), _framed([SENTENCE_END], size)
    lengths = [len(tokens) + 2 for tokens in sentences]
    ids = np.zeros((len(sentences), max(lengths), size), dtype=np.int64)
    for row, tokens in enumerate(sentences):
        ids[row, : lengths[row]] = [start, *(spell(token, size) for token in tokens), end]
    return torch.from_numpy(ids), torch.tensor(lengths)


class TokenEncoder(nn.Module):
    """(n, C) character ids -> (n, P) vectors that know nothing of their neighbours."""

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        cnn = options.char_cnn
        size = cnn.embedding.dim
        self.activation = torch.relu if cnn.activation == "relu" else torch.tanh
        self.lookup = nn.Embedding(cnn.n_characters, size, padding_idx=0)
        self.filters = nn.ModuleList(nn.Conv1d(size, number, width) for width, number in cnn.filters)
        width = sum(number for _, number in cnn.filters)
        self.carry = nn.ModuleList(nn.Linear(width, width) for _ in range(cnn.n_highway))
        self.transform = nn.ModuleList(nn.Linear(width, width) for _ in range(cnn.n_highway))
        self.projection = nn.Linear(width, options.lstm.projection_dim)

    def forward(self, ids: Tensor) -> Tensor:
        embedded = self.lookup(ids).transpose(1, 2)  # (n, size, C)
        vector = torch.cat([self.activation(filters(embedded).amax(2)) for filters in self.filters], 1)
        for carry, transform in zip(self.carry, self.transform, strict=True):
            gate = torch.sigmoid(carry(vector))
            vector = gate * torch.relu(transform(vector)) + (1 - gate) * vector
        projected: Tensor = self.projection(vector)
        return projected


class ProjectedLstm(nn.Module):
    """One LSTM layer of one direction with clipped cells and clipped, projected outputs."""

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        lstm = options.lstm
        self.cell_clip, self.proj_clip = lstm.cell_clip, lstm.proj_clip
        scale = lstm.projection_dim**-0.5
        # Rows are the input, new, forget and output gates, one after another.
        self.input = nn.Parameter(torch.randn(4 * lstm.dim, lstm.projection_dim) * scale)
        self.recurrent = nn.Parameter(torch.randn(4 * lstm.dim, lstm.projection_dim) * scale)
        self.bias = nn.Parameter(torch.zeros(4 * lstm.dim))
        self.projection = nn.Parameter(torch.randn(lstm.projection_dim, lstm.dim) * lstm.dim**-0.5)

    def forward(self, inputs: Tensor, active: list[int], cell: Tensor, output: Tensor) -> Tensor:
        """Read (T, B, P) inputs, longest sentence first; return (T, B, P) outputs, zero behind a sentence's end.

        Args:
            active: for each step, how many sentences reach it.
            cell, output: (B, D) and (B, P) before the first token; changed in place to those after the last.
        """
        outputs = torch.zeros_like(inputs)
        for start in range(0, len(active), STEPS):
            given = linear(inputs[start : start + STEPS, : active[start]], self.input, self.bias)
            for step, count in enumerate(active[start : start + STEPS], start=start):
                gates = linear(output[:count], self.recurrent).add_(given[step - start, :count])
                enter, new, forget, leave = gates.chunk(4, 1)
                memory = torch.sigmoid(enter) * torch.tanh(new) + torch.sigmoid(forget) * cell[:count]
                if self.cell_clip is not None:
                    memory = memory.clamp(-self.cell_clip, self.cell_clip)
                value = linear(torch.sigmoid(leave) * torch.tanh(memory), self.projection)
                if self.proj_clip is not None:
                    value = value.clamp(-self.proj_clip, self.proj_clip)
                cell[:count], output[:count], outputs[step, :count] = memory, value, value
        return outputs


class BiLm(nn.Module):
    """The whole network. Its weights are random until `load`."""

    def __init__(self, options: ElmoOptions) -> None:
        super().__init__()
        self.options = options
        self.tokens = TokenEncoder(options)
        self.stacks = nn.ModuleList(
            nn.ModuleList(ProjectedLstm(options) for _ in range(options.lstm.n_layers)) for _ in range(2)
        )
        self.layers = options.lstm.n_layers + 1
        self.size = 2 * options.lstm.projection_dim
        self.requires_grad_(False)

    def load(self, weights: dict[str, np.ndarray]) -> None:
        """Take the weights that `cman.features.elmo.weights.read_weights` read."""
        tensors = {name: torch.from_numpy(values) for name, values in weights.items()}
        encoder, size = self.tokens, self.options.lstm.projection_dim
        encoder.lookup.weight[1:] = tensors["char_embed"]
        for index, filters in enumerate(encoder.filters):
            filters.weight.copy_(tensors[f"CNN/W_cnn_{index}"][0].permute(2, 1, 0))  # type: ignore[operator]
            filters.bias.copy_(tensors[f"CNN/b_cnn_{index}"])  # type: ignore[operator]
        for gate, layers in (("carry", encoder.carry), ("transform", encoder.transform)):
            for index, layer in enumerate(layers):
                layer.weight.copy_(tensors[f"CNN_high_{index}/W_{gate}"].T)  # type: ignore[operator]
                layer.bias.copy_(tensors[f"CNN_high_{index}/b_{gate}"])  # type: ignore[operator]
        encoder.projection.weight.copy_(tensors["CNN_proj/W_proj"].T)
        encoder.projection.bias.copy_(tensors["CNN_proj/b_proj"])
        for direction, stack in enumerate(self.stacks):
            lstm: ProjectedLstm
            for index, lstm in enumerate(stack):  # type: ignore[arg-type]
                cell = cell_name(direction, index)
                lstm.input.copy_(tensors[f"{cell}/W_0"][:size].T)
                lstm.recurrent.copy_(tensors[f"{cell}/W_0"][size:].T)
                lstm.bias.copy_(tensors[f"{cell}/B"])
                # The trainer adds 1 to the forget gate when it runs and leaves it out of the file.
                lstm.bias.view(4, -1)[2].add_(1.0)
                lstm.projection.copy_(tensors[f"{cell}/W_P_0"].T)

    def forward(self, ids: Tensor, lengths: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, C) character ids and (B,) lengths, marks included -> (B, T, K, 2P) layers and the state behind them.

        The first half of a vector is the forward direction's. Rows behind a sentence's end mean nothing.

        Args:
            state: each direction's state before its first token; None is zero, so that sentences are independent.
        """
        lstm = self.options.lstm
        order = lengths.argsort(descending=True, stable=True)
        back = order.argsort()
        sorted_lengths = lengths[order]
        steps = torch.arange(ids.shape[1], device=lengths.device)
        active = (sorted_lengths > steps[:, None]).sum(1).tolist()
        # Position t of a sentence of n tokens is n - 1 - t for the other direction; padding stays where it is.
        reverse = sorted_lengths - 1 - steps[:, None]
        reverse = torch.where(reverse < 0, steps[:, None], reverse)
        tokens = self._encoded(ids)[order].transpose(0, 1).contiguous()  # (T, B, P): a step's rows are neighbours
        layers = [torch.cat([tokens, tokens], 2)]
        halves: list[list[Tensor]] = []
        after: State = []
        for direction, stack in enumerate(self.stacks):
            values = tokens if direction == 0 else _gathered(tokens, reverse)
            halves.append([])
            layer: ProjectedLstm
            for index, layer in enumerate(stack):  # type: ignore[arg-type]
                if state is None:
                    cell, output = tokens.new_zeros(len(ids), lstm.dim), tokens.new_zeros(len(ids), lstm.projection_dim)
                else:
                    cell, output = (each[order] for each in state[direction * lstm.n_layers + index])
                read: Tensor = layer(values, active, cell, output)
                values = read + values if index and lstm.use_skip_connections else read
                halves[-1].append(values if direction == 0 else _gathered(values, reverse))
                after.append((cell[back], output[back]))
        layers += [torch.cat(pair, 2) for pair in zip(*halves, strict=True)]
        return torch.stack(layers, 2).transpose(0, 1)[back], after

    def _encoded(self, ids: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, P); a form that occurs several times is convolved once."""
        forms, inverse = torch.unique(ids.flatten(0, 1), dim=0, return_inverse=True)
        vectors: Tensor = torch.cat([self.tokens(part) for part in forms.split(FORMS_A_STEP)])
        return vectors[inverse.view(ids.shape[:2])]


def _gathered(values: Tensor, positions: Tensor) -> Tensor:
    """(T, B, P) and (T, B) positions -> (T, B, P)."""
    return values.gather(0, positions[:, :, None].expand_as(values))
