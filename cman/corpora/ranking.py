"""Relations by their score, from `LEAST` up: what average precision and other thresholds than the model's are about.

A line of a file of rankings belongs to the predicted document of its id, whose entities its relations index:

    {"id": "1024", "relations": [{"type": "Live_In", "head": 0, "tail": 1, "score": 0.31}]}

The relations of `predictions.jsonl` are among them. A document without any has no line.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from cman.corpora.document import Document, Relation, json_lines, parse_relations
from cman.errors import CmanError
from cman.files import atomic_text

LEAST = 0.02

Ranking = dict[str, tuple[Relation, ...]]  # by the id of the document


def write_ranking(path: Path, ranking: Ranking) -> None:
    """Write a ranking as JSONL, atomically."""
    with atomic_text(path) as stream:
        for name, relations in ranking.items():
            if relations:
                line = {"id": name, "relations": [vars(relation) for relation in relations]}
                stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def read_ranking(path: Path, predicted: Iterable[Document]) -> Ranking:
    """Return the ranking that a file holds of these predictions.

    Raises:
        CmanError: the file is missing or malformed, or is not of these predictions: a document is not among them, or
            one of its relations is not in the ranking.
    """
    documents = {document.id: document for document in predicted}
    ranking: Ranking = {}
    for _, where, value in json_lines(path):
        name = value.get("id") if isinstance(value, dict) else None
        if not isinstance(name, str) or name not in documents or name in ranking:
            raise CmanError(f"{where}: field id: found {name!r}, wanted that of a predicted document, each once")
        ranking[name] = parse_relations(value, len(documents[name].entities), where)
    for name, document in documents.items():
        if not set(document.relations) <= set(ranking.get(name, ())):
            raise CmanError(f"{path}: document {name!r}: found not all of its predicted relations, wanted each of them")
    return ranking
