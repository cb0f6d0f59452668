"""The same triple of many documents once: how often, in which, and how sure."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cman.extract.graph import node_of
from cman.extract.shards import lines_of
from cman.files import write_csv

COLUMNS = ("head", "head_type", "relation", "tail", "tail_type", "count", "documents", "highest", "mean", "sources")
SOURCES = 20  # ids that a row names

Triple = tuple[str, str, str, str, str]


@dataclass
class Collected:
    """What is known of one triple."""

    count: int = 0
    documents: int = 0
    scored: int = 0
    total: float = 0.0
    highest: float = 0.0
    sources: list[str] = field(default_factory=list)
    last: str = ""

    def add(self, document: str, score: float | None) -> None:
        """Count one mention."""
        self.count += 1
        if score is not None:
            self.scored, self.total, self.highest = self.scored + 1, self.total + score, max(self.highest, score)
        if document != self.last or not self.documents:
            self.documents, self.last = self.documents + 1, document
            if len(self.sources) < SOURCES:
                self.sources.append(document)


def collected(lines: Iterable[str], lower: bool = False) -> dict[Triple, Collected]:
    """Return the triples of extraction lines; a triple is one by the texts (or links) and types of its ends.

    Args:
        lower: texts that differ in case alone are one.
    """
    triples: dict[Triple, Collected] = {}
    for line in lines:
        value = json.loads(line)
        ends = [(_name(entity, lower), entity["type"]) for entity in value["entities"]]
        for link in value["relations"]:
            triple = (*ends[link["head"]], link["type"], *ends[link["tail"]])
            triples.setdefault(triple, Collected()).add(value["id"], link["score"])
    return triples


def _name(entity: dict[str, Any], lower: bool) -> str:
    name = node_of(entity) if entity.get("link") else " ".join(entity["text"].split())
    return name.lower() if lower else name


def collect(inputs: Sequence[Path], target: Path, least: int = 1, lower: bool = False) -> int:
    """Write the triples of outputs of `cman extract` as CSV, the most frequent first; return how many there are.

    Raises:
        CmanError: a file holds no extractions.
    """
    triples = collected((line for path in inputs for line in lines_of(path)), lower)
    kept = [(triple, found) for triple, found in triples.items() if found.count >= least]
    kept.sort(key=lambda item: (-item[1].count, item[0]))
    write_csv(target, COLUMNS, _rows(kept))
    return len(kept)


def _rows(kept: Sequence[tuple[Triple, Collected]]) -> Iterator[dict[str, Any]]:
    for triple, found in kept:
        mean = found.total / found.scored if found.scored else None
        highest = found.highest if found.scored else None
        sources = " ".join(found.sources) + (" ..." if found.documents > len(found.sources) else "")
        cells = (*triple, found.count, found.documents, highest, mean, sources)
        yield dict(zip(COLUMNS, cells, strict=True))
