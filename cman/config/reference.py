"""The configuration reference, docs/configuration.md, from the models that check a configuration.

python -m cman.config.reference > docs/configuration.md
"""

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from cman.config.configuration import Configuration, Variant
from cman.config.formats import FORMATS
from cman.config.inputs import Encoder, Vectors
from cman.config.own import Own
from cman.config.settings import Settings

HEAD = """# Configuration reference

A configuration is one YAML or JSON file, complete by itself; an unknown key is refused with its full path. This page is
made from the code (`python -m cman.config.reference`), so it cannot be behind it. All settings of one run, resolved:

```
cman config --config config/conll04.yaml --corpus conll04 --experiment cman --settings
```
"""

OWN = "Your own corpus; [own-corpus.md](own-corpus.md) says which formats there are and what a split is in each."


def reference() -> str:
    """Return the page."""
    parts = [HEAD, "## The file\n", *_table(Configuration)]
    parts += ["\n## `corpora.{name}`\n", "`format` decides which keys there are.\n"]
    for name, format in FORMATS.items():
        if format.keys is not Own:
            parts += [f"\n### `format: {name}`\n", f"{format.meaning}\n", *_table(format.keys, without=("format",))]
    parts += ["\n### every other format\n", f"{OWN}\n", *_table(Own, without=("format",))]
    parts += ["\n## `encoders.{name}`\n", f"{_summary(Encoder)}\n", *_table(Encoder)]
    parts += ["\n## `vectors.{name}`\n", f"{_summary(Vectors)}\n", *_table(Vectors)]
    parts += ["\n## `variants.{name}`\n", f"{_summary(Variant)}\n", *_table(Variant)]
    parts += ["\n## `settings`\n", "Written with a dot: `settings: {crf.potential: pairwise}`.\n"]
    for name, field in Settings.model_fields.items():
        group = field.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            parts += [f"\n### `{name}`\n", f"{_summary(group)}\n", *_table(group, f"{name}.")]
        else:
            parts += [f"\n### `{name}`\n", *_rows({name: field}, "")]
    return "\n".join(parts) + "\n"


def _table(model: type[BaseModel], prefix: str = "", without: tuple[str, ...] = ()) -> list[str]:
    return _rows({name: field for name, field in model.model_fields.items() if name not in without}, prefix)


def _rows(fields: dict[str, FieldInfo], prefix: str) -> list[str]:
    rows = ["| key | values | default | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        cells = (f"`{prefix}{name}`", _values(field.annotation), _default(field), field.description or "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def _values(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if kind is type(None):
        return "`null`"
    parts = list(dict.fromkeys(_names(kind)))
    return ", ".join(parts)


def _names(kind: Any) -> Iterator[str]:
    names = {bool: "true, false", int: "whole number", float: "number", str: "text"}
    if kind in names:
        yield names[kind]
    elif kind is type(None):
        yield "`null`"
    elif get_origin(kind) is Literal:
        yield from (f"`{value}`" for value in get_args(kind))
    elif get_origin(kind) in (list, tuple):
        yield "list"
    elif get_origin(kind) is dict:
        yield "keys and values"
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield "keys: " + ", ".join(f"`{name}`" for name in kind.model_fields)
    elif isinstance(kind, type):
        yield kind.__name__.lower()
    else:
        for each in get_args(kind):
            if isinstance(each, type) or get_origin(each) is not None:
                yield from _names(each)


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "needed"
    value = field.default
    if isinstance(value, BaseModel):
        return (
            f"`{value.model_dump(mode='json', exclude_defaults=False)}`" if len(value.model_fields_set) else "see there"
        )
    return f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{key}: {_yaml(each)}" for key, each in value.items())
        return "{" + inside + "}"
    if isinstance(value, BaseModel):
        return _yaml({name: each for name, each in value.model_dump(mode="json").items() if each is not None})
    words = {"None": "null", "True": "true", "False": "false"}
    return words.get(str(value), str(value))


def _summary(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


if __name__ == "__main__":
    print(reference(), end="")
