"""Extractions as pandas tables: a row a relation, or a row an entity, with characters and confidences."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from cman.errors import UsageError
from cman.install import missing

if TYPE_CHECKING:
    import pandas as pd

    from cman.extract.extraction import Extraction

Rows = Literal["relations", "entities"]
COLUMNS = {
    "relations": ("id", "head", "head_type", "head_start", "head_end", "relation",
                  "tail", "tail_type", "tail_start", "tail_end", "score"),
    "entities": ("id", "entity", "type", "start", "end", "score"),
}  # fmt: skip


def to_frame(extractions: Iterable["Extraction"], rows: Rows = "relations") -> "pd.DataFrame":
    """Return a table of extractions, in their order.

    Raises:
        UsageError: pandas is not installed, or no such rows.
    """
    if rows not in COLUMNS:
        raise UsageError(f"to_frame: found {rows!r}, wanted 'relations' or 'entities'")
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise UsageError(missing(error) or str(error)) from None
    of = _relations if rows == "relations" else _entities
    return pd.DataFrame([row for each in extractions for row in of(each)], columns=list(COLUMNS[rows]))


def _relations(found: "Extraction") -> Iterator[tuple[Any, ...]]:
    for link in found.relations:
        head, tail = found.entities[link.head], found.entities[link.tail]
        ends = [(end.text, end.type, end.start, end.end) for end in (head, tail)]
        yield found.id, *ends[0], link.type, *ends[1], link.score


def _entities(found: "Extraction") -> Iterator[tuple[Any, ...]]:
    for entity in found.entities:
        yield found.id, entity.text, entity.type, entity.start, entity.end, entity.score
