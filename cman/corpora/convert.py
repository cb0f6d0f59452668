"""Documents from one format into another; what the other cannot hold is an error, or left out and counted.

jsonl    everything
spert    everything; the id is `orig_id`
conll04  no overlap, no relation of an entity to itself, no text, no scores; entities in the order of the tokens
brat     text and spans, but no tokens: reading divides the text again; no scores
"""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cman.corpora.bio import OUTSIDE, tags_of
from cman.corpora.brat import read_brat
from cman.corpora.columns import NO_RELATION, read_columns
from cman.corpora.document import Document, Entity, Relation, read_documents, write_documents
from cman.corpora.drec import read_drec
from cman.corpora.overlap import keep_longest
from cman.corpora.spert import read_own_spert, write_spert
from cman.errors import CmanError, UsageError
from cman.files import write_text

READ = ("jsonl", "spert", "conll04", "brat", "drec")


def convert_file(
    source: str, target: str, path: Path, output: Path, split: str | None, language: str, lossy: bool
) -> list[str]:
    """Convert one file or folder and return what the reader noticed and what was left out.

    Raises:
        UsageError: no such format, or a split of a file that has none.
        CmanError: the input is malformed, or holds what the format cannot hold and `lossy` is False.
    """
    for option, found, known in (("--from", source, READ), ("--to", target, tuple(WRITERS))):
        if found not in known:
            raise UsageError(f"{option}: found {found!r}, wanted one of {', '.join(known)}")
    if split is not None and source != "spert":
        raise UsageError(f"--split: found {split!r}, wanted none: only SpERT's files hold several")
    warnings: list[str] = []
    documents = _read(source, path, split, language, warnings)
    fitting, lost = FITTERS[target](documents)
    if lost.total():
        listed = ", ".join(f"{count} {what}" for what, count in lost.items() if count)
        if not lossy:
            raise CmanError(f"{path}: {target} cannot hold {listed}; wanted documents without, or --lossy")
        warnings.append(f"{path}: left out: {listed}")
    WRITERS[target](output, fitting)
    return warnings


def _read(source: str, path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    if source == "jsonl":
        return read_documents(path)
    if source == "spert":
        return read_own_spert(path, split)
    if source == "conll04":
        return read_columns(path, warnings)
    if source == "drec":
        return read_drec(path, warnings)
    from cman.corpora.tokenize import TextTokenizer

    return read_brat(path, TextTokenizer(language), "hull", warnings)


def _everything(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    return list(documents), Counter()


def _without_scores(document: Document, lost: Counter[str]) -> Document:
    annotations: list[Entity | Relation] = [*document.entities, *document.relations]
    lost["scores"] += sum(each.score is not None for each in annotations)
    entities = tuple(replace(each, score=None) for each in document.entities)
    relations = tuple(replace(each, score=None) for each in document.relations)
    return replace(document, entities=entities, relations=relations)


def _for_columns(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    lost: Counter[str] = Counter()
    result = []
    for given in documents:
        document = keep_longest(_without_scores(given, lost))
        lost["overlapping entities"] += len(given.entities) - len(document.entities)
        lost["relations of these"] += len(given.relations) - len(document.relations)
        distinct = [link for link in dict.fromkeys(document.relations) if link.head != link.tail]
        lost["relations from an entity to itself or written twice"] += len(document.relations) - len(distinct)
        lost["texts"] += given.text is not None or given.offsets is not None
        result.append(replace(document, relations=tuple(distinct), text=None, offsets=None))
    return result, lost


def _for_brat(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    lost: Counter[str] = Counter()
    return [_without_scores(document, lost) for document in documents], lost


def _write_columns(path: Path, documents: Sequence[Document]) -> None:
    lines = []
    for document in documents:
        where = f"{path}: document {document.id!r}"
        for word in (document.id, *document.tokens, *(entity.type for entity in document.entities)):
            if re.search(r"[\t\n]", word):
                raise CmanError(f"{where}: found {word[:40]!r}, wanted no tab and no line break")
        if document.id != document.id.strip():
            raise CmanError(f"{where}: field id: found blanks around it, wanted none")
        ends = [entity.end - 1 for entity in document.entities]
        links: dict[int, list[tuple[str, int]]] = {}
        for link in document.relations:
            if link.type == NO_RELATION:
                raise CmanError(
                    f"{where}: found the relation {NO_RELATION!r}, wanted another name: it means no relation"
                )
            links.setdefault(ends[link.head], []).append((link.type, ends[link.tail]))
        lines.append(f"#doc {document.id}")
        tags = tags_of(document.entities, len(document.tokens), where)
        for place, (token, tag) in enumerate(zip(document.tokens, tags, strict=True)):
            found = links.get(place, [(NO_RELATION, place)])
            lines.append(
                f"{place}\t{token}\t{tag or OUTSIDE}\t{[each for each, _ in found]}\t{[each for _, each in found]}"
            )
    write_text(path, "\n".join(lines) + "\n")


def _write_brat(folder: Path, documents: Sequence[Document]) -> None:
    if folder.exists():
        raise CmanError(f"{folder}: exists already, wanted the name of a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        made = Path(temporary) / "made"  # renamed as a whole: the folder is there complete or not at all
        made.mkdir()
        for document in documents:
            if not re.fullmatch(r"[\w@-][\w.@-]*", document.id):
                raise CmanError(f"{folder}: document {document.id!r}: field id: wanted one that can be a file's name")
            text, lines = _brat_lines(document, f"{folder}: document {document.id!r}")
            write_text(made / f"{document.id}.txt", text)
            write_text(made / f"{document.id}.ann", "".join(f"{line}\n" for line in lines))
        made.rename(folder)


def _brat_lines(document: Document, where: str) -> tuple[str, list[str]]:
    text, offsets = document.text, document.offsets
    if text is None or offsets is None:
        text, spans, start = " ".join(document.tokens), [], 0
        for token in document.tokens:
            spans.append((start, start + len(token)))
            start += len(token) + 1
        offsets = tuple(spans)
    annotations: list[Entity | Relation] = [*document.entities, *document.relations]
    for item in annotations:
        if re.search(r"\s", item.type):
            raise CmanError(f"{where}: found the type {item.type!r}, wanted one without blanks")
    lines = []
    for number, entity in enumerate(document.entities, start=1):
        start, end = offsets[entity.start][0], offsets[entity.end - 1][1]
        lines.append(f"T{number}\t{entity.type} {start} {end}\t{' '.join(text[start:end].split())}")
    for number, link in enumerate(document.relations, start=1):
        lines.append(f"R{number}\t{link.type} Arg1:T{link.head + 1} Arg2:T{link.tail + 1}")
    return text, lines


Fitter = Callable[[Sequence[Document]], tuple[list[Document], Counter[str]]]
FITTERS: Mapping[str, Fitter] = {
    "jsonl": _everything,
    "spert": _everything,
    "conll04": _for_columns,
    "brat": _for_brat,
}
WRITERS: Mapping[str, Callable[[Path, Sequence[Document]], None]] = {
    "jsonl": write_documents,
    "spert": write_spert,
    "conll04": _write_columns,
    "brat": _write_brat,
}
