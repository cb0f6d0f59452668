"""`scores.json`: counts under three ways of matching, for each type and in all; every F1 is derived from them.

* `strict`: see `cman.evaluation.counts`. The primary setting, and the paper's.
* `boundaries`: the spans must be right; entity types do not matter, a relation's label and direction do.
* `relaxed`: types must be right; a predicted entity matches a gold one of its type when they share a token, each at
  most once. This is a score of predicted spans; the "relaxed" figures of work that is given the gold boundaries (Adel
  and Schuetze 2017, for one) are another thing and higher.

`reliability` says whether the confidences mean what they say (`cman.evaluation.reliability`). Where relations were
ranked, `ranking` has what `cman.evaluation.ranking` says of them: average precision, and the counts at the threshold
that was chosen on dev and at others. Where the documents were also read as text, `text` has the scores of that.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import Field

from cman.corpora.document import Document, Entity, Relation, read_documents
from cman.corpora.overlap import POLICIES, without_overlap
from cman.corpora.ranking import read_ranking
from cman.errors import CmanError, UsageError
from cman.evaluation.counts import Counts
from cman.evaluation.ranking import ranking_scores
from cman.evaluation.raw_text import by_characters
from cman.evaluation.reliability import reliability
from cman.files import read_json
from cman.validation import Read, checked

if TYPE_CHECKING:
    from cman.config.corpora import Overlap

MATCHINGS = ("strict", "boundaries", "relaxed")

# One comparable annotation: its type, and the entities it is made of (one, or head and tail).
Item = tuple[str, tuple[Entity, ...]]


def score_documents(gold: Sequence[Document], predicted: Sequence[Document]) -> dict[str, Any]:
    """Return the content of `scores.json` for paired documents."""
    result: dict[str, Any] = {"documents": len(gold)}
    for name, items in (("entities", _entities), ("relations", _relations)):
        result[name] = {matching: _score(gold, predicted, items, matching) for matching in MATCHINGS}
    return result


def score_files(
    gold_path: Path,
    predicted_path: Path,
    provenance_path: Path | None = None,
    ranking_path: Path | None = None,
    text_path: Path | None = None,
    overlap: str | None = None,
) -> dict[str, Any]:
    """Return the scores of a file of predictions, with the digest that the provenance of its run has.

    Args:
        provenance_path: it also names the threshold that was chosen on dev.
        ranking_path: of the same predictions.
        text_path: what was found in the same documents as raw text.
        overlap: score against what this policy leaves of the gold annotations, as work does that leaves overlapping
            entities out; None, as everywhere in this project: against everything that was annotated.

    Raises:
        UsageError: no such policy.
        CmanError: a file is malformed, or they do not hold the same documents with the same tokens; or the policy
            leaves no document.
    """
    if overlap is not None and overlap not in POLICIES:
        raise UsageError(f"--overlap: found {overlap!r}, wanted one of {', '.join(POLICIES)}")
    gold, predicted = read_documents(gold_path), read_documents(predicted_path)
    by_id = {document.id: document for document in predicted}
    for document in gold:
        if document.id not in by_id:
            raise CmanError(f"{predicted_path}: found no document {document.id!r}, wanted every one of {gold_path}")
        if by_id[document.id].tokens != document.tokens:
            raise CmanError(f"{predicted_path}: document {document.id!r}: its tokens differ from those in {gold_path}")
    if len(predicted) != len(gold):
        extra = next(document.id for document in predicted if document.id not in {item.id for item in gold})
        raise CmanError(f"{predicted_path}: found document {extra!r}, which {gold_path} does not have")
    provenance = {} if provenance_path is None else read_json(provenance_path)
    facts = checked(_Provenance, provenance, str(provenance_path))
    if overlap is not None:
        policy = cast("Overlap", overlap)
        gold = [left for document in gold if (left := without_overlap(document, policy)) is not None]
        if not gold:
            raise CmanError(f"{gold_path}: found no document that {overlap} leaves, wanted one without overlaps")
    paired = [by_id[document.id] for document in gold]
    scores = score_documents(gold, paired)
    scores["reliability"] = reliability(gold, paired)
    if ranking_path is not None:
        scores["ranking"] = ranking_scores(gold, paired, read_ranking(ranking_path, predicted), facts.dev_threshold)
    if text_path is not None:
        *pair, unlike = by_characters(gold, read_documents(text_path), str(text_path))
        scores["text"] = {"unlike": unlike, **score_documents(*pair)}
    return scores if facts.digest is None else {"digest": facts.digest, **scores}


def dev_threshold(provenance: Mapping[str, Any], where: str) -> float | None:
    """Return the threshold of relations that a run chose on dev; None for a run that chose none.

    Raises:
        CmanError: it is no probability.
    """
    return checked(_Provenance, dict(provenance), where).dev_threshold


class _Provenance(Read):
    digest: str | None = None  # a training by hand has none
    dev_threshold: Annotated[float, Field(ge=0, le=1)] | None = None


def _entities(document: Document) -> list[Item]:
    return [(entity.type, (entity,)) for entity in document.entities if not entity.is_root]


def _relations(document: Document) -> list[Item]:
    def item(relation: Relation) -> Item:
        return relation.type, (document.entities[relation.head], document.entities[relation.tail])

    return [item(relation) for relation in document.relations]


def _score(
    gold: Sequence[Document], predicted: Sequence[Document], items: Callable[[Document], list[Item]], matching: str
) -> dict[str, Any]:
    total, types = Counts(), defaultdict[str, Counts](Counts)
    for expected, actual in zip(gold, predicted, strict=True):
        expected_items, actual_items = _distinct(items(expected), matching), _distinct(items(actual), matching)
        matches = (
            _overlapping(expected_items, actual_items)
            if matching == "relaxed"
            else _equal(expected_items, actual_items)
        )
        total.add(len(matches), len(actual_items), len(expected_items))
        for kind, _ in matches:
            types[kind].true_positive += 1
        for kind, _ in actual_items:
            types[kind].predicted += 1
        for kind, _ in expected_items:
            types[kind].gold += 1
    return {"all": vars(total), "types": {kind: vars(counts) for kind, counts in sorted(types.items())}}


def _distinct(items: list[Item], matching: str) -> list[Item]:
    """Return each comparable item once, in order of appearance, without scores and what the matching ignores."""
    untyped = matching == "boundaries"

    def bare(entity: Entity) -> Entity:
        return Entity("" if untyped else entity.type, entity.start, entity.end)

    return list(dict.fromkeys((_kind(kind, ends, untyped), tuple(bare(end) for end in ends)) for kind, ends in items))


def _kind(kind: str, ends: tuple[Entity, ...], untyped: bool) -> str:
    return "any" if untyped and len(ends) == 1 else kind


def _equal(gold: list[Item], predicted: list[Item]) -> list[Item]:
    answered = set(predicted)
    return [item for item in gold if item in answered]


def _overlapping(gold: list[Item], predicted: list[Item]) -> list[Item]:
    """Return a largest set of gold items that can be paired with different predictions of their type that they touch.

    Augmenting paths (Kuhn's algorithm): pairing from left to right alone could miss pairs of relations.
    """
    taken: dict[int, int] = {}  # position in `predicted` -> position in `gold`

    def pair(place: int, seen: set[int]) -> bool:
        for other, candidate in enumerate(predicted):
            if other in seen or not _touch(gold[place], candidate):
                continue
            seen.add(other)
            if other not in taken or pair(taken[other], seen):
                taken[other] = place
                return True
        return False

    return [item for place, item in enumerate(gold) if pair(place, set())]


def _touch(gold: Item, predicted: Item) -> bool:
    if gold[0] != predicted[0]:
        return False
    ends = zip(gold[1], predicted[1], strict=True)
    return all(a.type == b.type and a.start < b.end and b.start < a.end for a, b in ends)


def summary(scores: dict[str, Any]) -> str:
    """Return the strict micro F1 of entities and relations in one line; a dash for what has no gold annotation."""
    counts = [Counts(**scores[name]["strict"]["all"]) for name in ("entities", "relations")]
    values = [100 * count.f1 if count.gold else None for count in counts]
    known = [value for value in values if value is not None]
    values.append(sum(known) / 2 if len(known) == 2 else None)
    entity, relation, overall = ("–" if value is None else f"{value:.2f}" for value in values)
    return f"strict micro F1: entities {entity}, relations {relation}, overall {overall}"
