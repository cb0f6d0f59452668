"""The sample corpus `conll04-sample`: sentences of a seeded grammar in the raw `bekou` format of CoNLL04.

It stands in for the real corpus where that cannot be had, so that every later step runs on any machine. It has the
types, relations and argument constraints of CoNLL04, at least one relation in each sentence, and is meant to be
learnable but not trivial: most names are built from syllables and new in each split, the same name may be a place, a
surname or part of an organisation, and negated cues, bystanders and nested clauses stand between related entities.
The gold annotation is exactly what the grammar says. Rules and their notation are in `sample_words.py`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

from cman.corpora.sample_words import GRAMMAR, NAMES, WORDS
from cman.errors import UsageError
from cman.files import atomic_text

# Ids are consecutive from here; the distance is also the largest split, so that ids never meet.
FIRST_IDS = {"train": 1, "dev": 100_000_001, "test": 200_000_001}
LARGEST_SPLIT = 100_000_000

TYPES = {
    "person": "Peop",
    "surname": "Peop",
    "place": "Loc",
    "city": "Loc",
    "region": "Loc",
    "dateline": "Loc",
    "org": "Org",
    "agency": "Org",
    "date": "Other",
    "year": "Other",
    "work": "Other",
    "nation": "Other",
    "event": "Other",
}

# What a word of a rule becomes when the rule is about several entities.
PLURALS = {"was": "were", "is": "are", "has": "have", "keeps": "keep", "operates": "operate"}
PLURALS |= {"his": "their", "her": "their", "its": "their"}


# ---- the parsed grammar


class Piece(NamedTuple):
    """One element of an alternative: a `word`, an entity (`@`) with its label, or a rule (`#`) with its argument."""

    sort: str  # "word", "@" or "#"
    name: str  # the word, the kind of the entity, or the rule
    labels: tuple[str, ...] = ()  # of the entity itself, or of the rule's argument


class Stated(NamedTuple):
    """A relation that an alternative states between the entities with these labels."""

    type: str
    heads: tuple[str, ...]
    tails: tuple[str, ...]


class Alternative(NamedTuple):
    """What a rule may be replaced by."""

    pieces: tuple[Piece, ...]
    relations: tuple[Stated, ...]


def read_rules(text: str) -> dict[str, list[str]]:
    """Return the alternatives of each rule as text, each repeated as often as its weight says."""
    rules: dict[str, list[str]] = {}
    current: list[str] = []
    for line in filter(None, text.split("\n")):
        if line.startswith(" "):
            for part in line.strip().split(" / "):
                weight, star, body = part.partition("* ")
                current.extend([body] * int(weight) if star else [part])
        else:
            current = rules.setdefault(line.removesuffix(":").partition("(")[0], [])
    return rules


def _piece(text: str) -> Piece:
    if text[0] == "@":
        return Piece("@", text[1:].rstrip("0123456789"), (text[1:],))
    if text[0] == "#":
        name, _, argument = text[1:].rstrip(")").partition("(")
        return Piece("#", name, tuple(argument.split("+")) if argument else ())
    return Piece("word", text)


def _stated(text: str) -> Stated:
    kind, heads, tails = text.split()
    return Stated(kind, tuple(heads.split("+")), tuple(tails.split("+")))


def _alternative(text: str) -> Alternative:
    tokens, _, relations = text.partition("|")
    pieces = tuple(_piece(token) for token in tokens.split() if token != "_")
    return Alternative(pieces, tuple(_stated(relation) for relation in relations.split(";") if relation))


RULES = {name: [_alternative(text) for text in texts] for name, texts in (read_rules(GRAMMAR) | WORDS).items()}


# ---- choices and names

Item = TypeVar("Item")


class Chance:
    """Seeded choices by nothing but `Random.random`, the one method whose sequence Python promises to keep."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed).random

    def often(self, percent: int) -> bool:
        return self._random() * 100 < percent

    def one(self, items: Sequence[Item]) -> Item:
        return items[int(self._random() * len(items))]

    def skewed(self, items: Sequence[Item]) -> Item:
        """Prefer the first items, as a newspaper prefers a few names."""
        draw = self._random()
        return items[int(draw * draw * len(items))]


NAME_RULES = read_rules(NAMES) | WORDS


def _name(chance: Chance, rule: str) -> str:
    """Return a new name of a kind, or a part of one."""
    form = chance.one(NAME_RULES[rule])
    name = re.sub(r"{(\w+)}", lambda part: _name(chance, part[1]), form).replace("_", "")
    return name.title() if rule in ("fresh_stem", "titled", "titled_noun") else name


