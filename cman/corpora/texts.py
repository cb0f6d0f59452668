"""What the formats of annotation tools share: records of JSON, and texts with spans that `cman.corpora.spans` reads.

A tool's file says what its records look like (`doccano`, `labelstudio`, `prodigy`); everything else is here.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cman.config.own import Across
from cman.corpora.document import Document, json_lines, text_of, without_scores
from cman.corpora.spans import Annotations, SpanReader, Tokens
from cman.corpora.tokenize import TextTokenizer
from cman.errors import CmanError
from cman.files import read_text

TYPES = {str: "a string", int: "a whole number", list: "a list", dict: "an object"}


@dataclass(frozen=True)
class AnnotatedText:
    """One text of a tool: its name, what is annotated, and its own tokens and sentences where the tool has any."""

    name: str
    text: str
    annotations: Annotations
    tokens: Tokens | None = None
    sentences: Sequence[Tokens] | None = None


def json_records(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield place (for messages) and content of each record of a list in JSON, or of JSON lines.

    Raises:
        CmanError: the file is missing, no JSON, or a record is no object.
    """
    whole = read_text(path).lstrip().startswith("[")
    if whole:
        try:
            records = [(f"{path}: record {place}", value) for place, value in enumerate(json.loads(read_text(path)), 1)]
        except (ValueError, RecursionError) as error:
            raise CmanError(f"{path}: found invalid JSON ({error}), wanted a list of records") from None
    else:
        records = [(where, value) for _, where, value in json_lines(path)]
    for where, value in records:
        if not isinstance(value, dict):
            raise CmanError(f"{where}: found {str(value)[:40]!r}, wanted an object")
        yield where, value


def value_of(record: Any, key: str, kind: type, where: str, default: Any = None) -> Any:
    """Return a value of a record, of a type; a missing one or null is `default`, if there is one.

    Raises:
        CmanError: it is missing or of another type.
    """
    value = record.get(key) if isinstance(record, dict) else None
    if value is None and default is not None:
        return default
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)) or (kind is str and not value):
        raise CmanError(f"{where}: field {key}: found {str(value)[:40]!r}, wanted {TYPES[kind]}")
    return value


def read_texts(
    path: Path,
    texts: Iterable[AnnotatedText],
    language: str,
    warnings: list[str],
    across: Across,
) -> list[Document]:
    """Return the sentences of annotated texts; what is read otherwise than it is written is added to `warnings`.

    A text with tokens of its own keeps them; its sentences are those of the language.

    Raises:
        CmanError: no sentence, two texts of one name, or a malformed record.
    """
    reader = SpanReader(TextTokenizer(language), across=across)
    documents: list[Document] = []
    names: set[str] = set()
    for each in texts:
        if each.name in names:
            raise CmanError(f"{path}: found a text {each.name!r} a second time, wanted a name or number of its own")
        names.add(each.name)
        for span in each.annotations.spans.values():
            if not 0 <= span.parts[0][0] < span.parts[-1][1] <= len(each.text):
                raise CmanError(
                    f"{span.where}: found the characters {list(span.parts[0])}, wanted START < END <= {len(each.text)}"
                )
        sentences = each.sentences
        if sentences is None and each.tokens is not None:
            sentences = _grouped(each.tokens, reader.tokenizer.sentences(each.text))
        documents += reader.documents(each.name, each.text, each.annotations, sentences)
    if not documents:
        raise CmanError(f"{path}: found no sentence, wanted at least one annotated text")
    warnings += reader.warnings(str(path))
    return documents


def _grouped(tokens: Tokens, sentences: Sequence[Tokens]) -> list[Tokens]:
    """Return tokens sentence by sentence."""
    ends = [sentence[-1][1] for sentence in sentences]
    result: list[Tokens] = [[] for _ in ends] or [[]]
    number = 0
    for token in tokens:
        while number < len(ends) - 1 and token[0] >= ends[number]:
            number += 1
        result[number].append(token)
    return [sentence for sentence in result if sentence]


def fitting_texts(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents without scores, each with its text; how many scores there were."""
    lost: Counter[str] = Counter()
    result = []
    for given in documents:
        text, offsets = text_of(given)
        result.append(replace(without_scores(given, lost), text=text, offsets=tuple(offsets)))
    return result, lost


def characters(document: Document, index: int) -> tuple[int, int]:
    """Return the characters of an entity of a document that has its text."""
    assert document.offsets is not None
    entity = document.entities[index]
    return document.offsets[entity.start][0], document.offsets[entity.end - 1][1]
