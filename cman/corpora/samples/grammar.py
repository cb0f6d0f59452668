"""Sentences from a seeded grammar: what the sample corpora share.

Notation of the rules: a line that ends with a colon opens a rule, each indented line holds one alternative of it, or
several between slashes, and `3*` in front makes an alternative three times as likely. In an alternative,
    @person1    is a new entity of the kind `person`, labelled `person1` within this alternative,
    #live($)    inserts the rule `live`; inside it `$` stands for the entity or the entities (`a+b`) in the brackets,
    | Live_In $ place1   states a relation; with several heads or tails, one for each pair; `;` divides relations.
Everything else is a token, and `_` is nothing at all. Entities that no relation mentions are there to distract. The
rules of names are written alike, but hold `{parts}` that are joined without a space.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import ClassVar, NamedTuple, TypeVar

from cman.errors import UsageError
from cman.files import atomic_text

Item = TypeVar("Item")


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


Rules = Mapping[str, Sequence[Alternative]]


def read_grammar(text: str, words: Mapping[str, Iterable[str]]) -> dict[str, list[Alternative]]:
    """Return the parsed rules of a grammar; each list of words is also a rule, whose alternatives are its words."""
    return {name: [_alternative(text) for text in texts] for name, texts in {**read_rules(text), **words}.items()}


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


def name(chance: Chance, rules: Mapping[str, Sequence[str]], rule: str, capital: Sequence[str] = ()) -> str:
    """Return a new name by the rules of names; the parts made by the rules in `capital` begin with a capital."""
    form = chance.one(rules[rule])
    made = re.sub(r"{(\w+)}", lambda part: name(chance, rules, part[1], capital), form).replace("_", "")
    return made.title() if rule in capital else made


class Sentence:
    """The tokens of one sentence as they grow; an entity is known by the index of its last token.

    A sample corpus says what is special about it: its rules, the type of each kind of entity (an empty type is a
    mention that nobody annotated), how a name of a kind is made, and what changes for several entities.
    """

    rules: ClassVar[Rules]
    types: ClassVar[Mapping[str, str]]
    plurals: ClassVar[Mapping[str, str]] = {}  # word of a rule -> what it becomes when `$` is several entities
    openers: ClassVar[Sequence[str]] = ()  # after these tokens, a word begins with a capital, as at the start

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.tokens: list[str] = []
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.links: dict[int, list[tuple[str, int]]] = {}

    def mention(self, kind: str) -> str:
        """Return a name of a kind of entity, its tokens divided by blanks."""
        raise NotImplementedError

    def expand(self, rule: str, argument: tuple[int, ...] = ()) -> None:
        """Append one alternative of a rule; `argument` holds the entities that `$` stands for."""
        alternative = self.chance.one(self.rules[rule])
        ends = {"$": argument, "root": (0,)}

        def entities(labels: tuple[str, ...]) -> tuple[int, ...]:
            return tuple(end for label in labels for end in ends[label])

        for piece in alternative.pieces:
            if piece.sort == "word":
                self.word(self.plurals.get(piece.name, piece.name) if len(argument) > 1 else piece.name)
            elif piece.sort == "#":
                self.expand(piece.name, entities(piece.labels))
            else:
                ends[piece.labels[0]] = (self.entity(piece.name),)
        for relation in alternative.relations:
            for head in entities(relation.heads):
                self.links.setdefault(head, []).extend((relation.type, tail) for tail in entities(relation.tails))

    def word(self, word: str) -> None:
        """Append a word of a rule."""
        if not self.tokens or self.tokens[-1] in self.openers:
            word = word[0].upper() + word[1:]
        if self.tokens and self.tokens[-1] == "," and word in (",", ";", "."):
            self.tokens[-1] = word  # a clause that ends with a comma meets what follows it
        else:
            self.append(word, "O")

    def entity(self, kind: str) -> int:
        """Append a new entity and return the index of its last token."""
        name = self.mention(kind)
        while name in self.names:  # one name for two entities would make the gold relations read as contradictions
            name = self.mention(kind)
        self.names.add(name)
        prefix = "B"
        for token in name.split():
            self.append(token, f"{prefix}-{self.types[kind]}" if self.types[kind] else "O")
            prefix = "I"
        return len(self.tokens) - 1

    def append(self, token: str, tag: str) -> None:
        """Append a token and its BIO tag."""
        self.tokens.append(token)
        self.tags.append(tag)

    def rows(self) -> str:
        """Return the sentence in the five columns that `cman.corpora.columns` reads."""
        lines = []
        for index, (token, tag) in enumerate(zip(self.tokens, self.tags, strict=True)):
            links = self.links.get(index, [("N", index)])
            labels, heads = [label for label, _ in links], [head for _, head in links]
            lines.append(f"{index}\t{token}\t{tag}\t{labels}\t{heads}\n")
        return "".join(lines)


# Ids are consecutive from here; the distance is also the largest split, so that ids never meet.
FIRST_IDS = {"train": 1, "dev": 100_000_001, "test": 200_000_001}
LARGEST_SPLIT = 100_000_000


def write_columns(path: Path, kind: type[Sentence], split: str, sentences: int, seed: int) -> None:
    """Write one split of a sample corpus in five columns; the first sentences stay the same when more are asked for.

    Args:
        kind: the corpus; each of its sentences is expanded from the rule `sentence`.
        split: `train`, `dev` or `test`; each has its own sentences and its own ids.
        sentences: how many, from 1 to 100,000,000; they are written one by one, so memory does not grow.
        seed: another seed gives other sentences of the same grammar.

    Raises:
        UsageError: an unknown split or an impossible number of sentences.
    """
    if split not in FIRST_IDS:
        raise UsageError(f"sample corpus: field split: found {split!r}, wanted one of {', '.join(FIRST_IDS)}")
    check_size(sentences)
    chance = Chance(f"{seed} {split}")
    with atomic_text(path) as stream:
        for number in range(sentences):
            sentence = kind(chance)
            sentence.expand("sentence")
            stream.write(f"#doc {FIRST_IDS[split] + number}\n{sentence.rows()}")


def check_size(sentences: int) -> None:
    """Refuse an impossible number of sentences.

    Raises:
        UsageError: the number is below 1 or above 100,000,000.
    """
    if not 1 <= sentences <= LARGEST_SPLIT:
        raise UsageError(f"sample corpus: field sentences: found {sentences}, wanted 1 to {LARGEST_SPLIT}")
