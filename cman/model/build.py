"""From settings to a model."""

from torch import Tensor

from cman.config.settings import Settings
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.vocabulary import Vocabulary
from cman.model.cman import Cman
from cman.model.inputs import Inputs
from cman.model.multihead import MultiHead


def build_model(
    settings: Settings,
    vocabulary: Vocabulary,
    vectors: Tensor | None = None,
    contextual: tuple[int, int] | None = None,
    encoder: TransformerEncoder | None = None,
) -> Cman | MultiHead:
    """Return a new model of the architecture that the settings name; arguments as for `Inputs`."""
    inputs = Inputs(vocabulary, settings, vectors, contextual, encoder)
    return (Cman if settings.architecture == "cman" else MultiHead)(inputs, vocabulary, settings)
