"""What a model finds in raw text beside gold, by characters: its tokens are not those that were annotated.

An entity is right if it has the type and the very characters of a gold one, a relation if both of its entities are.
Gold keeps all that was annotated, so an entity that ends within a token of the text is missed. Where documents have no
text, it is their tokens with a space between them.
"""

from collections.abc import Sequence
from dataclasses import replace

from cman.corpora.document import Document, text_of
from cman.errors import CmanError


def by_characters(
    gold: Sequence[Document], found: Sequence[Document], where: str
) -> tuple[list[Document], list[Document], int]:
    """Return gold and found documents, paired, with characters as the ends of entities; how many have other tokens.

    Args:
        found: as `cman predict --text` wrote them.
        where: the file of these, for error messages.

    Raises:
        CmanError: they are not the same documents.
    """
    by_id = {document.id: document for document in found}
    if set(by_id) != {document.id for document in gold}:
        name = sorted(set(by_id) ^ {document.id for document in gold})[0]
        raise CmanError(f"{where}: found {name!r} in one file alone, wanted the documents of the gold")
    paired = [by_id[document.id] for document in gold]
    for expected, actual in zip(gold, paired, strict=True):
        if text_of(expected)[0] != text_of(actual)[0]:
            raise CmanError(f"{where}: document {expected.id!r}: found another text than that of the gold")
    unlike = sum(expected.tokens != actual.tokens for expected, actual in zip(gold, paired, strict=True))
    return [_in_characters(each) for each in gold], [_in_characters(each) for each in paired], unlike


def _in_characters(document: Document) -> Document:
    """Return a document whose entities begin and end at characters of its text; a root stays what it is."""
    _, offsets = text_of(document)
    entities = tuple(
        entity if entity.is_root else replace(entity, start=offsets[entity.start][0], end=offsets[entity.end - 1][1])
        for entity in document.entities
    )
    return replace(document, entities=entities)
