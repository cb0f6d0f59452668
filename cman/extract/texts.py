"""What a program hands an extractor as texts: each is one, or one sentence says what was found; and a stream of them.

A stream is read in chunks that fill batches, so memory does not grow with its length.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any

from cman.corpora.document import Document
from cman.errors import CmanError, UsageError
from cman.extract.sentences import Given, Thresholds

if TYPE_CHECKING:
    from cman.extract.extractor import Extractor

# Of a chunk: enough for full batches, little enough that the first answers come soon.
TOKENS_A_CHUNK = 4_096
TEXTS_A_CHUNK = 256
CHARACTERS_A_CHUNK = 500_000

SURROGATE = re.compile("[\ud800-\udfff]")

Item = tuple[Given, list[Document], tuple[Any, ...]]  # a text, its sentences, and the context if it came with one


def given_text(text: Any, number: int | None = None) -> Given:
    """Return a text with its number as id.

    Raises:
        TypeError: it is none; CmanError: it has half of a surrogate pair, which is no character.
    """
    where = "" if number is None else f"text {number}: "
    if not isinstance(text, str):
        raise TypeError(f"{where}found {type(text).__name__}, wanted a text (str)")
    lone = SURROGATE.search(text)
    if lone is not None:
        raise CmanError(f"{where}found a lone surrogate at character {lone.start()}, wanted text")
    return Given(str(number or 1), str(text))  # spaCy takes no kind of str but str itself, such as NumPy's


def from_one(name: str, value: Any) -> None:
    """Check an argument that is None or a whole number of at least 1.

    Raises:
        UsageError: it is neither.
    """
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise UsageError(f"{name}: found {value!r}, wanted a whole number from 1")


def several(texts: Any, call: str) -> Iterable[Any]:
    """Return texts, unless they are one text, whose characters would be taken for texts, or a table, whose keys would.

    Raises:
        TypeError: they are one text, a table, without an order, or nothing that can be iterated over.
    """
    if isinstance(texts, Mapping | Set) or hasattr(texts, "columns"):
        found = type(texts).__name__
        raise TypeError(f"{call}: found {found}, wanted several texts, such as a list or one column of a table")
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        found = "one text" if isinstance(texts, str) else type(texts).__name__
        raise TypeError(f"{call}: found {found}, wanted several texts, such as a list; one is read by extractor(text)")
    return texts


def streamed(extractor: "Extractor", texts: Iterable[Any], thresholds: Thresholds) -> Iterator[Any]:
    """Yield what `Extractor.stream` yields."""
    for chunk, failure in _chunks(extractor, texts):
        givens, sentences = [given for given, _, _ in chunk], [documents for _, documents, _ in chunk]
        for found, (_, _, context) in zip(extractor.extractions(givens, sentences, thresholds), chunk, strict=True):
            yield (found, *context) if context else found
        if failure is not None:
            raise failure


def _chunks(extractor: "Extractor", texts: Iterable[Any]) -> Iterator[tuple[list[Item], Exception | None]]:
    """Yield texts with their sentences, many at a time; the last ones with what ends them, if that is an error."""
    chunk: list[Item] = []
    tokens = characters = 0
    for number, item in enumerate(texts, start=1):
        try:
            values = item if isinstance(item, tuple) else (item,)
            if len(values) not in (1, 2):
                raise TypeError(f"text {number}: found {len(values)} values, wanted a text, or a text and its context")
            given = given_text(values[0], number)
            documents = extractor.numbered(given, number)
        except (TypeError, CmanError) as error:
            yield chunk, error
            return
        chunk.append((given, documents, values[1:]))
        tokens += sum(len(document.tokens) for document in documents)
        characters += len(given.text)
        if tokens >= TOKENS_A_CHUNK or characters >= CHARACTERS_A_CHUNK or len(chunk) == TEXTS_A_CHUNK:
            yield chunk, None
            chunk, tokens, characters = [], 0, 0
    if chunk:
        yield chunk, None
