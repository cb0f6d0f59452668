"""The columns of CoNLL-2003 and its kin: a token a line, its tag last, an empty line after a sentence. No relations.

    EU NNP B-NP B-ORG
    rejects VBZ B-VP O

Which scheme the tags are of shows in them: IOB1 (an entity begins with `I-`, and with `B-` only after another of its
type), BIO, BIOES or BILOU. A stray inside or end tag opens an entity, and is told. `-DOCSTART-` lines are passed over.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cman.config.own import Own
from cman.corpora.bio import OUTSIDE, entities_of, tags_of
from cman.corpora.document import Document, without_scores
from cman.corpora.duplicates import without_duplicates
from cman.corpora.formats import RawFile, own_files
from cman.corpora.overlap import keep_longest
from cman.errors import CmanError, reads
from cman.files import text_lines, write_text

TAG = re.compile(r"O|([BIESLUM])-(\S.*)")
BEGINS, GOES_ON = "BSU", "IELM"  # BIOES has S for a single token and E for the last, BILOU has U and L

Rows = list[tuple[int, str, str]]  # line, token, tag


def files(corpus: Own) -> list[RawFile]:
    """Return the file of each split."""
    return own_files(list(corpus.split_paths.values()))


def read(corpus: Own, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_file`."""
    return {split: read_file(path, split, corpus.language, warnings) for split, path in corpus.split_paths.items()}


@reads("a token a line, with its tag last")
def read_file(path: Path, split: str | None, language: str, warnings: list[str]) -> list[Document]:
    """Read one file; the scheme of its tags and what is stray in them is added to `warnings`.

    Raises:
        CmanError: no sentence, a line without a token and a tag, or what is no tag.
    """
    sentences = list(_sentences(path))
    if not sentences:
        raise CmanError(f"{path}: found no sentence, wanted a token a line, with its tag last")
    scheme = _scheme([[tag for *_, tag in rows] for rows in sentences])
    stray: list[int] = []
    documents = []
    for number, rows in enumerate(sentences, start=1):
        tags = _as_bio(rows, scheme, stray)
        entities = tuple(entities_of(tags))
        documents.append(Document(str(number), tuple(token for _, token, _ in rows), entities))
    if scheme != "BIO":
        warnings.append(f"{path}: tags are read as {scheme}")
    if stray:
        lines = ", ".join(map(str, stray[:3])) + (", ..." if len(stray) > 3 else "")
        warnings.append(f"{path}: {len(stray)} stray tags read as the start of an entity (line {lines})")
    return documents


def _sentences(path: Path) -> Iterator[Rows]:
    rows: Rows = []
    for number, line in text_lines(path):
        columns = line.split("\t") if "\t" in line else line.split()
        columns = [column.strip() for column in columns if column.strip()]
        if not columns or columns[0] == "-DOCSTART-":
            if rows:
                yield rows
            rows = []
            continue
        if len(columns) < 2:
            raise CmanError(f"{path}: line {number}: found {line[:40]!r}, wanted a token and its tag")
        token, tag = columns[0], columns[-1]
        if TAG.fullmatch(tag) is None:
            wanted = "O or a type behind B-, I-, E-, S-, L- or U-"
            raise CmanError(f"{path}: line {number}: field tag: found {tag[:40]!r}, wanted {wanted}")
        rows.append((number, token, tag))
    if rows:
        yield rows


def _scheme(sentences: Sequence[Sequence[str]]) -> str:
    """Return the scheme of all tags of a file."""
    prefixes = {tag[0] for tags in sentences for tag in tags}
    if prefixes & set("LU"):
        return "BILOU"
    if prefixes & set("ES"):
        return "BIOES"
    opening = {"B": 0, "I": 0}
    for tags in sentences:
        for before, tag in zip([OUTSIDE, *tags], tags, strict=False):
            if tag != OUTSIDE and (before == OUTSIDE or before[2:] != tag[2:]):
                opening[tag[0]] += 1
    return "IOB1" if opening["I"] > opening["B"] else "BIO"


def _as_bio(rows: Rows, scheme: str, stray: list[int]) -> list[str]:
    """Return the tags of a sentence in BIO; lines of those that open an entity without saying so go to `stray`."""
    tags: list[str] = []
    open_type = ""  # of the entity that the next tag may go on with
    for line, _, tag in rows:
        prefix, label = tag[0], tag[2:]
        goes_on = prefix in GOES_ON and label == open_type
        if tag != OUTSIDE and prefix in GOES_ON and not goes_on and scheme != "IOB1":
            stray.append(line)
        tags.append(tag if tag == OUTSIDE else f"{'I' if goes_on else 'B'}-{label}")
        open_type = "" if tag == OUTSIDE or prefix in "ESLU" else label
    return tags


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents as tags can hold them, and how often they cannot hold what."""
    lost: Counter[str] = Counter()
    result = []
    for given in documents:
        document = keep_longest(merged := without_duplicates(without_scores(given, lost)))
        lost["relations"] += len(given.relations)
        lost["overlapping entities"] += len(merged.entities) - len(document.entities)
        lost["texts"] += given.text is not None or given.offsets is not None
        result.append(replace(document, relations=(), text=None, offsets=None))
    return result, lost


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write documents that fit as BIO, a blank between token and tag, atomically; ids are not written.

    Raises:
        CmanError: a token or a type with a blank.
    """
    blocks = []
    for document in documents:
        where = f"{path}: document {document.id!r}"
        for word in (*document.tokens, *(entity.type for entity in document.entities)):
            if re.search(r"\s", word):
                raise CmanError(f"{where}: found {word[:40]!r}, wanted no blank")
        tags = tags_of(document.entities, len(document.tokens), where)
        blocks.append("".join(f"{token} {tag}\n" for token, tag in zip(document.tokens, tags, strict=True)))
    write_text(path, "\n".join(blocks))
