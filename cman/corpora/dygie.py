"""DyGIE++'s JSON lines (Wadden et al. 2019), which PURE (Zhong and Chen 2021) and SciERC share.

A line is a text: `sentences` holds the tokens of each, `ner` and `relations` the annotation of each. Spans count tokens
from the start of the text, both ends inclusive; a relation names its arguments by their spans. A sentence becomes a
document: `doc_key` is the id of a text's only sentence, `doc_key#1` that of the first of several. Other keys (clusters,
events, predictions) are not read; a text without `ner` or `relations` has none.

What is written has a sentence a line. It holds no scores and no text, and of entities that share a span relations can
only have the first.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cman.config.own import Own
from cman.corpora.document import Document, Entity, Relation, parse_document, without_scores
from cman.corpora.formats import RawFile, own_files
from cman.errors import CmanError, reads
from cman.files import text_lines, write_text

NUMBERED_AFTER = "#"  # of the sentences of a text, where it has several


def files(corpus: Own) -> list[RawFile]:
    """Return the file of each split."""
    return own_files(list(corpus.split_paths.values()))


def read(corpus: Own, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_file`."""
    return {split: read_file(path, None, corpus.language, warnings) for split, path in corpus.split_paths.items()}


@reads("a text a line")
def read_file(path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    """Read one file; relations written twice are read once, with a warning.

    Raises:
        CmanError: the first malformed line, with its number, field, what was found and what was wanted.
    """
    return documents_of(_records(path), str(path), warnings)


def _records(path: Path) -> Iterator[tuple[Any, str]]:
    for number, line in text_lines(path):
        if line.strip():
            where = f"{path}: line {number}"
            try:
                yield json.loads(line), where
            except (ValueError, RecursionError) as error:
                raise CmanError(f"{where}: found invalid JSON ({error}), wanted a text a line") from None


def documents_of(records: Iterable[tuple[Any, str]], path: str, warnings: list[str]) -> list[Document]:
    """Return the sentences of texts, each given with its place for messages.

    Raises:
        CmanError: see `read_file`.
    """
    documents: dict[str, Document] = {}
    for text, where in records:
        for document in _sentences(text, where, warnings):
            if document.id in documents:
                raise CmanError(f"{where}: field doc_key: found {document.id!r} a second time")
            documents[document.id] = document
    if not documents:
        raise CmanError(f"{path}: found no sentence, wanted a text a line")
    return list(documents.values())


def _sentences(text: Any, where: str, warnings: list[str]) -> Iterator[Document]:
    if not isinstance(text, dict):
        raise CmanError(f"{where}: found {json.dumps(text)[:40]!r}, wanted an object with doc_key and sentences")
    sentences = text.get("sentences")
    if not isinstance(sentences, list) or not all(isinstance(tokens, list) for tokens in sentences):
        raise CmanError(f"{where}: field sentences: found {str(sentences)[:40]}, wanted a list of lists of tokens")
    annotations = {key: text.get(key, [[]] * len(sentences)) for key in ("ner", "relations")}
    for key, lists in annotations.items():
        if not isinstance(lists, list) or [type(each) for each in lists] != [list] * len(sentences):
            raise CmanError(
                f"{where}: field {key}: found {str(lists)[:40]}, wanted {len(sentences)} lists, one a sentence"
            )
    start, name = 0, text.get("doc_key")
    for number, tokens in enumerate(sentences, start=1):
        identifier = f"{name}#{number}" if len(sentences) > 1 and isinstance(name, str) else name
        ner, relations = (annotations[key][number - 1] for key in ("ner", "relations"))
        yield _document(identifier, tokens, ner, relations, start, f"{where}: sentence {number}", warnings)
        start += len(tokens)


def _document(
    identifier: Any, tokens: list[Any], ner: list[Any], links: list[Any], start: int, where: str, warnings: list[str]
) -> Document:
    """Return one sentence, whose first token is number `start` of the text."""
    entities = [_spans(item, 1, start, len(tokens), f"{where}: field ner") for item in ner]
    known: dict[tuple[int, int], int] = {}  # span -> its first entity
    for position, ((span,), _) in enumerate(entities):
        known.setdefault(span, position)
    relations: dict[tuple[str, int, int], None] = {}
    for item in links:
        ends, label = _spans(item, 2, start, len(tokens), f"{where}: field relations")
        missing = next((end for end in ends if end not in known), None)
        if missing is not None:
            written = [start + missing[0], start + missing[1] - 1]
            raise CmanError(f"{where}: field relations: found the span {written}, wanted one of the sentence's ner")
        relation = label, known[ends[0]], known[ends[1]]
        if relation in relations:
            warnings.append(f"{where}: the relation {label} is written twice, read once")
        relations[relation] = None
    value = {
        "id": identifier,
        "tokens": tokens,
        "entities": [{"type": label, "start": span[0], "end": span[1]} for (span,), label in entities],
        "relations": [{"type": label, "head": head, "tail": tail} for label, head, tail in relations],
    }
    return parse_document(value, where)


def _spans(item: Any, count: int, start: int, length: int, where: str) -> tuple[list[tuple[int, int]], str]:
    """Return the spans that an annotation begins with, counted within the sentence, `end` exclusive; and its label."""
    if (
        not isinstance(item, list)
        or len(item) != 2 * count + 1
        or any(type(end) is not int for end in item[:-1])
        or not isinstance(item[-1], str)
    ):
        wanted = ", ".join(["START, END"] * count)
        raise CmanError(f"{where}: found {str(item)[:60]}, wanted [{wanted}, LABEL]")
    spans = [(item[place] - start, item[place + 1] - start + 1) for place in range(0, 2 * count, 2)]
    for first, last in spans:
        if not 0 <= first < last <= length:
            raise CmanError(
                f"{where}: found {item}, wanted tokens of its sentence, which are {start} to {start + length - 1}"
            )
    return spans, item[-1]


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents as this format can hold them, and how often it cannot hold what."""
    lost: Counter[str] = Counter()
    result = []
    for given in documents:
        document = without_scores(given, lost)
        first: dict[tuple[int, int], int] = {}
        for position, entity in enumerate(document.entities):
            first.setdefault((entity.start, entity.end), position)
        kept = [link for link in dict.fromkeys(document.relations) if {link.head, link.tail} <= set(first.values())]
        lost["relations written twice or of the second entity of a span"] += len(document.relations) - len(kept)
        lost["texts"] += given.text is not None or given.offsets is not None
        result.append(replace(document, relations=tuple(kept), text=None, offsets=None))
    return result, lost


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write documents that fit, one a line, atomically."""
    lines = []
    for document in documents:
        ner = [[*_span(entity), entity.type] for entity in document.entities]
        links = [_link(document.entities, link) for link in document.relations]
        text = {"doc_key": document.id, "sentences": [list(document.tokens)], "ner": [ner], "relations": [links]}
        lines.append(json.dumps(text, ensure_ascii=False) + "\n")
    write_text(path, "".join(lines))


def _span(entity: Entity) -> tuple[int, int]:
    return entity.start, entity.end - 1


def _link(entities: Sequence[Entity], link: Relation) -> list[int | str]:
    return [*_span(entities[link.head]), *_span(entities[link.tail]), link.type]
