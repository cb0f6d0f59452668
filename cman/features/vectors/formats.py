"""The formats of pre-trained word vectors, read entry by entry: word2vec text and binary, and GloVe.

Text has a word and its values a line; word2vec's has a first line with the numbers of words and values, GloVe's has
not. Binary (`.bin`) has that line, then each word, a space and its values as little-endian float32. Only the vectors of
needed words are turned into numbers: a file of gigabytes passes through at the speed of its disk.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cman.errors import CmanError

LONGEST_LINE = 1 << 20  # bytes; longer is no text of vectors
LONGEST_WORD = 1 << 12  # bytes of a word in a binary file
LARGEST_DIM = 1 << 16
READ = 1 << 20  # bytes read at a time

Needed = Callable[[str], bool]


class Passed:
    """How many entries went by, and how many of their words are no UTF-8 and so no word of any corpus."""

    def __init__(self) -> None:
        self.entries = 0
        self.undecodable = 0

    def word(self, raw: bytes) -> str | None:
        """Return the word that bytes spell, None if they spell none."""
        self.entries += 1
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self.undecodable += 1
            return None


def text_vectors(stream: BinaryIO, path: Path, needed: Needed, passed: Passed) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the needed words of a text file and their vectors (dim,) float32.

    Raises:
        CmanError: a line is malformed, or fewer or more lines than line 1 announces; the message names the line.
    """
    announced, dim, number = None, 0, 0
    while raw := stream.readline(LONGEST_LINE):
        number += 1
        where = f"{path}: line {number}"
        if len(raw) == LONGEST_LINE:
            raise CmanError(f"{where}: found more than {LONGEST_LINE} bytes, wanted a word and its values")
        line = raw.rstrip()
        if number == 1 and (numbers := _two_numbers(line)):
            announced, dim = numbers
            if not 0 < dim <= LARGEST_DIM:
                raise CmanError(f"{where}: found {dim} values a word, wanted 1 to {LARGEST_DIM}")
            continue
        dim = dim or line.count(b" ")
        # Words of some public files contain spaces: the values are the last `dim` columns.
        columns = line.rsplit(b" ", dim)
        word = passed.word(columns[0])
        vector = None
        if len(columns) == dim + 1 and dim and columns[0]:
            if word is None or not needed(word):
                continue
            vector = _numbers(columns[1:])
        if vector is None or word is None:
            shown = line[:40].decode("utf-8", errors="replace")
            raise CmanError(f"{where}: found {shown!r}, wanted a word and {dim or 'some'} finite numbers")
        yield word, vector
    if announced is not None and passed.entries != announced:
        raise CmanError(
            f"{path}: found {passed.entries} words, wanted the {announced} that line 1 announces: if the file is "
            "truncated, get it again"
        )


def binary_vectors(stream: BinaryIO, path: Path, needed: Needed, passed: Passed) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the needed words of a binary file and their vectors (dim,) float32.

    Raises:
        CmanError: line 1 is missing, the file ends too early or too late, a word has no end, or a needed value is not
            finite; the message names the word by its number.
    """
    header = stream.readline(100)
    numbers = _two_numbers(header.rstrip())
    if numbers is None or not 0 < numbers[1] <= LARGEST_DIM:
        raise CmanError(f"{path}: line 1: found {header[:40]!r}, wanted the numbers of words and of values")
    count, size = numbers[0], 4 * numbers[1]
    data, position = b"", 0
    for number in range(1, count + 1):
        # A word and its values, both whole, before they are cut out: more is read until they are.
        while (end := data.find(b" ", position, position + LONGEST_WORD)) < 0 or end + 1 + size > len(data):
            if end < 0 and len(data) - position >= LONGEST_WORD:
                raise CmanError(
                    f"{path}: word {number} of {count}: found no space behind it within {LONGEST_WORD} bytes"
                )
            more = stream.read(max(READ, size))
            if not more:
                raise CmanError(
                    f"{path}: ends within word {number} of {count}, wanted all of them: the file is truncated, get it "
                    "again"
                )
            data, position = data[position:] + more, 0
        word = passed.word(data[position:end].lstrip(b"\n"))
        if word is not None and needed(word):
            vector = np.frombuffer(data, dtype="<f4", count=numbers[1], offset=end + 1).copy()
            if not np.isfinite(vector).all():
                raise CmanError(f"{path}: word {number} ({word!r}): found a value that is not finite, wanted numbers")
            yield word, vector
        position = end + 1 + size
    if (data[position:] + stream.read(2)).strip(b"\n"):
        raise CmanError(f"{path}: found more behind the {count} words that line 1 announces, wanted its end")


def _two_numbers(line: bytes) -> tuple[int, int] | None:
    columns = line.split(b" ")
    if len(columns) == 2 and all(column.isdigit() and len(column) < 16 for column in columns):
        return int(columns[0]), int(columns[1])
    return None


def _numbers(columns: list[bytes]) -> np.ndarray | None:
    try:
        vector = np.array([float(column) for column in columns], dtype=np.float32)
    except ValueError:
        return None
    return vector if np.isfinite(vector).all() else None
