"""The vocabularies of a model: words, characters, tags and relation labels, each a list whose order gives the ids.

Words and characters come from the training documents; id 0 of the words and id 1 of the characters mean unknown, id 0
of the characters is padding. Before a word is unknown it is looked up in other forms: among trained words with its
digits as 0 and in its other case, among pre-trained ones as the baseline does (see `vector_forms`).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cman.corpora.bio import tag_set
from cman.corpora.document import Document
from cman.errors import CmanError
from cman.validation import Read, checked

UNKNOWN = "<unknown>"
PADDING = "<padding>"
VECTOR_FORMS = ("exact", "number", "case")  # what each of `vector_forms` is
DIGITS = str.maketrans("123456789", "000000000")


def fallbacks(word: str) -> tuple[str, ...]:
    """Return the forms under which a word is looked up, in order."""
    zeroed = word.translate(DIGITS)
    flipped = zeroed.lower() if zeroed != zeroed.lower() else zeroed.capitalize()
    return word, zeroed, flipped


def vector_forms(word: str) -> tuple[str, str, str]:
    """Return the forms under which a word is looked up among pre-trained vectors, in order (see VECTOR_FORMS).

    They are those of the baseline (bekou/multihead_joint_entity_relation_extraction, utils.py): the word, the word 0
    for a number, and lower case, or title case for a word in lower case.
    """
    number = "0" if word.isdecimal() else word
    return word, number, number.title() if number.islower() else number.lower()


@dataclass(frozen=True)
class Vocabulary:
    """Words, characters, tags and relation labels by id.

    `singletons` are the words seen once in training; `pretrained` says that the words are those of given vectors.
    """

    words: tuple[str, ...]
    chars: tuple[str, ...]
    tags: tuple[str, ...]
    relations: tuple[str, ...]
    singletons: frozenset[str] = frozenset()
    pretrained: bool = False

    @classmethod
    def of(cls, documents: Sequence[Document], words: Iterable[str] | None = None) -> "Vocabulary":
        """Return the vocabulary of training documents; `words` replaces their words (those of pre-trained vectors)."""
        counts = Counter(token.translate(DIGITS) for document in documents for token in document.tokens)
        chars = {char for document in documents for token in document.tokens for char in token}
        relations = {relation.type for document in documents for relation in document.relations}
        return cls(
            words=(UNKNOWN, *(sorted(counts) if words is None else words)),
            chars=(PADDING, UNKNOWN, *sorted(chars)),
            tags=tuple(tag_set(entity.type for document in documents for entity in document.entities)),
            relations=tuple(sorted(relations)),
            singletons=frozenset(word for word, count in counts.items() if count == 1 and words is None),
            pretrained=words is not None,
        )

    @cached_property
    def word_ids(self) -> dict[str, int]:
        """Word -> id."""
        return {word: index for index, word in enumerate(self.words)}

    @cached_property
    def char_ids(self) -> dict[str, int]:
        """Character -> id."""
        return {char: index for index, char in enumerate(self.chars)}

    @cached_property
    def tag_ids(self) -> dict[str, int]:
        """Tag -> id."""
        return {tag: index for index, tag in enumerate(self.tags)}

    @cached_property
    def relation_ids(self) -> dict[str, int]:
        """Relation label -> id."""
        return {label: index for index, label in enumerate(self.relations)}

    def word_id(self, word: str) -> int:
        """Return the id of the first known form of a word, 0 if none is known."""
        forms = vector_forms(word) if self.pretrained else fallbacks(word)
        return next((self.word_ids[form] for form in forms if form in self.word_ids), 0)

    def char_id_list(self, word: str) -> list[int]:
        """Return the ids of a word's characters, 1 for an unknown one."""
        return [self.char_ids.get(char, 1) for char in word]

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads back."""
        return {
            "words": list(self.words),
            "chars": list(self.chars),
            "tags": list(self.tags),
            "relations": list(self.relations),
            "singletons": sorted(self.singletons),
            "pretrained": self.pretrained,
        }

    @classmethod
    def from_json(cls, value: Any, where: str = "vocabulary") -> "Vocabulary":
        """Return the vocabulary that `to_json` wrote.

        Raises:
            CmanError: it is none; the message has the place `where`.
        """
        given = checked(_Lists, value, where)
        lists = {name: tuple(getattr(given, name)) for name in ("words", "chars", "tags", "relations")}
        types = [tag.partition("-")[2] for tag in given.tags[1:]]
        if given.tags != tag_set(types) or len(set(given.relations)) < len(given.relations):
            raise CmanError(f"{where}: fields tags, relations: found other ones than those of a training")
        if not given.words or len(given.chars) < 2:
            raise CmanError(f"{where}: fields words, chars: found too few, wanted at least those for what is unknown")
        return cls(**lists, singletons=frozenset(given.singletons), pretrained=given.pretrained)


class _Lists(Read):
    words: list[str]
    chars: list[str]
    tags: list[str]
    relations: list[str]
    singletons: list[str]
    pretrained: bool = False  # folders of before this key looked every word up as a trained one
