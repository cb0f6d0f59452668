"""ELMo's files as AllenNLP publishes them: `options.json` says how the network is built, `weights.hdf5` fills it.

The names and shapes of the weights are those that the bilm-tf trainer writes (allenai/bilm-tf, allenai/allennlp,
Apache-2.0). Every one is checked against the options before any is used.
"""

from pathlib import Path
from typing import Annotated, Literal

import h5py
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cman.errors import CmanError, reads
from cman.files import read_json

Count = Annotated[int, Field(ge=1)]
Clip = Annotated[float, Field(gt=0.0)] | None
# 256 bytes, sentence and word marks, padding, and one more for the row of zeros that the weights leave out.
CHARACTERS = 262


class Options(BaseModel):
    """A group of an options file; keys of the training alone are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class CharacterEmbedding(Options):
    """The lookup of characters."""

    dim: Count


class CharacterCnn(Options):
    """The token encoder."""

    embedding: CharacterEmbedding
    filters: Annotated[list[tuple[Count, Count]], Field(min_length=1)]  # (width, number)
    n_highway: Annotated[int, Field(ge=0)] = 0
    n_characters: Literal[262]  # CHARACTERS
    max_characters_per_token: Annotated[int, Field(ge=3)]
    activation: Literal["relu", "tanh"]


class Lstm(Options):
    """The recurrent layers of each direction."""

    dim: Count
    projection_dim: Count
    n_layers: Count
    cell_clip: Clip = None
    proj_clip: Clip = None
    use_skip_connections: bool


class ElmoOptions(Options):
    """What `options.json` says of the network."""

    lstm: Lstm
    char_cnn: CharacterCnn
    bidirectional: Literal[True] = True

    def shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Return for each weight its shape and the options that decide it."""
        cnn, lstm = self.char_cnn, self.lstm
        filters = sum(number for _, number in cnn.filters)
        shapes: dict[str, tuple[tuple[int, ...], str]] = {
            "char_embed": ((CHARACTERS - 1, cnn.embedding.dim), "char_cnn.embedding.dim"),
            "CNN_proj/W_proj": ((filters, lstm.projection_dim), "char_cnn.filters and lstm.projection_dim"),
            "CNN_proj/b_proj": ((lstm.projection_dim,), "lstm.projection_dim"),
        }
        for index, (width, number) in enumerate(cnn.filters):
            why = f"char_cnn.filters[{index}] and char_cnn.embedding.dim"
            shapes[f"CNN/W_cnn_{index}"] = ((1, width, cnn.embedding.dim, number), why)
            shapes[f"CNN/b_cnn_{index}"] = ((number,), f"char_cnn.filters[{index}]")
        for index in range(cnn.n_highway):
            for gate in ("carry", "transform"):
                why = "char_cnn.filters and char_cnn.n_highway"
                shapes[f"CNN_high_{index}/W_{gate}"] = ((filters, filters), why)
                shapes[f"CNN_high_{index}/b_{gate}"] = ((filters,), why)
        for direction in range(2):
            for layer in range(lstm.n_layers):
                cell = cell_name(direction, layer)
                why = "lstm.projection_dim, lstm.dim and lstm.n_layers"
                shapes[f"{cell}/W_0"] = ((2 * lstm.projection_dim, 4 * lstm.dim), why)
                shapes[f"{cell}/B"] = ((4 * lstm.dim,), why)
                shapes[f"{cell}/W_P_0"] = ((lstm.dim, lstm.projection_dim), why)
        return shapes


def cell_name(direction: int, layer: int) -> str:
    """Return where the weights of one layer of one direction stand: 0 reads forwards, 1 backwards."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"


@reads("ELMo's options.json")
def read_options(path: Path) -> ElmoOptions:
    """Read `options.json`.

    Raises:
        CmanError: the file is missing or no JSON, or a field is missing or out of range; the message names it.
    """
    try:
        return ElmoOptions.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "(all)"
        value = "nothing" if first["type"] == "missing" else repr(first["input"])[:80]
        raise CmanError(
            f"{path}: field {field}: found {value}, wanted the options of a character biLM "
            f"({first['msg'][0].lower()}{first['msg'][1:]})"
        ) from None


@reads("a complete HDF5 file of ELMo's weights")
def read_weights(path: Path, options: ElmoOptions, options_path: Path) -> dict[str, np.ndarray]:
    """Read `weights.hdf5` as float32 arrays by name.

    Raises:
        CmanError: the file is no HDF5 file, or a weight is missing, too many, not finite or of another shape than the
            options say; the message names file, weight, what was found and what was wanted.
    """
    expected = options.shapes()
    try:
        with h5py.File(path, "r") as file:
            stored: dict[str, tuple[int, ...]] = {}
            file.visititems(
                lambda name, item: stored.update({name: item.shape} if isinstance(item, h5py.Dataset) else {})
            )
            _compare(path, options_path, stored, expected)
            weights = {name: np.asarray(file[name], dtype=np.float32) for name in expected}
    except OSError as error:
        raise CmanError(f"{path}: cannot be read ({error}); wanted a complete HDF5 file of ELMo's weights") from None
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise CmanError(f"{path}: field {name}: found a value that is not finite, wanted numbers")
    return weights


def _compare(
    path: Path,
    options_path: Path,
    stored: dict[str, tuple[int, ...]],
    expected: dict[str, tuple[tuple[int, ...], str]],
) -> None:
    for name, (shape, why) in expected.items():
        if stored.get(name) != shape:
            has = f"the shape {stored[name]}" if name in stored else "nothing"
            raise CmanError(f"{path}: field {name}: found {has}, wanted {shape}: {why} of {options_path}")
    # Layers and filters that the options do not know would be left out of the network without a word.
    more = [name for name in stored if name.startswith(("CNN", "RNN_")) and name not in expected]
    if more:
        raise CmanError(
            f"{path}: field {more[0]}: found the shape {stored[more[0]]}, wanted nothing under this name: "
            f"lstm.n_layers, char_cnn.n_highway or char_cnn.filters of {options_path} are too few"
        )
