"""From a decoded batch to documents: entities with the marginal of their span, relations with their probability.

A relation is scored between tokens. It belongs to the predicted entities that contain the two tokens (`rel.decode:
any_token`) or that have them as anchors (`last_token`); of several token pairs of the same two entities the most
probable one counts. A relation with both ends in the same entity is dropped and counted; one with an end in no
predicted entity is never scored (see `cman.model.candidates`).

The relation scorer is asked about entities as if they were certain. With `rel.confidence: joint` a relation's score is
the product of its pair's probability and of the marginals of its two entities: how probable it is that all three are
right, if they were independent. No pair is surer than its entities.

Where a ranking is wanted (`cman.corpora.ranking`), relations below the threshold are put into it, and nowhere else.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cman.config.settings import Rel
from cman.corpora.bio import entities_of
from cman.corpora.document import Document, Entity, Relation
from cman.corpora.ranking import LEAST, Ranking
from cman.features.vocabulary import Vocabulary
from cman.model.crf import Crf
from cman.model.output import Links, Prediction

SCORE_DIGITS = 6  # of a written confidence: more would only be noise of the summation order

Link = tuple[int, int, int, float, bool]  # head's token, tail's token, label, probability, whether above the threshold


@dataclass
class Dropped:
    """Relations above the threshold that no two predicted entities carry."""

    inside_one: int = 0


def decode_batch(
    prediction: Prediction,
    documents: Sequence[Document],
    lengths: Tensor,
    vocabulary: Vocabulary,
    crf: Crf,
    settings: Rel,
    dropped: Dropped,
    with_scores: bool = True,
    ranking: Ranking | None = None,
    joint: float | None = None,
) -> list[Document]:
    """Return the documents (tokens and ids of the given ones) with predicted annotations.

    Args:
        with_scores: False leaves out the entities' confidences, which cost more than the decoding; joint scores need
            them.
        ranking: all relations between the entities are added to it, those below the threshold too.
        joint: what a relation's joint score must exceed; None where the scores are those of the pairs.
    """
    names = [
        [vocabulary.tags[tag] for tag in row[:length]]
        for row, length in zip(prediction.tags.tolist(), lengths.tolist(), strict=True)
    ]
    entities = [entities_of(row) for row in names]
    confidences: list[list[float | None]] = [[None] * len(each) for each in entities]
    if with_scores or joint is not None:
        confidences = _confidences(entities, prediction, lengths, vocabulary, crf)
    links = _by_sentence(prediction.links, len(documents))
    result = []
    for row, document in enumerate(documents):
        scored = [
            Entity(entity.type, entity.start, entity.end, confidence)
            for entity, confidence in zip(entities[row], confidences[row], strict=True)
        ]
        every, relations = _relations(scored, links[row], vocabulary, settings, dropped, joint)
        if ranking is not None:
            ranking[document.id] = every
        result.append(Document(document.id, document.tokens, tuple(scored), relations, document.text, document.offsets))
    return result


def _confidences(
    entities: list[list[Entity]], prediction: Prediction, lengths: Tensor, vocabulary: Vocabulary, crf: Crf
) -> list[list[float | None]]:
    flat = [(row, entity) for row, each in enumerate(entities) for entity in each]
    if not flat:
        return [[] for _ in entities]
    device = prediction.tags.device
    spans = torch.tensor([[row, entity.start, entity.end] for row, entity in flat], device=device)
    onward = torch.tensor([vocabulary.tag_ids[f"I-{entity.type}"] for _, entity in flat], device=device)
    scores = crf.confidences(prediction.potentials, lengths, prediction.tags, spans, onward)
    result: list[list[float | None]] = [[] for _ in entities]
    for (row, _), score in zip(flat, scores.tolist(), strict=True):
        result[row].append(round(score, SCORE_DIGITS))
    return result


def _by_sentence(links: Links, sentences: int) -> list[list[Link]]:
    result: list[list[Link]] = [[] for _ in range(sentences)]
    above = [True] * len(links.cells) if links.above is None else links.above.tolist()
    for (row, *cell), *rest in zip(links.cells.tolist(), links.probabilities.tolist(), above, strict=True):
        result[row].append((*cell, *rest))
    return result


def _relations(
    entities: list[Entity],
    links: list[Link],
    vocabulary: Vocabulary,
    settings: Rel,
    dropped: Dropped,
    joint: float | None,
) -> tuple[tuple[Relation, ...], tuple[Relation, ...]]:
    """Return all relations between entities, and of them those above the threshold."""
    owner: dict[int, int] = {}
    for index, entity in enumerate(entities):
        anchor = entity.end - 1 if settings.anchor == "last" else entity.start
        tokens = range(entity.start, entity.end) if settings.decode == "any_token" else (anchor,)
        owner |= dict.fromkeys(tokens, index)
    best: dict[tuple[int, int, int], float] = {}
    chosen: set[tuple[int, int, int]] = set()
    for head_token, tail_token, label, value, above in links:
        head, tail = owner.get(head_token), owner.get(tail_token)
        if head is None or tail is None:
            continue  # a token that is no entity's anchor
        if head == tail:
            dropped.inside_one += above
            continue
        if joint is not None:
            value *= math.prod(score for score in (entities[head].score, entities[tail].score) if score is not None)
            above = above and value > joint
        if joint is None or above or value > LEAST:
            best[head, tail, label] = max(value, best.get((head, tail, label), 0.0))
            chosen |= {(head, tail, label)} if above else set()
    every = {
        (head, tail, label): Relation(vocabulary.relations[label], head, tail, round(value, SCORE_DIGITS))
        for (head, tail, label), value in sorted(best.items())
    }
    return tuple(every.values()), tuple(relation for key, relation in every.items() if key in chosen)
