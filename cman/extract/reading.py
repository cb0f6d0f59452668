"""Texts from a stream, one a line, in bounded memory: plain lines, or JSON objects with `text` or `tokens`.

A line that cannot be read becomes a record with the reason, and the next line is read: one bad line in a million must
not end a night's work.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from cman.extract.sentences import Given

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
                value = _object(text)
                identifier = _identifier(value, line)
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


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"found invalid JSON ({error}), wanted an object a line") from None
    if not isinstance(value, dict):
        raise UnreadableError(f"found {_shown(value)}, wanted an object with text or tokens")
    return value


def _identifier(value: dict[str, Any], line: int) -> str:
    identifier = value.get("id", str(line))
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        raise UnreadableError(f"field id: found {_shown(identifier)}, wanted a string or a whole number")
    return _checked(str(identifier), "id")


def _given(value: dict[str, Any], identifier: str) -> Given:
    if "text" in value:
        if not isinstance(value["text"], str):
            raise UnreadableError(f"field text: found {_shown(value['text'])}, wanted a string")
        return Given(identifier, _checked(value["text"], "text"))
    tokens = value.get("tokens")
    if not isinstance(tokens, list) or not tokens or not all(isinstance(token, str) and token for token in tokens):
        content = f"found {_shown(tokens)}" if "tokens" in value else f"found the keys {', '.join(value) or 'none'}"
        raise UnreadableError(f"{content}, wanted text, or tokens as a list of strings that are not empty")
    return Given(identifier, _checked(" ".join(tokens), "tokens"), tuple(tokens))


def _checked(text: str, field: str) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise UnreadableError(f"field {field}: found a lone surrogate, which no UTF-8 file can hold")
    return text


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
