"""Text with spans of characters and relations between them, as annotation tools have it, into documents.

    discontinuous spans   one entity around all parts (`hull`), left out (`drop`) or an error (`refuse`)
    half a token          the entity is widened to whole tokens
    a sentence's end inside an entity    the sentences become one
    relations across sentences           left out (`drop`), as a model reads one sentence at a time; or the sentences
                                         become one (`join`), as where files are converted, which loses nothing

All of this is counted, and the first places are named, in warnings. A document is a sentence, `NAME-1` the first. The
readers of brat, doccano, Label Studio, Prodigy and spaCy all end here.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from cman.config.own import Across, Discontinuous
from cman.corpora.document import Document, Entity, Relation
from cman.corpora.tokenize import TextTokenizer
from cman.errors import CmanError

SHOWN = 3  # places that a warning names

MEANINGS = {
    "discontinuous": "discontinuous entities, {policy}",
    "widened": "entities that begin or end inside a token, widened to whole tokens",
    "joined": "entities with a sentence's end inside, around which the sentences were joined",
    "twice": "entities of the same type and tokens as another, read as one",
    "across": "relations between two sentences, left out (`across: join` keeps them)",
    "related": "relations between two sentences, around which the sentences were joined",
    "lost": "relations with an argument that was left out, left out",
    "repeated": "relations written twice, read once",
}
POLICIES = {"hull": "read as one span around all parts", "drop": "left out"}

Tokens = list[tuple[int, int]]  # characters of each token, `end` exclusive


@dataclass(frozen=True)
class Span:
    """A text-bound annotation: its type, its parts in characters (`end` exclusive), and where it was written."""

    type: str
    parts: tuple[tuple[int, int], ...]
    where: str
    name: str


@dataclass
class Annotations:
    """What is annotated in one text; relations are (where, type, head, tail) with the names of spans."""

    spans: dict[str, Span] = field(default_factory=dict)
    relations: list[tuple[str, str, str, str]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    counting: str = ""  # how the offsets are counted, if it is not as Python counts


class SpanReader:
    """Makes documents of annotated texts, and keeps what is to be said about all of them.

    Args:
        tokenizer: for sentences and tokens; a text may bring its own.
        discontinuous: what is done about spans of several parts.
        across: what is done about relations between sentences.
    """

    def __init__(
        self, tokenizer: TextTokenizer, discontinuous: Discontinuous = "hull", across: Across = "drop"
    ) -> None:
        self.tokenizer, self.discontinuous, self.across = tokenizer, discontinuous, across
        self._places: dict[str, list[str]] = defaultdict(list)
        self._others: Counter[str] = Counter()
        self._counting: dict[str, list[str]] = defaultdict(list)

    def documents(
        self, name: str, text: str, annotations: Annotations, sentences: Sequence[Tokens] | None = None
    ) -> list[Document]:
        """Return the sentences of one text.

        Args:
            name: of the text; its sentences are `name-1` and so on.
            sentences: characters of the tokens of each sentence, where the text brings its own.

        Raises:
            CmanError: a discontinuous span where none is allowed, or one of blanks alone.
        """
        self._others += annotations.others
        if annotations.counting:
            self._counting[annotations.counting].append(name)
        places = self._places
        spans = _kept(annotations, self.discontinuous, places)
        divided = self.tokenizer.sentences(text) if sentences is None else sentences
        joined = _joined(divided, [_extent((span,), span.where) for span in spans.values()], "joined", places)
        if self.across == "join":
            pairs = [(spans[head], spans[tail], where) for where, _, head, tail in annotations.relations
                     if head in spans and tail in spans]  # fmt: skip
            joined = _joined(joined, [_extent(pair[:2], pair[2]) for pair in pairs], "related", places)
        starts = [sentence[0][0] for sentence in joined]
        entities: list[list[Entity]] = [[] for _ in joined]
        place_of: dict[str, tuple[int, int]] = {}  # span -> sentence, place among its entities
        for key, span in spans.items():
            number = max(bisect_right(starts, span.parts[0][0]) - 1, 0)
            entity = _entity(span, joined[number] if joined else [], places)
            if entity in entities[number]:
                places["twice"].append(span.where)
            else:
                entities[number].append(entity)
            place_of[key] = number, entities[number].index(entity)
        relations: list[list[Relation]] = [[] for _ in joined]
        for where, kind, head, tail in annotations.relations:
            if head not in place_of or tail not in place_of:
                places["lost"].append(where)
            elif place_of[head][0] != place_of[tail][0]:
                places["across"].append(where)
            else:
                found = relations[place_of[head][0]]
                relation = Relation(kind, place_of[head][1], place_of[tail][1])
                if relation in found:
                    places["repeated"].append(where)
                else:
                    found.append(relation)
        return [
            _document(f"{name}-{number}", text, sentence, tuple(own), tuple(links))
            for number, (sentence, own, links) in enumerate(zip(joined, entities, relations, strict=True), start=1)
        ]

    def warnings(self, where: str) -> list[str]:
        """Return what was read otherwise than it is written, a sentence a kind, about the file or folder `where`."""
        result = []
        for key, found in self._places.items():
            meaning = MEANINGS[key].format(policy=POLICIES.get(self.discontinuous, ""))
            result.append(f"{where}: {len(found)} {meaning} ({_first(found)})")
        for counting, names in self._counting.items():
            result.append(f"{where}: {len(names)} texts whose spans all match if {counting}, read so ({_first(names)})")
        if self._others:
            listed = ", ".join(f"{count} of kind {kind}" for kind, count in sorted(self._others.items()))
            result.append(f"{where}: lines that are not used: {listed}")
        return result


def _first(places: Sequence[str]) -> str:
    return ", ".join(places[:SHOWN]) + (", ..." if len(places) > SHOWN else "")


def _kept(annotations: Annotations, policy: Discontinuous, places: dict[str, list[str]]) -> dict[str, Span]:
    kept = {}
    for name, span in annotations.spans.items():
        if len(span.parts) > 1:
            if policy == "refuse":
                raise CmanError(
                    f"{span.where}: field span: found {len(span.parts)} parts, wanted one (discontinuous: refuse)"
                )
            places["discontinuous"].append(span.where)
            if policy == "drop":
                continue
        kept[name] = span
    return kept


def _extent(spans: Sequence[Span], where: str) -> tuple[int, int, str]:
    """Return the characters around all spans, and where that is written."""
    return min(span.parts[0][0] for span in spans), max(span.parts[-1][1] for span in spans), where


def _joined(
    sentences: Sequence[Tokens], extents: Sequence[tuple[int, int, str]], reason: str, places: dict[str, list[str]]
) -> list[Tokens]:
    """Return the sentences' tokens; sentences with one of the extents across their border are joined."""
    joined: list[Tokens] = []
    ordered = sorted(extents)
    place, reach, last = 0, 0, ""
    for sentence in sentences:
        start = sentence[0][0]
        while place < len(ordered) and ordered[place][0] < start:
            if ordered[place][1] > reach:
                _, reach, last = ordered[place]
            place += 1
        if joined and reach > start:
            joined[-1] += sentence
            if last not in places.get(reason, []):
                places[reason].append(last)
        else:
            joined.append(list(sentence))
    return joined


def _entity(span: Span, tokens: Tokens, places: dict[str, list[str]]) -> Entity:
    start, end = span.parts[0][0], span.parts[-1][1]
    first = bisect_right(tokens, start, key=lambda token: token[1])
    last = bisect_left(tokens, end, key=lambda token: token[0])
    if first >= last:
        raise CmanError(f"{span.where}: field span: found blanks alone, wanted at least a part of a token")
    if (tokens[first][0], tokens[last - 1][1]) != (start, end):
        places["widened"].append(span.where)
    return Entity(span.type, first, last)


def _document(
    identifier: str,
    text: str,
    tokens: Tokens,
    entities: tuple[Entity, ...],
    relations: tuple[Relation, ...],
) -> Document:
    begin, end = tokens[0][0], tokens[-1][1]
    words = tuple(text[first:last] for first, last in tokens)
    offsets = tuple((first - begin, last - begin) for first, last in tokens)
    return Document(identifier, words, entities, relations, text[begin:end], offsets)
