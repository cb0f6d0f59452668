"""The files of PFN (Yan et al. 2021), a list in JSON or JSON lines, in the three layouts that it reads.

    {"text": "Ada works at Acme .", "triple_list": [["Ada", "Works", "Acme"]]}    NYT and WebNLG
    {"tokens": [...], "entities": [...], "relations": [...]}    ADE and SciERC, SpERT's layout
    {"sentences": [...], "ner": [...], "relations": [...]}    ACE, DyGIE++'s layout

Triples name their arguments by their words, of which the first occurrence is meant, and have no types of entities: all
have the type `None`, as in PFN. What is written are triples, which cannot hold types, and entities of relations alone.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cman.config.own import Own
from cman.corpora import dygie
from cman.corpora.document import Document, Entity, Relation, without_scores
from cman.corpora.formats import RawFile, own_files
from cman.corpora.spert import spert_documents
from cman.corpora.texts import json_records, value_of
from cman.errors import CmanError, reads
from cman.files import write_text

TYPE = "None"  # of every entity of a triple
NUMBERED_AFTER = dygie.NUMBERED_AFTER


def files(corpus: Own) -> list[RawFile]:
    """Return the file of each split."""
    return own_files(list(corpus.split_paths.values()))


def read(corpus: Own, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_file`."""
    return {split: read_file(path, split, corpus.language, warnings) for split, path in corpus.split_paths.items()}


@reads("a list of texts with triples")
def read_file(path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    """Read one file.

    Raises:
        CmanError: no document, or the first malformed one.
    """
    records = list(json_records(path))
    if not records:
        raise CmanError(f"{path}: found no document, wanted at least one")
    if "sentences" in records[0][1]:
        lines = [({"doc_key": str(number), **record}, where) for number, (where, record) in enumerate(records, start=1)]
        return dygie.documents_of(lines, str(path), warnings)
    if "tokens" in records[0][1]:
        return spert_documents([record for _, record in records], str(path), numbered=False, others=Counter())
    return [_of_triples(record, str(number), where) for number, (where, record) in enumerate(records, start=1)]


def _of_triples(record: dict[str, Any], identifier: str, where: str) -> Document:
    tokens = tuple(token for token in value_of(record, "text", str, where).split(" ") if token)
    spans: dict[tuple[int, int], int] = {}
    relations: dict[Relation, None] = {}
    for item in value_of(record, "triple_list", list, where):
        if not isinstance(item, list) or len(item) != 3 or not all(isinstance(part, str) and part for part in item):
            raise CmanError(f"{where}: field triple_list: found {str(item)[:60]}, wanted [HEAD, RELATION, TAIL]")
        head, label, tail = item
        ends = [spans.setdefault(_first(words, tokens, where), len(spans)) for words in (head, tail)]
        relations[Relation(label, *ends)] = None
    entities = tuple(Entity(TYPE, start, end) for start, end in spans)
    return Document(str(record.get("id", identifier)), tokens, entities, tuple(relations))


def _first(words: str, tokens: Sequence[str], where: str) -> tuple[int, int]:
    """Return the first place where words stand among tokens."""
    wanted = tuple(word for word in words.split(" ") if word)
    for start in range(len(tokens) - len(wanted) + 1):
        if tuple(tokens[start : start + len(wanted)]) == wanted:
            return start, start + len(wanted)
    raise CmanError(f"{where}: field triple_list: found {words[:40]!r}, wanted words of the text")


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents as triples can hold them, and how often they cannot hold what."""
    lost: Counter[str] = Counter()
    result = []
    for given in documents:
        document = without_scores(given, lost)
        used = {end for link in document.relations for end in (link.head, link.tail)}
        lost["entities without a relation"] += len(document.entities) - len(used)
        lost["types of entities"] += sum(document.entities[place].type != TYPE for place in used)
        lost["texts"] += given.text is not None or given.offsets is not None
        again = sum(
            _first(_words(document, place), document.tokens, document.id)
            != (document.entities[place].start, document.entities[place].end)
            for place in used
        )
        lost["entities whose words stand there twice"] += again
        result.append(replace(document, text=None, offsets=None))
    return result, lost


def _words(document: Document, place: int) -> str:
    entity = document.entities[place]
    return " ".join(document.tokens[entity.start : entity.end])


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write a list of texts with triples, one a line, atomically.

    Raises:
        CmanError: a token with a blank.
    """
    lines = []
    for document in documents:
        if any(" " in token for token in document.tokens):
            raise CmanError(f"{path}: document {document.id!r}: found a token with a blank, wanted none")
        triples = [[_words(document, link.head), link.type, _words(document, link.tail)] for link in document.relations]
        record = {"id": document.id, "text": " ".join(document.tokens), "triple_list": triples}
        lines.append(json.dumps(record, ensure_ascii=False))
    write_text(path, "[\n" + ",\n".join(lines) + "\n]\n")
