"""Prints the JSON schema of a configuration, from which editors complete and check its keys.

    python -m cman.config.schema > config/schema.json

It is made from the same models that check a configuration; of settings it also has the dotted keys. What only the
checks themselves know, such as which names exist, is no part of it. Nor are the names of the formats that have no keys
of their own: a new one changes no file but its own, its test and `cman.config.formats`.
"""

import json
from typing import Any

from cman.config.configuration import Configuration
from cman.config.formats import FORMATS
from cman.config.own import Own
from cman.config.settings import Settings

DRAFT = "https://json-schema.org/draft/2020-12/schema"
# Where changes of settings stand: dotted keys, or a group with its keys below.
CHANGES = "changes of settings, by dotted key"


def schema() -> dict[str, Any]:
    """Return the schema of a configuration."""
    made = Configuration.model_json_schema(mode="validation")
    settings = Settings.model_json_schema(mode="validation")
    properties: dict[str, Any] = {}
    for group, value in settings["properties"].items():
        keys = settings["$defs"].get(value.get("$ref", "").rpartition("/")[2], {}).get("properties")
        if keys is None:
            properties[group] = value
            continue
        properties[group] = {"type": "object", "properties": keys, "additionalProperties": False}
        properties |= {f"{group}.{name}": key for name, key in keys.items()}
    changes = {"title": CHANGES, "type": "object", "properties": properties, "additionalProperties": False}
    made["$defs"]["Changes"] = changes
    _leave_formats_open(made)
    _refer(made)
    return {"$schema": DRAFT, **made}


def _leave_formats_open(made: dict[str, Any]) -> None:
    """Let one group stand for all formats whose keys are those of `Own`, whatever they are called."""
    open_ones = [name for name, format in FORMATS.items() if format.keys is Own]
    (corpora,) = made["properties"]["corpora"]["patternProperties"].values()
    references = corpora.pop("discriminator")["mapping"]
    groups = [made["$defs"].pop(references[name].rpartition("/")[2]) for name in open_ones]
    named = {"type": "string", "not": {"enum": sorted(set(FORMATS) - set(open_ones))}}
    made["$defs"]["Own"] = {**groups[0], "title": "Own", "properties": {**groups[0]["properties"], "format": named}}
    kept = [{"$ref": reference} for name, reference in references.items() if name not in open_ones]
    corpora["oneOf"] = [*kept, {"$ref": "#/$defs/Own"}]


def _refer(value: Any) -> None:
    """Let every key that holds changes of settings refer to their one definition."""
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        if name in ("settings", "changes") and isinstance(inner, dict) and inner.get("type") == "object":
            described = {key: inner[key] for key in ("default", "description") if key in inner}
            value[name] = {"$ref": "#/$defs/Changes", **described}
        elif name == "experiment_settings" and isinstance(inner, dict):
            inner["additionalProperties"] = {"$ref": "#/$defs/Changes"}
        elif name != "Changes":
            _refer(inner)


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1, ensure_ascii=False))
