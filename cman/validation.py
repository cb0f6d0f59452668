"""The one gate for what comes parsed from a file: a pydantic model, and one sentence where a value does not fit it.

    {where}: field {path}: found {value}, wanted {what}

`where` is the file, and the line where a file has lines. The first thing that does not fit is told. Models are strict:
a number in quotes is no number, and true is no whole number.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from cman.errors import CmanError

Value = TypeVar("Value")
Whole = Annotated[int, Field(ge=0)]
String = Annotated[str, StringConstraints(min_length=0)]  # with a bound pydantic looks at it: no lone surrogates
NonEmpty = Annotated[str, StringConstraints(min_length=1)]
NOT_BLANK = r"\S"
Text = Annotated[str, StringConstraints(pattern=NOT_BLANK)]  # and not of white space alone
Score = Annotated[float, Field(ge=0, le=1)]
SHOWN = 60  # letters of a value

WANTED: Mapping[str, str] = {
    "string_type": "a string",
    "string_pattern_mismatch": "a non-empty string",
    "string_too_short": "a non-empty string",
    "string_unicode": "text without lone surrogates, which no UTF-8 file can hold",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
}


class Read(BaseModel):
    """What a file holds, immutable; keys that are not asked for are left alone."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Closed(Read):
    """The same, where an unknown key is an error."""

    model_config = ConfigDict(extra="forbid")


def checked(model: type[Value] | TypeAdapter[Value], value: Any, where: str, strict: bool | None = None) -> Value:
    """Return a parsed value as what a model describes.

    Raises:
        CmanError: it does not fit; the message names the place, the field, what was found and what was wanted.
    """
    adapter = model if isinstance(model, TypeAdapter) else TypeAdapter(model)
    try:
        return adapter.validate_python(value, strict=strict)
    except ValidationError as error:
        raise CmanError(sentence(error, where)) from None


def refused(where: str, field: tuple[int | str, ...], value: Any, expected: str) -> CmanError:
    """Return the error for a value that fits its own field and not another one, such as a span beyond the tokens."""
    return CmanError(f"{where}: field {path(field)}: found {shown(value)}, wanted {expected}")


def sentence(error: ValidationError, where: str = "") -> str:
    """Return what is wrong first, in one sentence."""
    return told(error.errors()[0], where)


def told(first: Mapping[str, Any], where: str = "") -> str:
    """Return what one error of pydantic says, in one sentence."""
    field = f"{where}: field {path(first['loc'])}".removeprefix(": ")
    match first["type"]:
        case "missing":
            return f"{field}: is missing"
        case "extra_forbidden":
            return f"{field}: unknown key"
        case "value_error":
            return f"{field}: {first['msg'].removeprefix('Value error, ')}"
    return f"{field}: found {shown(first['input'])}, wanted {_wanted(first)}"


def path(parts: tuple[int | str, ...]) -> str:
    """Return where a value stands, such as `tables[0].rows[1].method`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return text.removeprefix(".") or "(all)"


def shown(value: Any) -> str:
    """Return a value as an error shows it: as JSON, and short."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    text = text if text.isprintable() else json.dumps(value, default=repr)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _wanted(error: Any) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "greater_than_equal" if context["ge"] == 0 and isinstance(error["input"], int):
            return "a whole number from 0 on"
        case "string_pattern_mismatch" if context["pattern"] != NOT_BLANK:
            return f"text of the form {context['pattern']}"
        case kind if kind in WANTED:
            return WANTED[kind]
        case "too_short":
            return f"a list of at least {context['min_length']}"
        case "too_long":
            return f"a list of at most {context['max_length']}"
    message: str = error["msg"].removeprefix("Input should be ")
    return f"a number {message}" if message.startswith(("less ", "greater ")) else message
