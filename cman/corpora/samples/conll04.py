"""The sample corpus `conll04-sample`: sentences of a seeded grammar in the raw `bekou` format of CoNLL04.

It stands in for the real corpus where that cannot be had, so that every later step runs on any machine. It has the
types, relations and argument constraints of CoNLL04, at least one relation in each sentence, and is meant to be
learnable but not trivial: most names are built from syllables and new in each split, the same name may be a place, a
surname or part of an organisation, and negated cues, bystanders and nested clauses stand between related entities.
The gold annotation is exactly what the grammar says. The rules are in `sample_words.py`, their notation is in
`sample_grammar.py`.
"""

from collections.abc import Sequence
from pathlib import Path

from cman.corpora.samples.grammar import Chance, Sentence, name, read_grammar, read_rules, write_columns
from cman.corpora.samples.words import GRAMMAR, NAMES, WORDS

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

RULES = read_grammar(GRAMMAR, WORDS)
NAME_RULES: dict[str, Sequence[str]] = {**read_rules(NAMES), **WORDS}
CAPITAL = ("fresh_stem", "titled", "titled_noun")


def _name(chance: Chance, rule: str) -> str:
    return name(chance, NAME_RULES, rule, CAPITAL)


def _known_names() -> dict[str, list[str]]:
    """Return the names that every split and seed shares; stems and acronyms come first, because names contain them."""
    chance = Chance("known names")
    NAME_RULES["known_stem"] = [_name(chance, "fresh_stem") for _ in range(80)]
    NAME_RULES["known_agency"] = [_name(chance, "acronym") for _ in range(20)]
    return {kind: [_name(chance, kind) for _ in range(60)] for kind in ("person", "place", "city", "org")}


KNOWN_NAMES = _known_names()


class News(Sentence):
    """A sentence of a newspaper."""

    rules, types, plurals, openers = RULES, TYPES, PLURALS, ("``", "--")

    def mention(self, kind: str) -> str:
        """Return a name of a kind: for some kinds often one that every split knows."""
        if kind in KNOWN_NAMES and self.chance.often(30):
            return self.chance.skewed(KNOWN_NAMES[kind])
        return _name(self.chance, "city").upper() if kind == "dateline" else _name(self.chance, kind)

    def entity(self, kind: str) -> int:
        """Append a new entity, a person now and then with a title before the name."""
        if kind == "person" and self.chance.often(12):
            self.append(self.chance.one(WORDS["title"]), "O")
        return super().entity(kind)

    def append(self, token: str, tag: str) -> None:
        """Append a token; `a` before a vowel becomes `an`."""
        if self.tokens and self.tokens[-1] in ("a", "A") and self.tags[-1] == "O" and token[0] in "AEIOaeio":
            self.tokens[-1] += "n"
        super().append(token, tag)


def write_sample(path: Path, split: str, sentences: int, seed: int) -> None:
    """Write one split of `conll04-sample`; see `cman.corpora.samples.grammar.write_columns`."""
    write_columns(path, News, split, sentences, seed)
