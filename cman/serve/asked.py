"""The body of a request to `/extract`: strict JSON with one of two fields, within the limits.

Every refusal is one sentence that names the field, what was found and what was wanted.
"""

import json
from dataclasses import dataclass
from typing import Any

from cman.serve.limits import Limits


class RefusedError(Exception):
    """A request that is answered by an error: its status, its sentence and any headers."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}


@dataclass(frozen=True)
class Asked:
    """The texts of a request, and whether it was one `text`."""

    texts: list[str]
    single: bool


def parse_asked(body: bytes, limits: Limits) -> Asked:
    """Return the texts of a body.

    Raises:
        RefusedError: 400 for what is no JSON or has wrong fields, 413 for what is too long.
    """
    try:
        given = json.loads(body.decode("utf-8"), object_pairs_hook=_without_twins, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise RefusedError(400, f"body: found bytes that are not UTF-8 at byte {error.start}, wanted JSON") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise RefusedError(400, f"body: found no JSON ({error.msg} at {where}), wanted an object") from None
    except RecursionError:
        raise RefusedError(400, "body: found JSON nested too deeply, wanted an object with text or texts") from None
    except ValueError as error:
        raise RefusedError(400, f"body: {error}") from None
    if not isinstance(given, dict):
        raise RefusedError(400, f"body: found {_kind(given)}, wanted an object with text or texts")
    unknown = [name for name in given if name not in ("text", "texts")]
    if unknown:
        raise RefusedError(400, f"{_shown(unknown[0])}: unknown field, wanted text or texts")
    if len(given) != 1:
        raise RefusedError(400, f"text, texts: found {'both' if given else 'none'}, wanted exactly one of the two")
    if "text" in given:
        _check_text("text", given["text"], limits)
        return Asked([given["text"]], True)
    texts = given["texts"]
    if not isinstance(texts, list):
        raise RefusedError(400, f"texts: found {_kind(texts)}, wanted a list of strings")
    if not texts:
        raise RefusedError(400, "texts: found an empty list, wanted at least one string")
    if len(texts) > limits.max_texts:
        raise RefusedError(413, f"texts: found {len(texts):,} texts, wanted at most {limits.max_texts:,}")
    for place, text in enumerate(texts):
        _check_text(f"texts[{place}]", text, limits)
    total = sum(map(len, texts))
    if total > limits.max_characters:
        raise RefusedError(413, f"texts: found {total:,} characters in all, wanted at most {limits.max_characters:,}")
    return Asked(texts, False)


def _check_text(field: str, text: Any, limits: Limits) -> None:
    if not isinstance(text, str):
        raise RefusedError(400, f"{field}: found {_kind(text)}, wanted a string")
    if len(text) > limits.max_characters:
        found = f"{len(text):,} characters"
        raise RefusedError(413, f"{field}: found {found}, wanted at most {limits.max_characters:,}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        found = f"half a character (\\u{ord(text[error.start]):04x})"
        raise RefusedError(400, f"{field}: found {found} at place {error.start}, wanted whole ones") from None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    given = dict(pairs)
    if len(given) < len(pairs):
        raise ValueError("found a field twice, wanted it once")
    return given


def _no_constant(name: str) -> None:
    raise ValueError(f"found {name}, which is no JSON, wanted an object with text or texts")


def _shown(name: str) -> str:
    """A field's name as it may stand in a sentence: short, and without line breaks or half characters."""
    return ascii(name if len(name) <= 40 else name[:40] + "...")


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
