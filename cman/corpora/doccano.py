"""doccano's JSON lines: a text a line, with `entities` and `relations`, or with spans under `label` alone.

    {"id": 1, "text": "Ada works at Acme.", "entities": [{"id": 7, "label": "Per", "start_offset": 0, "end_offset": 3},
     ...], "relations": [{"id": 1, "from_id": 7, "to_id": 8, "type": "Works"}]}
    {"id": 1, "text": "Ada works at Acme.", "label": [[0, 3, "Per"], [13, 17, "Org"]]}

Texts are divided by `language`; a document is a sentence, `1-1` the first of the text 1.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cman.config.own import Across, OwnText
from cman.corpora.document import Document
from cman.corpora.formats import RawFile, own_files
from cman.corpora.spans import Annotations, Span
from cman.corpora.texts import AnnotatedText, characters, fitting_texts, json_records, read_texts, value_of
from cman.errors import CmanError, reads
from cman.files import write_text

NUMBERED_AFTER = "-"  # a document is a sentence of a text, whose name and number it has


def files(corpus: OwnText) -> list[RawFile]:
    """Return the file of each split."""
    return own_files(list(corpus.split_paths.values()))


def read(corpus: OwnText, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_file`."""
    language, across = corpus.language, corpus.across
    return {split: read_file(path, split, language, warnings, across) for split, path in corpus.split_paths.items()}


@reads("a text a line, as doccano exports it")
def read_file(
    path: Path, split: str | None, language: str, warnings: list[str], across: Across = "join"
) -> list[Document]:
    """Read one file; see `cman.corpora.texts.read_texts`."""
    return read_texts(path, _texts(path), language, warnings, across)


def _texts(path: Path) -> Iterator[AnnotatedText]:
    for number, (where, record) in enumerate(json_records(path), start=1):
        text = record.get("text", record.get("data"))
        if not isinstance(text, str):
            raise CmanError(f"{where}: field text: found {str(text)[:40]!r}, wanted a string")
        found = Annotations()
        if not any(key in record for key in ("entities", "label", "labels")):
            raise CmanError(f"{where}: found the keys {', '.join(record)}, wanted text with entities, or with label")
        for place, item in enumerate(record.get("entities") or record.get("label") or record.get("labels") or []):
            span = _span(item, _name(item, place), where)
            found.spans[span.name] = span
        for link in value_of(record, "relations", list, where, default=[]):
            ends = [str(value_of(link, key, int, f"{where}: relations")) for key in ("from_id", "to_id")]
            missing = next((end for end in ends if end not in found.spans), None)
            if missing is not None:
                raise CmanError(f"{where}: field relations: found the entity {missing}, wanted an id of entities")
            found.relations.append((where, value_of(link, "type", str, f"{where}: relations"), ends[0], ends[1]))
        yield AnnotatedText(str(record.get("id", number)), text, found)


def _name(item: Any, place: int) -> str:
    return str(item["id"]) if isinstance(item, dict) and "id" in item else f"#{place}"


def _span(item: Any, name: str, where: str) -> Span:
    if isinstance(item, list) and len(item) == 3:
        item = dict(zip(("start_offset", "end_offset", "label"), item, strict=True))
    where = f"{where}: entities"
    start, end = (value_of(item, key, int, where) for key in ("start_offset", "end_offset"))
    return Span(value_of(item, "label", str, where), ((start, end),), where, name)


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents with texts and without scores."""
    return fitting_texts(documents)


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write documents that fit, a text a line, atomically; ids of entities and relations count through the file."""
    lines, entities, relations = [], 0, 0
    for document in documents:
        spans = [characters(document, index) for index in range(len(document.entities))]
        record = {
            "id": document.id,
            "text": document.text,
            "entities": [
                {"id": entities + index, "label": entity.type, "start_offset": start, "end_offset": end}
                for index, (entity, (start, end)) in enumerate(zip(document.entities, spans, strict=True))
            ],
            "relations": [
                {
                    "id": relations + index,
                    "from_id": entities + link.head,
                    "to_id": entities + link.tail,
                    "type": link.type,
                }
                for index, link in enumerate(document.relations)
            ],
        }
        entities, relations = entities + len(document.entities), relations + len(document.relations)
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    write_text(path, "".join(lines))
