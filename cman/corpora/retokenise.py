"""Documents in the tokens that a model will read in text: those of the language, in the place of the files' own.

Where a document has no text, its text is its tokens with a space between them. An entity that begins or ends inside a
token is widened to whole tokens. A document stays one sentence.
"""

from collections.abc import Mapping, Sequence

from cman.corpora.document import Document, text_of
from cman.corpora.spans import Annotations, Span, SpanReader
from cman.corpora.tokenize import TextTokenizer

SHOWN = 3


def retokenised(
    splits: Mapping[str, Sequence[Document]], language: str, warnings: list[str]
) -> dict[str, list[Document]]:
    """Return the documents of splits in the tokens of a language; what was widened is added to `warnings`."""
    tokenizer = TextTokenizer(language)
    result = {}
    for split, documents in splits.items():
        reader = SpanReader(tokenizer)
        result[split] = [_retokenised(document, reader) for document in documents]
        warnings += reader.warnings(f"{split}: tokens: language")
    return result


def _retokenised(document: Document, reader: SpanReader) -> Document:
    if any(entity.is_root for entity in document.entities):
        return document
    text, offsets = text_of(document)
    tokens = [token for sentence in reader.tokenizer.sentences(text) for token in sentence]
    if not tokens:
        return document
    spans = {
        str(number): Span(entity.type, ((offsets[entity.start][0], offsets[entity.end - 1][1]),), document.id,
                          str(number))
        for number, entity in enumerate(document.entities)
    }  # fmt: skip
    links = [(document.id, link.type, str(link.head), str(link.tail)) for link in document.relations]
    (found,) = reader.documents(document.id, text, Annotations(spans, links), [tokens])
    return Document(document.id, found.tokens, found.entities, found.relations, found.text, found.offsets)


def read_as_text(document: Document, tokenizer: TextTokenizer) -> list[Document]:
    """Return the sentences of a document's text without annotation; none if it is read in its own tokens anyway.

    That is so where they are the text's, in one sentence, and where an artificial root is among them.
    """
    if any(entity.is_root for entity in document.entities):
        return []
    text, _ = text_of(document)
    result = []
    for spans in tokenizer.sentences(text):
        tokens = tuple(text[start:end] for start, end in spans)
        result.append(Document(document.id, tokens, text=text, offsets=tuple(spans)))
    return [] if [each.tokens for each in result] == [document.tokens] else result


def unlike(documents: Sequence[Document], tokenizer: TextTokenizer) -> list[tuple[Document, list[str]]]:
    """Return the documents that a language divides into other tokens than their own, with those."""
    result = []
    for document in documents:
        if any(entity.is_root for entity in document.entities):
            continue
        text, _ = text_of(document)
        tokens = [text[start:end] for sentence in tokenizer.sentences(text) for start, end in sentence]
        if tuple(tokens) != document.tokens:
            result.append((document, tokens))
    return result
