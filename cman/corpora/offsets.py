"""How an annotation file counts the characters of its text, where that is not how Python counts them.

Tools disagree: some read CRLF as one character, some were given the text before its line ends were changed, some count
UTF-16 units (JavaScript, Java) or bytes, some count a byte order mark. Which of these it is shows in the annotated
words: under the right one every span covers the words that stand beside it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations

Width = Callable[[str, str, str], int]  # (character before, character, character after) -> how much it counts

WIDTHS: Mapping[str, Width] = {
    "line ends CRLF are counted as one": lambda before, char, after: 0 if char == "\r" and after == "\n" else 1,
    "line ends LF are counted as two": lambda before, char, after: 2 if char == "\n" and before != "\r" else 1,
    "UTF-16 units are counted": lambda before, char, after: 2 if ord(char) > 0xFFFF else 1,
    "UTF-8 bytes are counted": lambda before, char, after: len(char.encode()),
}
LF_ONE, LF_TWO, UNITS, BYTES = WIDTHS
EXCLUSIVE = ({LF_ONE, LF_TWO}, {UNITS, BYTES})
MARK = "a byte order mark is counted"


class Offsets(dict[int, int]):
    """From a position as it is counted to the index of the character that begins there."""

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        widths = [WIDTHS[name] for name in names if name in WIDTHS]
        position = 3 if MARK in names and BYTES in names else int(MARK in names)
        for index, char in enumerate(text):
            self.setdefault(position, index)
            before, after = text[index - 1 : index], text[index + 1 : index + 2]
            position += 1 + sum(width(before, char, after) - 1 for width in widths)
        self[position] = len(text)


def conventions(text: str, marked: bool) -> Iterator[tuple[str, Offsets]]:
    """Yield name and offsets of each way to count that differs from Python's for a text, the simplest first.

    Args:
        marked: whether the file of the text begins with a byte order mark, which is no part of `text`.
    """
    plain = Offsets(text, ())
    names = [*WIDTHS, *([MARK] if marked else [])]
    for size in (1, 2, 3):
        for chosen in combinations(names, size):
            if any(pair <= set(chosen) for pair in EXCLUSIVE):
                continue
            offsets = Offsets(text, chosen)
            if offsets != plain:
                yield " and ".join(chosen), offsets


def fitting_offsets(text: str, spans: Sequence[tuple[int, int, str]]) -> tuple[str, Offsets] | None:
    """Return the way to count, and its offsets, under which spans cover their words; None if none fits them all.

    Args:
        spans: start, end and words of each; blanks at the edges of the words do not matter.
    """

    def fit(offsets: Offsets) -> bool:
        covered = (text[offsets.get(start, 0) : offsets.get(end, 0)] for start, end, _ in spans)
        return all(found.split() == words.split() for found, (*_, words) in zip(covered, spans, strict=True))

    plain = Offsets(text, ())
    if fit(plain):
        return "", plain
    return next(((name, offsets) for name, offsets in conventions(text, marked=False) if fit(offsets)), None)
