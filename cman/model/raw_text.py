"""What a model finds in documents that are read as raw text, as `cman extract` reads it, and not in their own tokens.

Documents whose text has the same tokens keep the predictions on these; the others are divided anew and predicted. One
comes back for each, in the tokens of its text, so that characters say what is right (`cman.evaluation.raw_text`).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cman.corpora.document import Document, Entity, Relation, text_of
from cman.corpora.retokenise import read_as_text
from cman.corpora.tokenize import TextTokenizer
from cman.errors import UsageError
from cman.model.folder import ModelFolder

if TYPE_CHECKING:
    from cman.model.predict import Predictor


def tokenizer_of(folder: ModelFolder) -> TextTokenizer:
    """Return what divides the text that a model reads.

    Raises:
        UsageError: the model is given entities, spaCy is not installed, or it does not know the language.
    """
    if folder.settings.ner.given:
        raise UsageError("raw text: found a model that is given entities (ner.given), wanted one that finds them")
    return TextTokenizer(folder.language)


def predict_text(
    predictor: "Predictor", documents: Sequence[Document], predicted: Sequence[Document], tokenizer: TextTokenizer
) -> list[Document]:
    """Return what a model finds in documents as text, a document each, with its text.

    Args:
        predicted: the same documents with what it finds in their own tokens.
    """
    divided = [read_as_text(document, tokenizer) for document in documents]
    flat = [replace(each, id=str(index)) for index, each in enumerate(one for part in divided for one in part)]
    found = iter(predictor.predict(flat))
    return [
        _joined(document.id, [next(found) for _ in part]) if part else _with_text(own)
        for document, own, part in zip(documents, predicted, divided, strict=True)
    ]


def _with_text(document: Document) -> Document:
    text, offsets = text_of(document)
    return replace(document, text=text, offsets=tuple(offsets))


def _joined(name: str, sentences: Sequence[Document]) -> Document:
    """Return the sentences of one text as one document."""
    tokens: list[str] = []
    offsets: list[tuple[int, int]] = []
    entities: list[Entity] = []
    relations: list[Relation] = []
    for each in sentences:
        before = len(entities)
        entities += [
            replace(entity, start=entity.start + len(tokens), end=entity.end + len(tokens)) for entity in each.entities
        ]
        relations += [replace(link, head=link.head + before, tail=link.tail + before) for link in each.relations]
        tokens += each.tokens
        offsets += each.offsets or ()
    return Document(name, tuple(tokens), tuple(entities), tuple(relations), sentences[0].text, tuple(offsets))
