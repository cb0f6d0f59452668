"""Model folders without training: random weights find plenty of entities, which is enough for all but their quality."""

from pathlib import Path

import torch

from cman.config.settings import Settings
from cman.corpora.document import Document, Entity, Relation
from cman.features.vocabulary import Vocabulary
from cman.model.build import build_model
from cman.model.folder import ModelFolder

SMALL = {
    "contextual": {"enabled": False},
    "word": {"dim": 8},
    "char": {"emb": 8, "hidden": 4},
    "label": {"emb": 4},
    "lstm": {"hidden": 8},
    "attn": {"heads": 2},
    "rel": {"hidden": 8, "prior": 0.95},
}
DOCUMENT = Document(
    "1",
    ("Ada", "Lovelace", "lives", "in", "London", "."),
    (Entity("Peop", 0, 2), Entity("Loc", 4, 5)),
    (Relation("Live_In", 0, 1),),
)


def untrained(folder: Path, document: Document = DOCUMENT, seed: int = 1) -> Path:
    """Write a model folder with random weights and return it."""
    torch.manual_seed(seed)
    settings = Settings.model_validate(SMALL)
    vocabulary = Vocabulary.of([document])
    model = build_model(settings, vocabulary, None, None).eval()
    torch.nn.init.normal_(model.relations.V, std=3.0)  # scores on both sides of every threshold
    ModelFolder(model, vocabulary, settings, None, None, {"corpus": "none"}).save(folder)
    return folder
