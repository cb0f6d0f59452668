"""Folders annotated with brat: NAME.txt and NAME.ann, divided into sentences and tokens by spaCy's rules.

    discontinuous spans   one entity around all parts (`hull`), left out (`drop`) or an error (`refuse`)
    half a token          the entity is widened to whole tokens
    a sentence's end inside an entity    the sentences become one
    relations across sentences           left out: a model reads one sentence at a time

All of this is counted, and the first places are named, in warnings. A document is a sentence, `NAME-1` the first. What
is written is text and spans, but no tokens, as reading divides the text again, and no scores.
"""

import re
import shutil
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from cman.config.corpora import Discontinuous, OwnText
from cman.corpora.brat_lines import Annotations, Span, annotation_lines, read_annotations
from cman.corpora.document import Document, Entity, Relation, without_scores
from cman.corpora.formats import RawFile, own_files
from cman.corpora.tokenize import TextTokenizer
from cman.errors import CmanError
from cman.files import read_text, write_text

SHOWN = 3  # places that a warning names

MEANINGS = {
    "discontinuous": "discontinuous entities, {policy}",
    "widened": "entities that begin or end inside a token, widened to whole tokens",
    "joined": "entities with a sentence's end inside, around which the sentences were joined",
    "twice": "entities of the same type and tokens as another, read as one",
    "across": "relations between two sentences, left out",
    "lost": "relations with an argument that was left out, left out",
    "repeated": "relations written twice, read once",
}
POLICIES = {"hull": "read as one span around all parts", "drop": "left out"}


def files(corpus: OwnText) -> list[RawFile]:
    """Return the .txt and .ann files of each split's folder; a folder without any itself, so that it is missed."""
    return own_files([path for folder in corpus.split_paths.values() for path in brat_files(folder) or [folder]])


