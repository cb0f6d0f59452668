"""Which of an encoder's layers features keep: all of them for a learned mix, else the one vector that the mix is.

A model that reads the top layer, or the mean of the layers (`contextual.mix`), needs no others: of an encoder with six
layers above its embeddings that is a seventh of the bytes, or two sevenths. Features with all layers serve every model,
others the models of their own mix alone.
"""

from typing import Any, Literal

import numpy as np

from cman.errors import CmanError

Layers = Literal["all", "top", "mean"]

NAMES: dict[Layers, str] = {"all": "all layers", "top": "the top layer", "mean": "the mean of the layers"}
TYPES: dict[Layers, np.dtype[Any]] = {"all": np.dtype("<f2"), "top": np.dtype("<f2"), "mean": np.dtype("<f4")}


def kept(values: np.ndarray, layers: Layers) -> np.ndarray:
    """Return what is kept of a document's features (tokens, layers, size) float16, in the type that TYPES names.

    The mean is not rounded to float16, so a model computes with it what it would compute with all layers.
    """
    if layers == "top":
        return values[:, -1:]
    if layers == "mean":
        import torch  # here: what reads no features does not wait for it

        return torch.from_numpy(values).float().mean(1, keepdim=True).numpy()
    return values


def serves(there: Layers, needed: Layers) -> bool:
    """Say whether features that keep some layers have those that a model needs."""
    return there in ("all", needed)


def check_layers(there: Layers, needed: Layers, where: str) -> None:
    """Refuse features that lack layers which a model needs.

    Raises:
        CmanError: see above.
    """
    if not serves(there, needed):
        raise CmanError(
            f"{where}: found {NAMES[there]} of the encoder, wanted {NAMES[needed]}, as contextual.mix says; "
            "embed the corpus again, with `cman embed --all-layers` if the configuration does not list the experiment"
        )
