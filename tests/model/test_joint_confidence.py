"""`rel.confidence: joint`: a relation is as probable as its pair and its two entities together."""

from dataclasses import replace

import pytest
import torch

from cman.corpora.ranking import LEAST, Ranking
from cman.model.annotate import annotate, joint_threshold

SPAN = {"rel.scorer": "span", "rel.candidates": "entities"}
GIVEN = {"ner.given": True, "rel.confidence": "joint"}
SCORERS = pytest.mark.parametrize("scorer", [SPAN, {}], ids=["span", "multihead"])


def restless(build, changes, threshold=0.5):
    """Return a model whose entities and relations have scores of all sizes."""
    model, _ = build({"rel.prior": 0.5, "rel.threshold": threshold, **changes})
    torch.manual_seed(3)
    for value in model.parameters():
        value.data += 0.5 * torch.randn_like(value)
    return model


def every(build, encode, changes, threshold=0.5, confidences=True):
    """Return the annotated corpus and the ranking by document, head, tail and type."""
    ranking: Ranking = {}
    model = restless(build, changes, threshold)
    documents = annotate(model, encode(), ranking=ranking, confidences=confidences)
    return documents, {
        (name, each.head, each.tail, each.type): each.score for name, found in ranking.items() for each in found
    }


@SCORERS
def test_it_is_the_product_of_the_pairs_probability_and_those_of_both_entities(build, encode, scorer):
    documents, pairs = every(build, encode, scorer)
    joined, joint = every(build, encode, scorer | {"rel.confidence": "joint"})
    assert [each.entities for each in joined] == [each.entities for each in documents]
    entities = {each.id: each.entities for each in documents}
    expected = {
        key: score * entities[key[0]][key[1]].score * entities[key[0]][key[2]].score for key, score in pairs.items()
    }
    assert joint == pytest.approx({key: value for key, value in expected.items() if value > LEAST}, abs=2e-6)
    assert len(joint) > 20 and any(value < 0.5 * pairs[key] for key, value in joint.items())


@SCORERS
@pytest.mark.parametrize("threshold", [0.05, 0.1, 0.2])
def test_relations_are_those_whose_joint_score_is_above_the_threshold(build, encode, scorer, threshold):
    _, pairs = every(build, encode, scorer, 0.01)
    documents, joint = every(build, encode, scorer | {"rel.confidence": "joint"}, threshold)
    found = {(each.id, one.head, one.tail, one.type) for each in documents for one in each.relations}
    assert found == {key for key, score in joint.items() if score > threshold}
    assert found and len(found) < sum(score > threshold for score in pairs.values())


def test_it_needs_no_one_to_ask_for_the_entities_scores(build, encode):
    changes = SPAN | {"rel.confidence": "joint"}
    (asked, ranked), (silent, unasked) = (every(build, encode, changes, 0.3, each) for each in (True, False))
    assert [each.relations for each in silent] == [each.relations for each in asked] and unasked == ranked


@SCORERS
def test_another_threshold_of_a_model_is_one_of_joint_scores(build, encode, scorer):
    model = restless(build, scorer | {"rel.confidence": "joint"})
    assert joint_threshold(model) == 0.5
    model.relations.threshold = 0.2  # as an extraction, or a training that chose it on dev, sets it
    scores = [relation.score for each in annotate(model, encode()) for relation in each.relations]
    assert min(scores) > 0.2 and any(score < 0.5 for score in scores)


@pytest.mark.parametrize("changes", [GIVEN, GIVEN | SPAN, GIVEN | {"architecture": "multihead"}])
def test_given_entities_are_certain(build, encode, changes):
    documents, joint = every(build, encode, changes, confidences=False)
    same, pairs = every(build, encode, changes | {"rel.confidence": "pair"}, confidences=False)
    assert joint_threshold(restless(build, changes)) is None
    assert joint == pairs and documents == same
    assert all(replace(entity, score=None) == entity for each in documents for entity in each.entities)