def _known_names() -> dict[str, list[str]]:
    """Return the names that every split and seed shares; stems and acronyms come first, because names contain them."""
    chance = Chance("known names")
    NAME_RULES["known_stem"] = [_name(chance, "fresh_stem") for _ in range(80)]
    NAME_RULES["known_agency"] = [_name(chance, "acronym") for _ in range(20)]
    return {kind: [_name(chance, kind) for _ in range(60)] for kind in ("person", "place", "city", "org")}


KNOWN_NAMES = _known_names()


def _mention(chance: Chance, kind: str) -> str:
    if kind in KNOWN_NAMES and chance.often(30):
        return chance.skewed(KNOWN_NAMES[kind])
    return _name(chance, "city").upper() if kind == "dateline" else _name(chance, kind)


# ---- sentences


class _Sentence:
    """The tokens of one sentence as they grow; an entity is known by the index of its last token."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.tokens: list[str] = []
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.links: dict[int, list[tuple[str, int]]] = {}

    def expand(self, rule: str, argument: tuple[int, ...] = ()) -> None:
        """Append one alternative of a rule; `argument` holds the entities that `$` stands for."""
        alternative = self.chance.one(RULES[rule])
        ends = {"$": argument}

        def entities(labels: tuple[str, ...]) -> tuple[int, ...]:
            return tuple(end for label in labels for end in ends[label])

        for piece in alternative.pieces:
            if piece.sort == "word":
                self._word(PLURALS.get(piece.name, piece.name) if len(argument) > 1 else piece.name)
            elif piece.sort == "#":
                self.expand(piece.name, entities(piece.labels))
            else:
                ends[piece.labels[0]] = (self._entity(piece.name),)
        for relation in alternative.relations:
            for head in entities(relation.heads):
                self.links.setdefault(head, []).extend((relation.type, tail) for tail in entities(relation.tails))

    def _word(self, word: str) -> None:
        if not self.tokens or self.tokens[-1] in ("``", "--"):
            word = word[0].upper() + word[1:]
        if self.tokens and self.tokens[-1] == "," and word in (",", ";", "."):
            self.tokens[-1] = word  # a clause that ends with a comma meets what follows it
        else:
            self._append(word, "O")

    def _entity(self, kind: str) -> int:
        if kind == "person" and self.chance.often(12):
            self._append(self.chance.one(WORDS["title"]), "O")
        name = _mention(self.chance, kind)
        while name in self.names:  # one name for two people would make the gold relations read as contradictions
            name = _mention(self.chance, kind)
        self.names.add(name)
        prefix = "B"
        for token in name.split():
            self._append(token, f"{prefix}-{TYPES[kind]}")
            prefix = "I"
        return len(self.tokens) - 1

    def _append(self, token: str, tag: str) -> None:
        if self.tokens and self.tokens[-1] in ("a", "A") and self.tags[-1] == "O" and token[0] in "AEIOaeio":
            self.tokens[-1] += "n"
        self.tokens.append(token)
        self.tags.append(tag)

    def rows(self) -> str:
        lines = []
        for index, (token, tag) in enumerate(zip(self.tokens, self.tags, strict=True)):
            links = self.links.get(index, [("N", index)])
            labels, heads = [label for label, _ in links], [head for _, head in links]
            lines.append(f"{index}\t{token}\t{tag}\t{labels}\t{heads}\n")
        return "".join(lines)


def write_sample(path: Path, split: str, sentences: int, seed: int) -> None:
    """Write one split of the sample corpus; the first sentences stay the same when more are asked for.

    Args:
        path: the file to write, in the five columns that `read_bekou` reads.
        split: `train`, `dev` or `test`; each has its own sentences and its own ids.
        sentences: how many, from 1 to 100,000,000; they are written one by one, so memory does not grow.
        seed: another seed gives other sentences of the same grammar.

    Raises:
        UsageError: an unknown split or an impossible number of sentences.
    """
    if split not in FIRST_IDS:
        raise UsageError(f"sample corpus: field split: found {split!r}, wanted one of {', '.join(FIRST_IDS)}")
    if not 1 <= sentences <= LARGEST_SPLIT:
        raise UsageError(f"sample corpus: field sentences: found {sentences}, wanted 1 to {LARGEST_SPLIT}")
    chance = Chance(f"{seed} {split}")
    with atomic_text(path) as stream:
        for number in range(sentences):
            sentence = _Sentence(chance)
            sentence.expand("sentence")
            stream.write(f"#doc {FIRST_IDS[split] + number}\n{sentence.rows()}")
