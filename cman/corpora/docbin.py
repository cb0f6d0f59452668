"""spaCy's `DocBin` (.spacy): docs with tokens, entities in `doc.ents`, sentences if there are any.

Relations are what spaCy's relation component has in `doc._.rel`, `{(head's first token, tail's): {label: score}}`, of
which a score of at least 0.5 is a relation, or what this project's component has in `doc._.cman`; both need a DocBin
with user data. The tokens are kept; a doc without sentences is divided by `language`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cman.config.own import Across, OwnText
from cman.corpora.document import Document
from cman.corpora.duplicates import without_duplicates
from cman.corpora.formats import RawFile, own_files
from cman.corpora.overlap import keep_longest
from cman.corpora.spans import Annotations, Span, Tokens
from cman.corpora.texts import AnnotatedText, fitting_texts, read_texts
from cman.errors import CmanError, reads
from cman.files import atomic_path
from cman.hashes import check_content

NUMBERED_AFTER = "-"  # a document is a sentence of a text, whose name and number it has
REL, CMAN = (("._.", name, None, None) for name in ("rel", "cman"))  # where extensions stand in the user data
SURE = 0.5  # the least score of a relation


def files(corpus: OwnText) -> list[RawFile]:
    """Return the file of each split."""
    return own_files(list(corpus.split_paths.values()))


def read(corpus: OwnText, raw: Path, warnings: list[str]) -> dict[str, list[Document]]:
    """Read each split; see `read_file`."""
    language, across = corpus.language, corpus.across
    return {split: read_file(path, split, language, warnings, across) for split, path in corpus.split_paths.items()}


@reads("a DocBin of spaCy")
def read_file(
    path: Path, split: str | None, language: str, warnings: list[str], across: Across = "join"
) -> list[Document]:
    """Read one file; see `cman.corpora.texts.read_texts`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CmanError(f"{path}: cannot be read ({error.strerror}); wanted a readable file") from None
    check_content(path, content)
    return read_texts(path, _texts(path, content, language), language, warnings, across)


def _texts(path: Path, content: bytes, language: str) -> Iterator[AnnotatedText]:
    import spacy
    from spacy.tokens import DocBin

    for number, doc in enumerate(DocBin().from_bytes(content).get_docs(spacy.blank(language).vocab), start=1):
        where = f"{path}: doc {number}"
        found, by_start = Annotations(), {}
        for place, span in enumerate(doc.ents):
            found.spans[str(place)] = Span(span.label_, ((span.start_char, span.end_char),), where, str(place))
            by_start[span.start] = str(place)
        for head, tail, label in _relations(doc, found, where):
            ends = by_start.get(head), by_start.get(tail)
            if ends[0] is None or ends[1] is None:
                found.others["relation of what is no entity"] += 1
            else:
                found.relations.append((where, label, ends[0], ends[1]))
        sentences = _sentences(doc) if doc.has_annotation("SENT_START") else None
        name = str(doc.user_data.get("id", number))
        yield AnnotatedText(name, doc.text, found, _characters(doc), sentences)


def _relations(doc: Any, found: Annotations, where: str) -> Iterator[tuple[int, int, str]]:
    """Yield first token of the head, first token of the tail, and label of each relation."""
    for (head, tail), scores in dict(doc.user_data.get(REL) or {}).items():
        yield from ((head, tail, str(label)) for label, score in dict(scores).items() if score >= SURE)
    kept = doc.user_data.get(CMAN)
    if kept:
        starts = [doc.char_span(start, end, alignment_mode="expand").start for start, end, *_ in kept["entities"]]
        yield from ((starts[head], starts[tail], str(label)) for label, head, tail, *_ in kept["relations"])


def _sentences(doc: Any) -> list[Tokens]:
    spans = [_characters(sentence) for sentence in doc.sents]
    return [sentence for sentence in spans if sentence]


def _characters(tokens: Any) -> Tokens:
    return [(token.idx, token.idx + len(token)) for token in tokens if not token.is_space]


def fitting(documents: Sequence[Document]) -> tuple[list[Document], Counter[str]]:
    """Return documents as docs can hold them, and how often they cannot hold what."""
    texts, lost = fitting_texts([without_duplicates(document) for document in documents])
    result = [keep_longest(document) for document in texts]
    lost["overlapping entities"] += sum(
        len(old.entities) - len(new.entities) for old, new in zip(texts, result, strict=True)
    )
    return result, lost


def write(path: Path, documents: Sequence[Document]) -> None:
    """Write documents that fit, a doc each, atomically; their ids are in the user data.

    Raises:
        CmanError: a text with signs between its tokens that are no blanks.
    """
    import spacy
    from spacy.tokens import Doc, DocBin

    vocab, docs = spacy.blank("xx").vocab, DocBin(store_user_data=True)
    for document in documents:
        text, offsets = document.text or "", list(document.offsets or ())
        words: list[str] = []
        spaces: list[bool] = []
        index: dict[int, int] = {}
        for place, (start, end) in enumerate(offsets):
            index[place] = len(words)
            words.append(text[start:end])
            gap = text[end : offsets[place + 1][0]] if place + 1 < len(offsets) else ""
            if gap.strip():
                raise CmanError(f"{path}: document {document.id!r}: found {gap[:40]!r} between tokens, wanted blanks")
            spaces.append(gap[:1] == " ")
            if gap.removeprefix(" "):
                words.append(gap.removeprefix(" "))
                spaces.append(False)
        doc = Doc(vocab, words=words, spaces=spaces, sent_starts=[place == 0 for place in range(len(words))])
        spans = [doc[index[each.start] : index[each.end - 1] + 1] for each in document.entities]
        doc.ents = [type(span)(doc, span.start, span.end, label=entity.type)
                    for span, entity in zip(spans, document.entities, strict=True)]  # fmt: skip
        links: dict[tuple[int, int], dict[str, float]] = {}
        for link in document.relations:
            links.setdefault((spans[link.head].start, spans[link.tail].start), {})[link.type] = 1.0
        data: dict[Any, Any] = doc.user_data
        data |= {"id": document.id, REL: links}
        docs.add(doc)
    with atomic_path(path) as temporary:
        temporary.write_bytes(docs.to_bytes())
