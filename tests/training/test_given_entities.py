"""Relations between given entities: `ner.given`."""

from pathlib import Path

import pytest
import torch
from trained import trained
from untrained import DOCUMENT

from cman import Extractor
from cman.config.configuration import parse_configuration
from cman.corpora.document import Document, Entity, Relation, read_documents, write_documents
from cman.errors import CmanError, UsageError
from cman.layout import Layout
from cman.model.folder import ModelFolder
from cman.model.predict import predict

# Which of two relations holds is told by the word between the entities; the entities' types say nothing.
WORDS = {"loves": "Love", "fears": "Fear"}


def document(number: int) -> Document:
    word = list(WORDS)[number % 2]
    tokens = (f"a{number % 7}", word, f"b{number % 5}", "today")
    return Document(str(number), tokens, (Entity("Thing", 0, 1), Entity("Thing", 2, 3)), (Relation(WORDS[word], 0, 1),))


@pytest.mark.parametrize("architecture", ["cman", "multihead"])
@pytest.mark.parametrize("protocol", ["train", "fixed"])
def test_relations_are_learned_and_the_given_entities_are_kept(
    tmp_path: Path, architecture: str, protocol: str
) -> None:
    layout = Layout(tmp_path)
    paths = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "dev", "test")}
    for split, numbers in (("train", range(40)), ("dev", range(40, 46)), ("test", range(46, 60))):
        write_documents(layout.documents("mine", "main") / f"{split}.jsonl", [document(n) for n in numbers])
    changes = {
        "word.dim": 8, "char.emb": 8, "char.hidden": 4, "label.emb": 4, "lstm.hidden": 8, "attn.heads": 2,
        "rel.hidden": 8, "contextual.enabled": False, "architecture": architecture, "ner.given": True,
        "at.enabled": False, "rel.prior": 0.1, "training.protocol": protocol, "training.epochs": 25,
        "training.lr": 0.02, "training.batch_size": 8, "word.unknown_rate": 0.0}  # fmt: skip
    corpora = {"mine": {"format": "jsonl", "paths": paths}}
    configuration = parse_configuration({"corpora": corpora, "experiments": ["cman"], "settings": changes}, "test")
    run = trained(configuration, layout, "mine", "cman")
    assert "loss_rel" in (run / "history.csv").read_text() and "loss_second" not in (run / "history.csv").read_text()
    test = read_documents(layout.documents("mine", "main") / "test.jsonl")
    folder = ModelFolder.load(run / "model")
    found = predict(folder, test, None, torch.device("cpu"))
    assert [one.entities for one in found] == [one.entities for one in test]
    surest = [max(one.relations, key=lambda link: link.score or 0) for one in found]
    assert [(link.type, link.head, link.tail) for link in surest] == [
        (link.type, link.head, link.tail) for one in test for link in one.relations
    ]
    with pytest.raises(UsageError, match="given entities"):
        Extractor(folder)
    with pytest.raises(CmanError, match="document 1: field entities: found 'Loc', wanted a type of training"):
        predict(folder, [DOCUMENT], None, torch.device("cpu"))
