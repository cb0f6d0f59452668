"""Texts from a stream, one a line, in bounded memory: plain lines, or JSON objects with `text` or `tokens`.

A line that cannot be read becomes a record with the reason, and the next line is read: one bad line in a million must
not end a night's work.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import BeforeValidator, Field, ValidationError

from cman.extract.sentences import Given
from cman.validation import NonEmpty, Read, String, sentence, shown

Form = Literal["text", "jsonl"]

BYTES_A_CHARACTER = {"text": 4, "jsonl": 12}  # at most: UTF-8, or a surrogate pair of JSON escapes
SLACK = 1 << 16  # bytes of a JSON line that are no text
BLOCK = 1 << 20  # bytes read at a time of a line that is passed over
BOM = b"\xef\xbb\xbf"


class UnreadableError(Exception):
    """Why a line is no text."""


@dataclass(frozen=True)
class Record:
    """One line: a text, or why it is none."""

    line: int
    end: int  # bytes of the stream up to and with this line
    id: str
    given: Given | None = None
    error: str | None = None


def records(stream: BinaryIO, form: Form, longest: int, line: int = 0, end: int = 0) -> Iterator[Record]:
    """Yield the records of a stream.

    In `text` every line is a text, an empty one too, and its id is its number; the line's end (LF or CRLF) is no part
    of it. In `jsonl` a line is an object with `text` or a list `tokens`; `id` is a string or a whole number, the line's
    number by default; other keys are left alone; empty lines are none.

    Args:
        longest: characters of a text; a longer one is an error.
        line, end: lines and bytes before the stream's position.
    """
    limit = BYTES_A_CHARACTER[form] * longest + SLACK
    while content := stream.readline(limit):
        line += 1
        size = len(content)
        too_long = size == limit and not content.endswith(b"\n")
        while too_long and (rest := stream.readline(BLOCK)):
            size += len(rest)
            if rest.endswith(b"\n"):
                break
        end += size
        identifier = str(line)
        try:
            if too_long:
                raise UnreadableError(f"found a line of {size} bytes, wanted {limit} at most")
            text = _decoded(content.removeprefix(BOM) if line == 1 else content)
            if form == "jsonl":
                if not text.strip():
                    continue
                value = _value(text)
                identifier = _named(value, identifier)
                given = _given(value, identifier)
            else:
                given = Given(identifier, text)
            if len(given.text) > longest:
                raise UnreadableError(f"found a text of {len(given.text)} characters, wanted {longest} at most")
        except UnreadableError as error:
            yield Record(line, end, identifier, error=str(error))
        else:
            yield Record(line, end, identifier, given)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UnreadableError(f"found the byte 0x{content[error.start]:02x}, wanted UTF-8 text") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"found invalid JSON ({error}), wanted an object a line") from None


def _named(value: Any, number: str) -> str:
    """Return the id of a line, of one that is refused for another field as well."""
    try:
        return _Named.model_validate(value).id or number
    except ValidationError as error:
        raise UnreadableError(sentence(error)) from None


def _given(value: Any, number: str) -> Given:
    try:
        line = Line.model_validate(value)
    except ValidationError as error:
        raise UnreadableError(sentence(error)) from None
    if not line.model_fields_set & {"text", "tokens"}:
        raise UnreadableError(f"found the keys {', '.join(value) or 'none'}, wanted text or tokens")
    return line.given(number)


def _identifier(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"found {shown(value)}, wanted a string or a whole number")
    return str(value)


class _Named(Read):
    id: Annotated[String, BeforeValidator(_identifier)] = ""


class Line(_Named):
    """What a line of JSON or a request holds: a text, or the tokens of one sentence; of both, the text is read."""

    text: String = ""
    tokens: list[NonEmpty] = Field(default_factory=list, min_length=1)

    def given(self, number: str) -> Given:
        """Return what is to be read; its id is `number` unless there is one."""
        identifier = self.id or number
        if "text" in self.model_fields_set:
            return Given(identifier, self.text)
        return Given(identifier, " ".join(self.tokens), tuple(self.tokens))
