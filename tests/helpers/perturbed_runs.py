"""Run folders whose predictions are gold annotations with seeded mistakes, for tests of what reads runs."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.evaluation.scores import score_documents

COPIES = {"tokens": 100, "copied": 90, "entity_tokens": 40, "copied_entity_tokens": 35}


def perturbed(gold: Sequence[Document], rate: float, seed: int) -> list[Document]:
    """Documents in which an entity goes wrong with the probability `rate`, and a relation with the same."""
    chance = random.Random(seed)
    entities = [entity for document in gold for entity in document.entities if not entity.is_root]
    entity_types = sorted({entity.type for entity in entities}) or ["A"]
    labels = sorted({relation.type for document in gold for relation in document.relations}) or ["r"]
    return [_perturbed(document, rate, chance, entity_types, labels) for document in gold]


def _perturbed(
    document: Document, rate: float, chance: random.Random, entity_types: list[str], labels: list[str]
) -> Document:
    places: dict[int, int] = {}
    entities: list[Entity] = []
    for place, entity in enumerate(document.entities):
        kind, start, end = entity.type, entity.start, entity.end
        if chance.random() < rate and not entity.is_root:
            what = chance.choice(("drop", "type", "boundary"))
            if what == "drop":
                continue
            kind = chance.choice(entity_types) if what == "type" else kind
            end = min(end + 1, len(document.tokens)) if what == "boundary" else end
        places[place] = len(entities)
        entities.append(Entity(kind, start, end, 0.9))
    if chance.random() < rate / 3:
        start = chance.randrange(len(document.tokens))
        entities.append(Entity(chance.choice(entity_types), start, start + 1, 0.6))
    relations: list[Relation] = []
    for relation in document.relations:
        if relation.head not in places or relation.tail not in places:
            continue
        kind, head, tail = relation.type, places[relation.head], places[relation.tail]
        if chance.random() < rate:
            what = chance.choice(("drop", "label", "turn"))
            if what == "drop":
                continue
            kind = chance.choice(labels) if what == "label" else kind
            head, tail = (tail, head) if what == "turn" else (head, tail)
        relations.append(Relation(kind, head, tail, 0.8))
    if len(entities) > 1 and chance.random() < rate / 2:
        relations.append(Relation(chance.choice(labels), 0, len(entities) - 1, 0.7))
    return Document(document.id, document.tokens, tuple(entities), tuple(dict.fromkeys(relations)))


def write_run(
    root: Path, gold: Sequence[Document], found: Sequence[Document], experiment: str, seed: int, **changes: Any
) -> Path:
    """Write a run folder of the given predictions; `changes` go into its provenance."""
    provenance = {"corpus": "tiny", "corpus_title": "Tiny", "sample": False, "experiment": experiment}
    provenance |= {"title": experiment.upper(), "split": "main", "seed": seed, "protocol": "epoch chosen on dev"}
    provenance |= {"inputs_title": "characters", "git": {"revision": "0123abc"}} | changes
    folder = root / provenance["corpus"] / experiment / provenance["split"] / f"seed{seed}"
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps(provenance))
    (folder / "scores.json").write_text(json.dumps(score_documents(gold, found)))
    write_documents(folder / "predictions.jsonl", found)
    learned = "multihead" not in experiment
    lines = ["stage,epoch,loss_rel,log_variance_first,log_variance_second,log_variance_rel"]
    for stage in ("select", "retrain"):
        for epoch in range(1, 6):
            logs = [f"{0.1 * epoch * scale:.6g}" if learned else "nan" for scale in (1, 2, -1)]
            lines.append(",".join([stage, str(epoch), "1.5", *logs]))
    (folder / "history.csv").write_text("\n".join(lines) + "\n")
    (folder / "label_copies.json").write_text(json.dumps(COPIES if learned else dict.fromkeys(COPIES, 0)))
    return folder
