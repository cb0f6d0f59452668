"""The BIO scheme: one tag a token, `B-type` opens an entity, `I-type` continues it, `O` is outside.

Decoding follows the chunking rule of the CoNLL evaluation script, which Bekoulis et al. (2018) use as well: a stray
`I-` and an `I-` of another type open an entity too. Thus every tag sequence has exactly one reading.
"""

from collections.abc import Iterable, Sequence

from cman.corpora.document import Entity
from cman.errors import CmanError

OUTSIDE = "O"


def entities_of(tags: Sequence[str]) -> list[Entity]:
    """Return the entities that a sequence of BIO tags spells, in order of their start."""
    entities: list[Entity] = []
    start, kind = 0, ""
    for position, tag in enumerate([*tags, OUTSIDE]):
        prefix, _, label = tag.partition("-")
        if kind and (prefix != "I" or label != kind):
            entities.append(Entity(kind, start, position))
            kind = ""
        if prefix != OUTSIDE and not kind:
            start, kind = position, label
    return entities


def tags_of(entities: Iterable[Entity], length: int, where: str) -> list[str]:
    """Return the BIO tags of a sentence of `length` tokens.

    Raises:
        CmanError: two entities overlap, which one tag a token cannot express; `where` names the document.
        ValueError: an entity ends past `length`.
    """
    tags = [OUTSIDE] * length
    for entity in sorted(entities, key=lambda entity: (entity.start, entity.end)):
        if entity.end > length:
            raise ValueError(f"{where}: an entity ends at token {entity.end} of {length}")
        if any(tag != OUTSIDE for tag in tags[entity.start : entity.end]):
            raise CmanError(
                f"{where}: the entity {entity.type} at tokens {entity.start} to {entity.end} overlaps another; "
                "wanted entities without overlap, because BIO gives each token one tag"
            )
        tags[entity.start] = f"B-{entity.type}"
        tags[entity.start + 1 : entity.end] = [f"I-{entity.type}"] * (entity.end - entity.start - 1)
    return tags


def tag_set(entity_types: Iterable[str]) -> list[str]:
    """Return all tags of the given types: `O` first, then B and I of each type in alphabetical order."""
    return [OUTSIDE] + [f"{prefix}-{kind}" for kind in sorted(set(entity_types)) for prefix in "BI"]
