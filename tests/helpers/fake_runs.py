"""Run folders made up for tests: as many documents and predictions as their scores count."""

import json
from pathlib import Path
from typing import Any

COUNTED = ("true_positive", "predicted", "gold")


def fake_run(
    root: Path,
    corpus: str,
    experiment: str,
    entities: tuple[int, int, int],
    relations: tuple[int, int, int],
    split: str = "main",
    seed: int = 1,
    documents: int = 3,
    **changes: Any,
) -> Path:
    """A run whose counts are (true positives, predicted, gold), all of the type A, under every matching."""
    provenance = {"corpus": corpus, "corpus_title": corpus.upper(), "sample": corpus.endswith("-sample")}
    provenance |= {"experiment": experiment, "title": experiment, "split": split, "seed": seed, "protocol": "p"}
    provenance |= {"inputs_title": "i", "git": {"revision": "0123abc", "changed": False}} | changes
    folder = root / corpus / experiment / split / f"seed{seed}"
    folder.mkdir(parents=True)
    scores: dict[str, Any] = {"documents": documents}
    for task, counts in (("entities", entities), ("relations", relations)):
        level = dict(zip(COUNTED, counts, strict=True))
        modes = ("strict", "boundaries", "relaxed")
        scores[task] = {mode: {"all": level, "types": {"A": level}} for mode in modes}
    (folder / "scores.json").write_text(json.dumps(scores))
    (folder / "provenance.json").write_text(json.dumps(provenance))
    (folder / "predictions.jsonl").write_text("".join(_documents(documents, entities[1], relations[1])))
    return folder


def _documents(documents: int, entities: int, relations: int) -> list[str]:
    """The first document has all entities, one a token, and relations between pairs of them."""
    pairs = [(head, tail) for head in range(entities) for tail in range(entities) if head != tail][:relations]
    assert len(pairs) == relations
    first = {
        "id": "0",
        "tokens": [f"t{place}" for place in range(max(entities, 1))],
        "entities": [{"type": "A", "start": place, "end": place + 1} for place in range(entities)],
        "relations": [{"type": "A", "head": head, "tail": tail} for head, tail in pairs],
    }
    others = [{"id": str(name), "tokens": ["t"], "entities": [], "relations": []} for name in range(1, documents)]
    return [json.dumps(document) + "\n" for document in (first, *others)]
