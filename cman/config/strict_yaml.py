"""YAML in which every value is written once and means one thing, however old the reader's habits.

What YAML accepts and nobody means is refused: a key written twice, of which the first would be lost, and anchors, by
which a short file can become endless. Plain values are those of YAML 1.2, as in JSON: `no` is a word, `1:30` is no
number of seconds, `010` no eight, `1e-3` is a number.
"""

import re
from typing import Any

import yaml

from cman.errors import UsageError

NUMBERS = {
    "tag:yaml.org,2002:bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "tag:yaml.org,2002:int": (r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    "tag:yaml.org,2002:float": (
        r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
SHOWN = 60  # characters of a key in a message


class _RefusedError(Exception):
    """What is refused although it is YAML, and the line it stands on."""

    def __init__(self, mark: Any, sentence: str) -> None:
        super().__init__(f"line {mark.line + 1}: {sentence}")


class _Loader(yaml.SafeLoader):
    # In the order of NUMBERS, because what an integer's pattern takes a float's would take as well.
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in NUMBERS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if event.anchor is not None:
            raise _RefusedError(
                event.start_mark, f"found the anchor or alias {event.anchor!r}, wanted every value written out"
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key: Any = self.construct_object(key_node, deep=True)
            if isinstance(key, list | dict):
                raise _RefusedError(key_node.start_mark, "found a list or a group as a key, wanted a name")
            if key in seen:
                raise _RefusedError(
                    key_node.start_mark, f"found the key {str(key)[:SHOWN]!r} a second time, wanted it once"
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


for _tag, (_pattern, _firsts) in NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), list(_firsts))


def load_yaml(text: str, where: str, wanted: str = "keys and values") -> Any:
    """Return the value that YAML or JSON text holds; `where` names it in errors.

    Raises:
        UsageError: no YAML, a key written twice, an anchor, or a value that cannot be; named with its line.
    """
    try:
        return yaml.load(text, _Loader)
    except _RefusedError as error:
        raise UsageError(f"{where}: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}: " if mark else ""
        raise UsageError(f"{where}: {place}found invalid YAML, wanted {wanted}") from None
    except (ValueError, RecursionError, OverflowError) as error:  # such as a date that does not exist
        raise UsageError(f"{where}: found a value that YAML cannot read ({error})") from None


def typed(value: Any) -> Any:
    """Return a value with each of its strings read as the plain value it spells, as options of a command line need."""
    if isinstance(value, dict):
        return {key: typed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [typed(each) for each in value]
    if isinstance(value, str) and (value == "null" or any(re.fullmatch(each, value) for each, _ in NUMBERS.values())):
        return yaml.load(value, _Loader)
    return value
