"""What is found in one text: entities by character offsets, relations between them, a confidence on each.

    {"id": "1", "text": "Ada lives in London.",
     "entities": [{"type": "Peop", "start": 0, "end": 3, "text": "Ada", "score": 0.99}, ...],
     "relations": [{"type": "Live_In", "head": 0, "tail": 1, "score": 0.97}]}

Offsets count characters (Unicode code points) and slice the given text exactly; `end` is exclusive. `head` and `tail`
are positions in `entities`. An entity's score is the marginal probability of its span and type under the CRF, a
relation's the sigmoid of its pair score: two different scales.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cman.extract.drawing import html
from cman.extract.frames import Rows, to_frame

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FoundEntity:
    """A typed stretch of the text."""

    type: str
    start: int
    end: int
    text: str
    score: float | None


@dataclass(frozen=True)
class FoundRelation:
    """A typed, directed pair of entities."""

    type: str
    head: int
    tail: int
    score: float | None


@dataclass(frozen=True)
class Extraction:
    """The entities and relations of one text."""

    id: str
    text: str
    entities: tuple[FoundEntity, ...]
    relations: tuple[FoundRelation, ...]
    sentences: tuple[tuple[int, int], ...] = ()  # characters of each sentence
    fields: Mapping[str, Any] | None = None  # what else is kept of what was given

    def to_json(self) -> dict[str, Any]:
        """Return what stands on one line of the output."""
        value = {
            "id": self.id,
            "text": self.text,
            "entities": [vars(entity) for entity in self.entities],
            "relations": [vars(relation) for relation in self.relations],
        }
        return value if self.fields is None else value | {"fields": dict(self.fields)}

    @property
    def triples(self) -> list[tuple[str, str, str]]:
        """Text of the head, type of the relation, text of the tail."""
        return [(self.entities[link.head].text, link.type, self.entities[link.tail].text) for link in self.relations]

    def to_frame(self, rows: Rows = "relations") -> "pd.DataFrame":
        """Return its relations, or entities, as a pandas table; see `cman.extract.frames.to_frame` for many."""
        return to_frame([self], rows)

    def _repr_html_(self) -> str:
        return html(self)  # what a notebook shows
