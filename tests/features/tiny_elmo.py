"""A tiny random ELMo in the public file format, and what it computes by plain loops over NumPy arrays.

The loops follow the paper's equations and the public description of the files one token, one gate and one character at
a time; they share no line with the package.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

DIM, CELLS, CHARS = 3, 5, 10
FILTERS = [(1, 4), (2, 3), (3, 2)]
WIDTH = sum(number for _, number in FILTERS)
OPTIONS: dict[str, Any] = {
    "lstm": {
        "dim": CELLS,
        "projection_dim": 4,
        "n_layers": 2,
        "cell_clip": 0.2,
        "proj_clip": 0.05,
        "use_skip_connections": True,
    },
    "char_cnn": {
        "embedding": {"dim": DIM},
        "filters": [list(pair) for pair in FILTERS],
        "n_highway": 2,
        "n_characters": 262,
        "max_characters_per_token": CHARS,
        "activation": "relu",
    },
    "n_train_tokens_per_epoch": 768648884,
}


def changed(**changes: Any) -> dict[str, Any]:
    """The options with some of the recurrent layers' or the token encoder's changed; None removes a key."""
    options = json.loads(json.dumps(OPTIONS))
    for key, value in changes.items():
        group = options["lstm"] if key in options["lstm"] else options["char_cnn"]
        group[key] = value
        if value is None:
            del group[key]
    return options


def random_weights(options: dict[str, Any] = OPTIONS, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    size, cells = options["lstm"]["projection_dim"], options["lstm"]["dim"]
    weights = {"char_embed": rng.normal(size=(261, DIM))}
    for index, (width, number) in enumerate(FILTERS):
        weights[f"CNN/W_cnn_{index}"] = rng.normal(size=(1, width, DIM, number))
        weights[f"CNN/b_cnn_{index}"] = rng.normal(size=number)
    for index in range(options["char_cnn"]["n_highway"]):
        for gate in ("carry", "transform"):
            weights[f"CNN_high_{index}/W_{gate}"] = rng.normal(size=(WIDTH, WIDTH))
            weights[f"CNN_high_{index}/b_{gate}"] = rng.normal(size=WIDTH)
    weights["CNN_proj/W_proj"] = rng.normal(size=(WIDTH, size))
    weights["CNN_proj/b_proj"] = rng.normal(size=size)
    for direction in range(2):
        for layer in range(options["lstm"]["n_layers"]):
            cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            weights[f"{cell}/W_0"] = rng.normal(size=(2 * size, 4 * cells))
            weights[f"{cell}/B"] = rng.normal(size=4 * cells)
            weights[f"{cell}/W_P_0"] = rng.normal(size=(cells, size))
    # Small enough that float32 keeps five digits behind the point.
    return {name: (0.4 * values).astype(np.float32) for name, values in weights.items()}


def write_elmo(
    folder: Path, options: dict[str, Any] = OPTIONS, weights: dict[str, np.ndarray] | None = None
) -> tuple[Path, Path]:
    """Write both files; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "options.json").write_text(json.dumps(options))
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, values in (random_weights() if weights is None else weights).items():
            file[name] = values
    return folder / "options.json", folder / "weights.hdf5"


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


class PlainElmo:
    """The same network, one number after another."""

    def __init__(self, options: dict[str, Any], weights: dict[str, np.ndarray]) -> None:
        self.options = options
        self.weights = {name: values.astype(np.float64) for name, values in weights.items()}
        self.state: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def read(self, tokens: list[str]) -> np.ndarray:
        """(tokens, layers, 2 x projection); `state` goes on from sentence to sentence unless it is emptied."""
        room = CHARS - 2
        spelled = [[256], *(list(token.encode())[:room] for token in tokens), [257]]
        vectors = [self.token([258, *codes, 259] + [260] * (room - len(codes))) for codes in spelled]
        stacked = [[np.concatenate([vector, vector]) for vector in vectors]]
        lstm = self.options["lstm"]
        halves = []
        for direction in range(2):
            values = vectors[::-1] if direction else vectors
            halves.append([])
            for layer in range(lstm["n_layers"]):
                read = self.lstm(direction, layer, values)
                if layer and lstm["use_skip_connections"]:
                    read = [new + old for new, old in zip(read, values, strict=True)]
                values = read
                halves[-1].append(values[::-1] if direction else values)
        for forwards, backwards in zip(*halves, strict=True):
            stacked.append([np.concatenate(pair) for pair in zip(forwards, backwards, strict=True)])
        return np.array(stacked).transpose(1, 0, 2)[1:-1]

    def token(self, codes: list[int]) -> np.ndarray:
        activation = {"relu": lambda value: max(value, 0.0), "tanh": np.tanh}[self.options["char_cnn"]["activation"]]
        embedded = [self.weights["char_embed"][code] for code in codes]
        vector = []
        for index, (width, number) in enumerate(FILTERS):
            for output in range(number):
                scores = []
                for start in range(len(codes) - width + 1):
                    score = self.weights[f"CNN/b_cnn_{index}"][output]
                    for offset in range(width):
                        score += self.weights[f"CNN/W_cnn_{index}"][0, offset, :, output] @ embedded[start + offset]
                    scores.append(score)
                vector.append(activation(max(scores)))
        values = np.array(vector)
        for index in range(self.options["char_cnn"]["n_highway"]):
            part = {name: self.weights[f"CNN_high_{index}/{name}"]
                    for name in ("W_carry", "b_carry", "W_transform", "b_transform")}  # fmt: skip
            carried = [sigmoid(value) for value in values @ part["W_carry"] + part["b_carry"]]
            new = np.maximum(values @ part["W_transform"] + part["b_transform"], 0)
            values = np.array([gate * high + (1 - gate) * low
                               for gate, high, low in zip(carried, new, values, strict=True)])  # fmt: skip
        return values @ self.weights["CNN_proj/W_proj"] + self.weights["CNN_proj/b_proj"]

    def lstm(self, direction: int, layer: int, inputs: list[np.ndarray]) -> list[np.ndarray]:
        name = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
        kernel, bias, projection = (self.weights[f"{name}/{part}"] for part in ("W_0", "B", "W_P_0"))
        lstm = self.options["lstm"]
        cells = lstm["dim"]
        memory, output = self.state.get((direction, layer), (np.zeros(cells), np.zeros(lstm["projection_dim"])))
        outputs = []
        for vector in inputs:
            scores = np.concatenate([vector, output]) @ kernel + bias
            hidden = np.zeros(cells)
            new = np.zeros(cells)
            for unit in range(cells):
                enter, candidate, forget, leave = (scores[gate * cells + unit] for gate in range(4))
                value = sigmoid(forget + 1) * memory[unit] + sigmoid(enter) * np.tanh(candidate)
                if lstm.get("cell_clip") is not None:
                    value = min(max(value, -lstm["cell_clip"]), lstm["cell_clip"])
                new[unit] = value
                hidden[unit] = sigmoid(leave) * np.tanh(value)
            memory, output = new, hidden @ projection
            if lstm.get("proj_clip") is not None:
                output = np.clip(output, -lstm["proj_clip"], lstm["proj_clip"])
            outputs.append(output)
        self.state[direction, layer] = (memory, output)
        return outputs
