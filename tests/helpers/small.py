"""Models small enough to be built and trained in a test, and what tests read off them."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cman.config.configuration import changed
from cman.config.settings import Settings
from cman.features.batch import Batch
from cman.features.vocabulary import Vocabulary
from cman.model.build import build_model

# Sizes that differ where they can, so that no two are taken for each other; the model's width is 16.
SMALL: dict[str, Any] = {
    "word.dim": 8,
    "char.emb": 4,
    "char.hidden": 3,
    "label.emb": 5,
    "lstm.hidden": 8,
    "lstm.layers": 2,
    "attn.heads": 4,
    "rel.hidden": 7,
}
CONTEXTUAL = (3, 6)  # layers and size of the features of `RandomFeatures`
ARCHITECTURES = pytest.mark.parametrize("architecture", ["cman", "multihead"])
Shapes = dict[str, tuple[int, ...]]


def small(changes: dict[str, Any] | None = None) -> Settings:
    """Return small settings with these changes."""
    return changed(Settings(), [(SMALL | (changes or {}), "test")])


def small_model(
    vocabulary: Vocabulary, changes: dict[str, Any] | None = None, vectors: Tensor | None = None, seed: int = 0
) -> tuple[Any, Settings]:
    """Return a model in evaluation mode and its settings, from the same random state every time."""
    settings = small(changes)
    torch.manual_seed(seed)
    contextual = CONTEXTUAL if settings.contextual.enabled else None
    return build_model(settings, vocabulary, vectors, contextual).eval(), settings


def losses(model: Any, batch: Batch) -> dict[str, Tensor]:
    with torch.no_grad():
        return model.losses(model.inputs(batch), batch)


def inside(batch: Batch) -> Tensor:
    """Return which positions hold tokens, (B, L)."""
    return torch.arange(batch.words.shape[1]) < batch.lengths.unsqueeze(1)


def shapes(model: nn.Module) -> Shapes:
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def difference(before: Shapes, after: Shapes) -> set[str]:
    """Return the parameters that one of two models lacks or has in another shape."""
    return {name for name in before | after if before.get(name) != after.get(name)}
