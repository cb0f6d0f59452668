"""Texts from a stream in bounded memory: lines, paragraphs or whole files of text, or JSON objects, one a line.

What cannot be read becomes a record with the reason, and the next one is read: one bad line in a million must not end a
night's work.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from cman.corpora.document import spans_in
from cman.extract.sentences import Given
from cman.extract.sources import Form
from cman.validation import NonEmpty, Read, String, sentence, shown

Documents = Literal["line", "paragraph", "file"]
OWN = ("id", "text", "tokens")  # the fields of a line that are read

BYTES_A_CHARACTER = {"text": 4, "jsonl": 12}  # at most: UTF-8, or a surrogate pair of JSON escapes
SLACK = 1 << 16  # bytes of a JSON line that are no text
BLOCK = 1 << 20  # bytes read at a time of a line that is passed over
BOM = b"\xef\xbb\xbf"
HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n[^\S\n]*(?=[^\W\d_])")  # between letters, at a line's end
PARAGRAPH = re.compile(r"\n(?:[^\S\n]*\n)+")


class UnreadableError(Exception):
    """Why something is no text."""


@dataclass(frozen=True)
class Record:
    """One text, or why it is none."""

    line: int  # of its source, where it ends
    end: int  # bytes (of a table, rows) of the source up to and with this one
    id: str
    given: Given | None = None
    error: str | None = None
    start: int = 0  # bytes or rows before it
    source: int = 0  # which of the inputs


@dataclass(frozen=True)
class Reading:
    """How texts are read.

    Attributes:
        longest: characters of a text; a longer one is an error.
        documents: what of a text file is a document.
        join: read the wrapped lines of a document as one, and words that are divided at a line's end as whole.
        name: put before the number of a document, where there are several sources.
        keep_fields: keep what else a JSON object or a row of a table has.
    """

    form: Form
    longest: int
    documents: Documents = "line"
    join: bool = False
    name: str = ""
    keep_fields: bool = False

    def identifier(self, number: int) -> str:
        """Return the id of a document without one of its own."""
        if self.documents == "file" and self.form == "text":
            return self.name or "1"
        return f"{self.name}:{number}" if self.name else str(number)


@dataclass(frozen=True)
class Unit:
    """The bytes of one document as they stand in a stream; None for too many."""

    line: int
    first: int  # number of its first line
    start: int
    end: int
    content: bytes | None


def records(
    stream: BinaryIO, reading: Reading, line: int = 0, end: int = 0, wanted: Callable[[int], bool] | None = None
) -> Iterator[Record]:
    """Yield the records of a stream.

    Of `text` a line is a document, an empty one too, and its id is its number; the line's end (LF or CRLF) is no part
    of it. A paragraph is what stands between blank lines, its id the number of its first line. In `jsonl` a line is an
    object with `text` or a list `tokens`, or both if the tokens are the text's; `id` is a string or a whole number, the
    line's number by default; other keys are left alone or kept; empty lines are none.

    Args:
        line, end: lines and bytes before the stream's position.
        wanted: whether a document that starts at a byte is read; others are passed over.
    """
    units = _lines if reading.form == "jsonl" or reading.documents == "line" else _blocks
    for unit in units(stream, reading, line, end):
        if wanted is not None and not wanted(unit.start):
            continue
        identifier = reading.identifier(unit.first)
        try:
            if unit.content is None:
                limit = _limit(reading)
                raise UnreadableError(
                    f"found a {_name(reading)} of {unit.end - unit.start} bytes, wanted {limit} at most"
                )
            text = _decoded(unit.content.removeprefix(BOM) if unit.start == 0 else unit.content)
            if reading.form == "jsonl":
                if not text.strip():
                    continue
                value = _value(text)
                identifier = identifier_of(value, identifier)
                given = given_of(value, identifier, reading.keep_fields)
            else:
                given = Given(identifier, joined_lines(text) if reading.join else text)
            check_length(given, reading.longest)
        except UnreadableError as error:
            yield Record(unit.line, unit.end, identifier, error=str(error), start=unit.start)
        else:
            yield Record(unit.line, unit.end, identifier, given, start=unit.start)


def _limit(reading: Reading) -> int:
    return BYTES_A_CHARACTER[reading.form] * reading.longest + SLACK


def _name(reading: Reading) -> str:
    return "line" if reading.form == "jsonl" else reading.documents


def _lines(stream: BinaryIO, reading: Reading, line: int, end: int) -> Iterator[Unit]:
    limit = _limit(reading)
    while content := stream.readline(limit):
        line += 1
        size = len(content)
        too_long = size == limit and not content.endswith(b"\n")
        while too_long and (rest := stream.readline(BLOCK)):
            size += len(rest)
            if rest.endswith(b"\n"):
                break
        yield Unit(line, line, end, end + size, None if too_long else content)
        end += size


def _blocks(stream: BinaryIO, reading: Reading, line: int, end: int) -> Iterator[Unit]:
    """Yield paragraphs, or the whole stream."""
    limit = _limit(reading)
    whole = reading.documents == "file"
    held: list[bytes] = []
    size, first, start = 0, 1, end
    for unit in _lines(stream, reading, line, end):
        line, end = unit.line, unit.end
        if not whole and unit.content is not None and not unit.content.removeprefix(BOM).strip():
            if size:
                yield Unit(line - 1, first, start, unit.start, b"".join(held) if size <= limit else None)
            held, size = [], 0
            continue
        if not size:
            first, start = line, unit.start
        size += unit.end - unit.start
        if unit.content is None:
            size = max(size, limit + 1)
        if size > limit:
            held.clear()
        elif unit.content is not None:
            held.append(unit.content)
    if size:
        yield Unit(line, first, start, end, b"".join(held) if size <= limit else None)


def joined_lines(text: str) -> str:
    """Return a text whose paragraphs are a line each: a hyphen at a line's end between letters goes with it, another
    line's end becomes a space."""
    paragraphs = PARAGRAPH.split(HYPHEN.sub("", text.replace("\r\n", "\n")))
    return "\n\n".join(" ".join(line.strip() for line in each.strip().split("\n")) for each in paragraphs).strip()


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"found the byte 0x{content[error.start]:02x}, wanted UTF-8 text") from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"found invalid JSON ({error}), wanted an object a line") from None


