"""Prodigy's JSON lines (`db-out` of ner.manual, spans.manual or rel.manual): a text a line with tokens and spans.

    {"text": "Ada works at Acme.", "tokens": [{"text": "Ada", "start": 0, "end": 3, "id": 0}, ...],
     "spans": [{"start": 0, "end": 3, "label": "Per"}, ...], "answer": "accept",
     "relations": [{"head_span": {"start": 0, "end": 3, ...}, "child_span": {...}, "label": "Works", ...}]}

What was not accepted is not read. The tokens are kept; `head_span` is the head of a relation, `child_span` its tail.
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

OF_PRODIGY = {"spans", "tokens", "answer", "_task_hash"}
NUMBERED_AFTER = "-"  # a document is a sentence of a text, whose name and number it has


def files(corpus: OwnText) -> list[RawFile]:
    """Return the file of each split."""
    return own_files(list(corpus.split_paths.values()))


def read(corpus: OwnText, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_file`."""
    language, across = corpus.language, corpus.across
    return {split: read_file(path, split, language, warnings, across) for split, path in corpus.split_paths.items()}


@reads("a text a line, as Prodigy exports it")
def read_file(
    path: Path, split: str | None, language: str, warnings: list[str], across: Across = "join"
) -> list[Document]:
    """Read one file; see `cman.corpora.texts.read_texts`."""
    refused: Counter[str] = Counter()
    documents = read_texts(path, _texts(path, refused), language, warnings, across)
    if refused:
        listed = ", ".join(f"{count} {answer!r}" for answer, count in sorted(refused.items()))
        warnings.append(f"{path}: texts with another answer than 'accept', left out: {listed}")
    return documents


def _texts(path: Path, refused: Counter[str]) -> Iterator[AnnotatedText]:
    for number, (where, record) in enumerate(json_records(path), start=1):
        if record.get("answer", "accept") != "accept":
            refused[str(record["answer"])] += 1
            continue
        if not OF_PRODIGY & set(record):
            raise CmanError(f"{where}: found the keys {', '.join(record)}, wanted text with tokens and spans")
        text, found = value_of(record, "text", str, where), Annotations()
        known: dict[tuple[int, int], str] = {}
        for place, item in enumerate(value_of(record, "spans", list, where, default=[])):
            start, end = _ends(item, f"{where}: spans")
            if item.get("label") is None:  # a part of a sentence that rel.manual marks, but no entity
                found.others["span without a label"] += 1
                continue
            found.spans[str(place)] = Span(value_of(item, "label", str, where), ((start, end),), f"{where}: spans", "")
            known.setdefault((start, end), str(place))
        for link in value_of(record, "relations", list, where, default=[]):
            where_link = f"{where}: relations"
            pair = [value_of(link, key, dict, where_link) for key in ("head_span", "child_span")]
            head, tail = (known.get(_ends(span, where_link)) for span in pair)
            if head is None or tail is None:
                found.others["relation of what is no entity"] += 1
                continue
            found.relations.append((where, value_of(link, "label", str, where_link), head, tail))
        meta = record.get("meta")
        name = record.get("id", meta.get("id", number) if isinstance(meta, dict) else number)
        yield AnnotatedText(str(name), text, found, _tokens(record, text, where))


def _ends(item: Any, where: str) -> tuple[int, int]:
    return value_of(item, "start", int, where), value_of(item, "end", int, where)


def _tokens(record: dict[str, Any], text: str, where: str) -> list[tuple[int, int]] | None:
    if "tokens" not in record:
        return None
    tokens = []
    for item in value_of(record, "tokens", list, where):
        start, end = _ends(item, f"{where}: tokens")
        if text[start:end] != item.get("text", text[start:end]):
            raise CmanError(f"{where}: tokens: found {item['text']!r}, wanted {text[start:end]!r}, which it covers")
        if text[start:end].strip():
            tokens.append((start, end))
    return tokens


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents with texts and without scores."""
    return fitting_texts(documents)


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write documents that fit, a text a line, atomically; their ids stand under `meta`."""
    lines = []
    for document in documents:
        text, offsets = document.text or "", document.offsets or ()
        spans = [
            {
                "start": start,
                "end": end,
                "token_start": entity.start,
                "token_end": entity.end - 1,
                "label": entity.type,
            }
            for index, entity in enumerate(document.entities)
            for start, end in [characters(document, index)]
        ]
        record = {
            "text": text,
            "meta": {"id": document.id},
            "tokens": [
                {"text": text[start:end], "start": start, "end": end, "id": place}
                for place, (start, end) in enumerate(offsets)
            ],
            "spans": spans,
            "relations": [
                {
                    "head": spans[link.head]["token_end"],
                    "child": spans[link.tail]["token_end"],
                    "head_span": spans[link.head],
                    "child_span": spans[link.tail],
                    "label": link.type,
                }
                for link in document.relations
            ],
            "answer": "accept",
        }
        lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    write_text(path, "".join(lines))
