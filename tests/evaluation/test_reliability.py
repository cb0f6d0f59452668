"""Whether confidences mean what they say: the calibration error against its definition, and counts by threshold."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.document import Document, Entity, Relation
from cman.evaluation.ranking import ranking_scores
from cman.evaluation.reliability import by_chance, reliability


def pair(scored: list[tuple[float, bool]]) -> tuple[list[Document], list[Document]]:
    """One document an entity, of the right type or of another."""
    gold = [Document(str(index), ("a",), (Entity("X", 0, 1),)) for index in range(len(scored))]
    predicted = [
        Document(str(index), ("a",), (Entity("X" if right else "Y", 0, 1, score),))
        for index, (score, right) in enumerate(scored)
    ]
    return gold, predicted


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_the_error_is_the_mean_distance_of_score_and_share_in_ten_bins(scored):
    expected = 0.0
    for place in range(10):
        inside = [each for each in scored if min(int(each[0] * 10), 9) == place]
        if inside:
            scores, right = zip(*inside, strict=True)
            expected += len(inside) / len(scored) * abs(np.mean(scores) - np.mean(right))
    result = reliability(*pair(scored))
    assert result["entities"]["error"] == pytest.approx(expected, abs=1e-6) and result["relations"] is None
    assert sum(count for _, count, _, _ in result["entities"]["bins"]) == len(scored)


@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0, 1)), min_size=1, max_size=4))
def test_the_error_by_chance_is_that_of_all_ways_in_which_right_scores_can_turn_out(bins):
    expected = 0.0
    for count, score in bins:
        for turned_out in itertools.product((0, 1), repeat=count):
            probability = math.prod(score if right else 1 - score for right in turned_out)
            expected += count * probability * abs(sum(turned_out) / count - score)
    found = by_chance([[0.0, count, score, 1.0] for count, score in bins])
    assert found == pytest.approx(expected / sum(count for count, _ in bins))


def test_exactly_calibrated_scores_have_the_error_by_chance_in_the_mean():
    random, means = np.random.default_rng(0), [0.15, 0.45, 0.85]
    found = []
    for _ in range(300):
        scored = [(score, bool(random.random() < score)) for score in means for _ in range(20)]
        found.append(reliability(*pair(scored))["entities"])
    assert np.mean([each["error"] for each in found]) == pytest.approx(by_chance(found[0]["bins"]), rel=0.05)


def test_what_has_no_score_is_not_counted():
    gold, predicted = pair([(0.5, True)])
    assert reliability(gold, gold) == {"entities": None, "relations": None}
    assert reliability(gold, predicted)["entities"]["bins"] == [[0.5, 1, 0.5, 1.0]]


def test_relations_are_counted_above_each_threshold():
    entities = (Entity("X", 0, 1), Entity("Y", 1, 2))
    gold = [Document("1", ("a", "b"), entities, (Relation("R", 0, 1),))]
    ranking = {"1": (Relation("R", 0, 1, 0.55), Relation("R", 1, 0, 0.35))}
    predicted = [Document("1", ("a", "b"), entities, (Relation("R", 0, 1, 0.55),))]
    points = ranking_scores(gold, predicted, ranking, None)["by_threshold"]
    curve = {each["threshold"]: (each["true_positive"], each["predicted"]) for each in points}
    assert [curve[threshold] for threshold in (0.1, 0.3, 0.4, 0.5, 0.6)] == [(1, 2), (1, 2), (1, 1), (1, 1), (0, 0)]
    assert reliability(gold, predicted)["relations"]["error"] == pytest.approx(0.45)