def identifier_of(value: Any, number: str) -> str:
    """Return the id of an object, of one that is refused for another field as well.

    Raises:
        UnreadableError: it is neither a string nor a whole number.
    """
    try:
        return _Named.model_validate(value).id or number
    except ValidationError as error:
        raise UnreadableError(sentence(error)) from None


def given_of(value: Any, number: str, keep_fields: bool) -> Given:
    """Return what an object gives to be read.

    Raises:
        UnreadableError: it has neither text nor tokens, or tokens that are not the text's.
    """
    try:
        line = Line.model_validate(value)
    except ValidationError as error:
        raise UnreadableError(sentence(error)) from None
    if not line.model_fields_set & {"text", "tokens"}:
        raise UnreadableError(f"found the keys {', '.join(value) or 'none'}, wanted text or tokens")
    given = line.given(number)
    return replace(given, fields={key: value[key] for key in value if key not in OWN}) if keep_fields else given


def check_length(given: Given, longest: int) -> None:
    """Refuse a text that is too long.

    Raises:
        UnreadableError: it is.
    """
    if len(given.text) > longest:
        raise UnreadableError(f"found a text of {len(given.text)} characters, wanted {longest} at most")


def _identifier(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"found {shown(value)}, wanted a string or a whole number")
    return str(value)


class _Named(Read):
    id: Annotated[String, BeforeValidator(_identifier)] = ""


class Line(_Named):
    """What a line of JSON or a request holds: a text, tokens of a sentence, or both where the tokens are its own."""

    text: String = ""
    tokens: list[NonEmpty] = Field(default_factory=list, min_length=1)

    @model_validator(mode="after")
    def _tokens_are_of_the_text(self) -> "Line":
        if self.model_fields_set >= {"text", "tokens"} and spans_in(self.text, self.tokens) is None:
            raise ValueError(
                f"tokens: found {shown(self.tokens)}, wanted those of the text beside them with blanks between, or one "
                "of the two"
            )
        return self

    def given(self, number: str) -> Given:
        """Return what is to be read; its id is `number` unless there is one."""
        tokens = tuple(self.tokens) or None
        text = self.text if "text" in self.model_fields_set else " ".join(self.tokens)
        return Given(self.id or number, text, tokens)
