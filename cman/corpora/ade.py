"""The ADE corpus (Gurulingappa et al. 2012): `DRUG-AE.rel`, inside its zip archive.

A line is one relation, in eight fields divided by `|`: the PubMed id of the abstract, the sentence, the adverse effect
with its begin and end, the drug with its begin and end. Begin and end count characters from the start of the whole
abstract, which is not in the corpus. All the mentions of a sentence are shifted by the same number of characters, so
that number is found by intersecting the places where each mention's text occurs; it must be unique.

A sentence is a pair of PubMed id and text; its number in order of appearance is its id, as in the public folds of
Eberts and Ulges (2020). The adverse effect is the head of our relation, the drug the tail.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cman.config.corpora import Ade
from cman.corpora.document import Document, Entity, Relation
from cman.corpora.folds import Grouped
from cman.corpora.formats import RawFile, public_files
from cman.corpora.tokens import tokenise
from cman.errors import CmanError, reads
from cman.fetch.archives import member_lines
from cman.fetch.download import Remote

TITLE = "ADE"
LICENCE = "no licence text; the README in its archive asks for a citation"
CITE = "Gurulingappa et al. 2012"

ARCHIVE = Remote(
    "ade/ADE-Corpus-V2.zip",
    "0f833524307b5ba27e516ffabd182de6b1e1ce1c00be08e8fe0b9656c0935915",
    "https://raw.githubusercontent.com/davidsbatista/Annotated-Semantic-Relationships-Datasets/"
    "ad883cbbaf4e342326b444347cf7d035012a4f4e/datasets/ADE-Corpus-V2.zip",
)
MEMBER = "DRUG-AE.rel"
FIELDS = ("PubMed id", "sentence", "effect", "effect begin", "effect end", "drug", "drug begin", "drug end")
EFFECT, DRUG = "Adverse-Effect", "Drug"


@dataclass(frozen=True)
class _Mention:
    """A mention as a line gives it; `begin` and `end` count from the start of the abstract."""

    where: str
    field: str
    type: str
    text: str
    begin: int

    @property
    def end(self) -> int:
        return self.begin + len(self.text)

    def shifts(self, sentence: str) -> set[int]:
        """Return by how much the sentence may be shifted in its abstract: one number for each place of the text."""
        starts = (index for index in range(len(sentence)) if sentence.startswith(self.text, index))
        return {self.begin - index for index in starts}


def files(corpus: Ade) -> list[RawFile]:
    """Return the archive.

    Raises:
        UsageError: a path for another file.
    """
    return public_files([ARCHIVE], corpus.paths)


def read_grouped(corpus: Ade, raw: Path) -> list[Grouped]:
    """Read the sentences, each with its abstract (PubMed id); see `read_ade`."""
    return read_ade(raw / ARCHIVE.name)


@reads("ADE's archive")
def read_ade(path: Path) -> list[Grouped]:
    """Read the corpus out of its archive.

    Raises:
        CmanError: the archive is refused (see `cman.fetch.archives`), or the first malformed line, with its number,
            field, what was found and what was wanted.
    """
    return read_relations(member_lines(path, MEMBER), f"{path}: {MEMBER}")


def read_relations(lines: Iterable[str], where: str) -> list[Grouped]:
    """Read the lines of `DRUG-AE.rel`; `where` names the file in errors. See `read_ade`."""
    rows: dict[tuple[str, str], list[tuple[_Mention, _Mention]]] = {}
    for number, line in enumerate(lines, start=1):
        at_line = f"{where}: line {number}"
        values = line.split("|")
        if len(values) != len(FIELDS):
            raise CmanError(f"{at_line}: found {len(values)} fields, wanted {len(FIELDS)} ({', '.join(FIELDS)})")
        for name, value in zip(FIELDS, values, strict=True):
            if not value.strip():
                raise CmanError(f"{at_line}: field {name}: found nothing, wanted a value")
        effect = _mention(at_line, "effect", EFFECT, values[2:5])
        drug = _mention(at_line, "drug", DRUG, values[5:8])
        rows.setdefault((values[0].strip(), values[1].strip()), []).append((effect, drug))
    if not rows:
        raise CmanError(f"{where}: found no line, wanted one for each relation")
    return [
        Grouped(abstract, _document(str(number), sentence, pairs))
        for number, ((abstract, sentence), pairs) in enumerate(rows.items())
    ]


def _mention(where: str, field: str, kind: str, values: Sequence[str]) -> _Mention:
    text = values[0]
    for name, value in (("begin", values[1]), ("end", values[2])):
        if not re.fullmatch(r"[0-9]{1,15}", value.strip()):
            raise CmanError(f"{where}: field {field} {name}: found {value[:60]!r}, wanted a whole number from 0 on")
    begin, end = int(values[1].strip()), int(values[2].strip())  # int() takes fewer signs for blanks
    if end - begin != len(text):
        raise CmanError(
            f"{where}: field {field} end: found {begin} to {end}, wanted {begin} to {begin + len(text)}, "
            f"because {text!r} has {len(text)} characters"
        )
    return _Mention(where, field, kind, text.strip(), begin + len(text) - len(text.lstrip()))


def _document(number: str, sentence: str, pairs: Sequence[tuple[_Mention, _Mention]]) -> Document:
    shift = _shift(sentence, pairs)
    offsets = tokenise(sentence)
    starts = {start: index for index, (start, _) in enumerate(offsets)}
    ends = {end: index + 1 for index, (_, end) in enumerate(offsets)}
    entities: dict[Entity, int] = {}  # in order of appearance, with their positions
    relations: dict[Relation, None] = {}
    for pair in pairs:
        arguments = []
        for mention in pair:
            start, end = starts.get(mention.begin - shift), ends.get(mention.end - shift)
            if start is None or end is None:
                raise CmanError(
                    f"{mention.where}: field {mention.field}: found {mention.text!r}, which begins or ends inside of a "
                    "word; wanted whole tokens"
                )
            arguments.append(entities.setdefault(Entity(mention.type, start, end), len(entities)))
        relation = Relation(EFFECT, *arguments)
        if relation in relations:
            raise CmanError(f"{pair[0].where}: found the same effect and drug a second time, wanted distinct lines")
        relations[relation] = None
    tokens = tuple(sentence[start:end] for start, end in offsets)
    return Document(number, tokens, tuple(entities), tuple(relations), sentence, tuple(offsets))


def _shift(sentence: str, pairs: Sequence[tuple[_Mention, _Mention]]) -> int:
    """Return where the sentence begins in its abstract."""
    mentions = [mention for pair in pairs for mention in pair]
    possible: set[int] | None = None
    for mention in mentions:
        shifts = mention.shifts(sentence)
        if not shifts:
            raise CmanError(
                f"{mention.where}: field {mention.field}: found {mention.text!r}, which does not stand in the sentence"
            )
        remaining = shifts if possible is None else possible & shifts
        if not remaining:
            raise CmanError(
                f"{mention.where}: field {mention.field} begin: found {mention.begin} for {mention.text!r}, which does "
                "not fit the other mentions of the sentence; wanted the distances that the sentence has"
            )
        possible = remaining
    assert possible is not None
    if len(possible) > 1:
        raise CmanError(
            f"{mentions[0].where}: the mentions fit {len(possible)} places of the sentence, wanted exactly one"
        )
    return possible.pop()
