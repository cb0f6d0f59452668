"""Extractions as a graph: N-Triples, or a file of nodes and one of edges as graph databases import them.

A node is an entity's type and text (blanks made one), or what `link` gave it; an edge is a relation in a document.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cman.files import atomic_text, csv_lines

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
NODE = (":ID", "name", ":LABEL")
EDGE = (":START_ID", ":END_ID", ":TYPE", "document", "score:float")


def node_of(entity: dict[str, Any]) -> str:
    """Return the name of an entity's node."""
    return str(entity.get("link") or f"{entity['type']}:{' '.join(entity['text'].split())}")


def write_ntriples(lines: Iterable[str], target: Path) -> None:
    """Write extraction lines as N-Triples, atomically."""
    with atomic_text(target) as stream:
        stream.writelines(ntriples(lines))


def ntriples(lines: Iterable[str]) -> Iterator[str]:
    """Yield N-Triples: type and label of each entity, and the relations. A name that is no address is a URN."""
    for line in lines:
        value = json.loads(line)
        nodes = [_address(node_of(entity), "entity") for entity in value["entities"]]
        for node, entity in zip(nodes, value["entities"], strict=True):
            yield f"{node} <{RDF}> {_address(entity['type'], 'type')} .\n"
            yield f"{node} <{LABEL}> {_literal(' '.join(entity['text'].split()))} .\n"
        for link in value["relations"]:
            yield f"{nodes[link['head']]} {_address(link['type'], 'relation')} {nodes[link['tail']]} .\n"


def _address(name: str, kind: str) -> str:
    if "://" in name and not any(char in name for char in ' <>"{}|^`\\'):
        return f"<{name}>"
    return f"<urn:cman:{kind}:{quote(name, safe=':')}>"


def _literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def graph_files(target: Path) -> tuple[Path, Path]:
    """Return the files of nodes and edges: `out.nodes.csv` and `out.edges.csv` of `out.csv`."""
    return target.with_name(f"{target.stem}.nodes.csv"), target.with_name(f"{target.stem}.edges.csv")


def write_graph(lines: Iterable[str], target: Path) -> None:
    """Write nodes, each once, and edges, in the columns that Neo4j's import reads; atomically, the edges last.

    The names of the nodes are in memory.
    """
    nodes: dict[str, tuple[str, str]] = {}

    def edges() -> Iterator[dict[str, Any]]:
        for line in lines:
            value = json.loads(line)
            names = [node_of(entity) for entity in value["entities"]]
            for name, entity in zip(names, value["entities"], strict=True):
                nodes.setdefault(name, (" ".join(entity["text"].split()), entity["type"]))
            for link in value["relations"]:
                score = None if link["score"] is None else str(link["score"])
                cells = (names[link["head"]], names[link["tail"]], link["type"], value["id"], score)
                yield dict(zip(EDGE, cells, strict=True))

    node_file, edge_file = graph_files(target)
    with atomic_text(edge_file) as stream:
        csv_lines(stream, EDGE, edges())
        with atomic_text(node_file) as other:
            csv_lines(other, NODE, (dict(zip(NODE, (name, *value), strict=True)) for name, value in nodes.items()))
