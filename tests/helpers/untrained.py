"""Model folders without training: random weights find plenty of entities, which is enough for all but their quality."""

from pathlib import Path

import torch
from small import small_model

from cman.corpora.document import Document, Entity, Relation
from cman.features.vocabulary import Vocabulary
from cman.model.folder import ModelFolder

CHANGES = {"contextual.enabled": False, "rel.prior": 0.95}
DOCUMENT = Document(
    "1",
    ("Ada", "Lovelace", "lives", "in", "London", "."),
    (Entity("Peop", 0, 2), Entity("Loc", 4, 5)),
    (Relation("Live_In", 0, 1),),
)


def untrained(folder: Path, document: Document = DOCUMENT, seed: int = 1) -> Path:
    """Write a model folder with random weights and return it."""
    vocabulary = Vocabulary.of([document])
    model, settings = small_model(vocabulary, CHANGES, seed=seed)
    torch.nn.init.normal_(model.relations.V, std=3.0)  # scores on both sides of every threshold
    ModelFolder(model, vocabulary, settings, None, None, {"corpus": "none"}).save(folder)
    return folder
