"""Temperatures: found where the likelihood is highest, no annotation changes by them, and the model keeps them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.document import Document, Entity, Relation
from cman.errors import CmanError
from cman.model.calibration import Calibration
from cman.training.calibrate import temperature


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_by_which_scores_were_distorted_is_found(true):
    generator = np.random.default_rng(5)
    honest = generator.normal(0.5, 1.0, 40_000)
    right = generator.random(40_000) < 1 / (1 + np.exp(-honest))
    assert temperature(1 / (1 + np.exp(-honest * true)), right) == pytest.approx(true, rel=0.05)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=20, max_size=60))
def test_no_other_temperature_makes_the_scores_more_likely(scored):
    scores, right = np.array([each for each, _ in scored]), np.array([each for _, each in scored])

    def loss(heat: float) -> float:
        logits = np.log(np.clip(scores, 1e-6, 1 - 1e-6) / (1 - np.clip(scores, 1e-6, 1 - 1e-6))) / heat
        return float(np.logaddexp(0, np.where(right, -logits, logits)).sum())

    found = temperature(scores, right)
    if right.all() or not right.any():
        assert found == 1.0
    else:
        assert 0.2 <= found <= 20 and all(loss(found) <= loss(other) + 1e-6 for other in np.geomspace(0.2, 20, 41))


def test_few_scores_or_only_right_ones_say_nothing():
    assert temperature(np.full(19, 0.9), np.arange(19) > 3) == 1.0
    assert temperature(np.full(50, 0.9), np.ones(50, dtype=bool)) == 1.0
    assert temperature(np.array([]), np.array([], dtype=bool)) == 1.0


@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=9), st.floats(0.6, 10))
def test_calibrated_scores_keep_their_order_and_their_side_of_one_half(scores, heat):
    document = Document("1", ("a", "b"), (Entity("X", 0, 1), Entity("Y", 1, 2)), tuple(
        Relation(f"R{index}", 0, 1, score) for index, score in enumerate(scores)))  # fmt: skip
    calibrated = Calibration(1.0, heat).document(document)
    after = [relation.score for relation in calibrated.relations]
    assert [(score > 0.5) for score in scores if abs(score - 0.5) > 1e-3] == [
        (new > 0.5) for score, new in zip(scores, after, strict=True) if abs(score - 0.5) > 1e-3
    ]
    for (low, new_low), (high, new_high) in zip(
        sorted(zip(scores, after, strict=True)), sorted(zip(scores, after, strict=True))[1:], strict=False
    ):
        assert low <= high and new_low <= new_high
    assert calibrated.entities == document.entities
    assert Calibration(1.0, heat).raw_relation(Calibration(1.0, heat).scored(document.relations)[0].score) == (
        pytest.approx(scores[0], abs=1e-3)
    )


@pytest.mark.parametrize("wrong", [{}, [], {"entities": 1.0, "relations": 0, "threshold": None},
                                   {"entities": True, "relations": 1.0, "threshold": None},
                                   {"entities": 1.0, "relations": 1.0, "threshold": "auto"}])  # fmt: skip
def test_another_calibration_than_a_training_writes_is_refused(wrong):
    with pytest.raises(CmanError, match=r"config\.json: field calibration"):
        Calibration.from_json(json.loads(json.dumps(wrong)), "config.json")
