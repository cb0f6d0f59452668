"""Whether confidences mean what they say: the calibration error against its definition, and counts by threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.document import Document, Entity, Relation
from cman.evaluation.ranking import ranking_scores
from cman.evaluation.reliability import reliability


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