def read(corpus: OwnText, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_brat`."""
    tokenizer = TextTokenizer(corpus.language)
    return {
        split: read_brat(folder, tokenizer, corpus.discontinuous, warnings)
        for split, folder in corpus.split_paths.items()
    }


def read_file(path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    """Read one folder; see `read_brat`."""
    return read_brat(path, TextTokenizer(language), "hull", warnings)


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents without scores, and how many there were."""
    lost: Counter[str] = Counter()
    return [without_scores(document, lost) for document in documents], lost


def write(folder: Path, documents: Sequence[Document]) -> None:
    """Write a new folder, which is there complete or not at all.

    Raises:
        CmanError: the folder exists, or a document's id can be no file's name or a type has blanks.
    """
    if folder.exists():
        raise CmanError(f"{folder}: exists already, wanted the name of a new folder")
    made = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(made, ignore_errors=True)  # of a process that was killed
    made.mkdir(parents=True)
    try:
        for document in documents:
            if not re.fullmatch(r"[\w@-][\w.@-]*", document.id):
                raise CmanError(f"{folder}: document {document.id!r}: field id: wanted one that can be a file's name")
            text, lines = annotation_lines(document, f"{folder}: document {document.id!r}")
            write_text(made / f"{document.id}.txt", text)
            write_text(made / f"{document.id}.ann", "".join(f"{line}\n" for line in lines))
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def brat_files(folder: Path) -> list[Path]:
    """Return the .txt and .ann files of a folder, sorted; none if there is no such folder."""
    return sorted(path for path in folder.glob("*") if path.suffix in (".txt", ".ann"))


def read_brat(
    folder: Path, tokenizer: TextTokenizer, discontinuous: Discontinuous, warnings: list[str]
) -> list[Document]:
    """Read a folder; what is read otherwise than it is written is added to `warnings`.

    Raises:
        CmanError: no such folder, a file without its partner, or the first malformed line.
    """
    files = brat_files(folder)
    if not files:
        raise CmanError(f"{folder}: found no .txt and .ann files, wanted a folder annotated with brat")
    for path in files:
        partner = path.with_suffix(".ann" if path.suffix == ".txt" else ".txt")
        if partner not in files:
            raise CmanError(f"{path}: found no {partner.name} beside it, wanted both")
    places: dict[str, list[str]] = defaultdict(list)
    others: Counter[str] = Counter()
    documents: list[Document] = []
    for path in files:
        if path.suffix == ".txt":
            text = read_text(path)
            annotations = read_annotations(path.with_suffix(".ann"), text)
            others += annotations.others
            documents += _documents(path.stem, text, annotations, tokenizer, discontinuous, places)
    if not documents:
        raise CmanError(f"{folder}: found no sentence, wanted at least one")
    for key, found in places.items():
        meaning = MEANINGS[key].format(policy=POLICIES.get(discontinuous, ""))
        more = ", ..." if len(found) > SHOWN else ""
        warnings.append(f"{folder}: {len(found)} {meaning} ({', '.join(found[:SHOWN])}{more})")
    if others:
        listed = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(others.items()))
        warnings.append(f"{folder}: lines that are not used: {listed}")
    return documents


def _documents(
    stem: str,
    text: str,
    annotations: Annotations,
    tokenizer: TextTokenizer,
    discontinuous: Discontinuous,
    places: dict[str, list[str]],
) -> list[Document]:
    spans = _kept(annotations, discontinuous, places)
    sentences = _sentences(text, tokenizer, spans, places)
    starts = [sentence[0][0] for sentence in sentences]
    entities: list[list[Entity]] = [[] for _ in sentences]
    place_of: dict[str, tuple[int, int]] = {}  # span -> sentence, place among its entities
    for name, span in spans.items():
        number = max(bisect_right(starts, span.parts[0][0]) - 1, 0)
        entity = _entity(span, sentences[number], places)
        if entity in entities[number]:
            places["twice"].append(span.where)
        else:
            entities[number].append(entity)
        place_of[name] = number, entities[number].index(entity)
    relations: list[list[Relation]] = [[] for _ in sentences]
    for where, kind, head, tail in annotations.relations:
        if head not in place_of or tail not in place_of:
            places["lost"].append(where)
        elif place_of[head][0] != place_of[tail][0]:
            places["across"].append(where)
        else:
            found = relations[place_of[head][0]]
            relation = Relation(kind, place_of[head][1], place_of[tail][1])
            if relation in found:
                places["repeated"].append(where)
            else:
                found.append(relation)
    return [
        _document(f"{stem}-{number}", text, sentence, tuple(own), tuple(links))
        for number, (sentence, own, links) in enumerate(zip(sentences, entities, relations, strict=True), start=1)
    ]


def _kept(annotations: Annotations, policy: Discontinuous, places: dict[str, list[str]]) -> dict[str, Span]:
    kept = {}
    for name, span in annotations.spans.items():
        if len(span.parts) > 1:
            if policy == "refuse":
                raise CmanError(
                    f"{span.where}: field span: found {len(span.parts)} parts, wanted one (discontinuous: refuse)"
                )
            places["discontinuous"].append(span.where)
            if policy == "drop":
                continue
        kept[name] = span
    return kept


def _sentences(
    text: str, tokenizer: TextTokenizer, spans: dict[str, Span], places: dict[str, list[str]]
) -> list[list[tuple[int, int]]]:
    """Return the sentences' tokens; sentences with an entity across their border are joined."""
    joined: list[list[tuple[int, int]]] = []
    ordered = sorted(spans.values(), key=lambda span: span.parts[0][0])
    place, reach, last = 0, 0, ""
    for sentence in tokenizer.sentences(text):
        start = sentence[0][0]
        while place < len(ordered) and ordered[place].parts[0][0] < start:
            if ordered[place].parts[-1][1] > reach:
                reach, last = ordered[place].parts[-1][1], ordered[place].where
            place += 1
        if joined and reach > start:
            joined[-1] += sentence
            if last not in places["joined"]:
                places["joined"].append(last)
        else:
            joined.append(list(sentence))
    if not places["joined"]:
        del places["joined"]
    return joined


def _entity(span: Span, tokens: list[tuple[int, int]], places: dict[str, list[str]]) -> Entity:
    start, end = span.parts[0][0], span.parts[-1][1]
    first = bisect_right(tokens, start, key=lambda token: token[1])
    last = bisect_left(tokens, end, key=lambda token: token[0])
    if first >= last:
        raise CmanError(f"{span.where}: field span: found blanks alone, wanted at least a part of a token")
    if (tokens[first][0], tokens[last - 1][1]) != (start, end):
        places["widened"].append(span.where)
    return Entity(span.type, first, last)


def _document(
    identifier: str,
    text: str,
    tokens: list[tuple[int, int]],
    entities: tuple[Entity, ...],
    relations: tuple[Relation, ...],
) -> Document:
    begin, end = tokens[0][0], tokens[-1][1]
    words = tuple(text[first:last] for first, last in tokens)
    offsets = tuple((first - begin, last - begin) for first, last in tokens)
    return Document(identifier, words, entities, relations, text[begin:end], offsets)
