"""Calibration: the likeliest line is found, no annotation changes by it, and the model keeps it."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.document import Document, Entity, Relation
from cman.errors import CmanError
from cman.model.calibration import Calibration, Line
from cman.training.calibrate import RIDGE, fitted

LOGIT = 1e-6


@pytest.mark.parametrize(("heat", "shift"), [(0.5, 0.0), (1.0, -1.0), (3.0, -0.5)])
def test_the_line_by_which_scores_were_distorted_is_found(heat, shift):
    generator = np.random.default_rng(5)
    honest = generator.normal(0.5, 1.0, 40_000)
    right = generator.random(40_000) < 1 / (1 + np.exp(-honest))
    line = fitted(1 / (1 + np.exp(-(honest - shift) * heat)), right)
    assert line.temperature == pytest.approx(heat, rel=0.05) and line.shift == pytest.approx(shift, abs=0.05)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=20, max_size=60))
def test_no_other_line_makes_the_scores_more_likely(scored):
    scores, right = np.array([each for each, _ in scored]), np.array([each for _, each in scored])
    clipped = np.clip(scores, LOGIT, 1 - LOGIT)
    logits = np.log(clipped / (1 - clipped))

    def loss(heat: float, shift: float) -> float:
        line = logits / heat + shift
        ridge = RIDGE / 2 * (np.log(heat) ** 2 + shift**2)
        return float(np.logaddexp(0, np.where(right, -line, line)).sum() + ridge)

    line = fitted(scores, right)
    if right.all() or not right.any():
        assert line == Line()
    else:
        best = loss(line.temperature, line.shift)
        near = [
            loss(line.temperature * heat, line.shift + shift) for heat in (0.8, 1, 1.25) for shift in (-0.2, 0, 0.2)
        ]
        assert line.temperature > 0 and best <= min(near) + 1e-4


def test_few_scores_or_only_right_ones_say_nothing():
    assert fitted(np.full(19, 0.9), np.arange(19) > 3) == Line()
    assert fitted(np.full(50, 0.9), np.ones(50, dtype=bool)) == Line()
    assert fitted(np.array([]), np.array([], dtype=bool)) == Line()


def test_equal_scores_come_to_the_share_that_is_right():
    line = fitted(np.full(400, 0.9), np.arange(400) < 240)
    assert line.calibrated(0.9) == pytest.approx(0.6, abs=0.01)


@given(st.lists(st.floats(0.001, 0.999), min_size=2, max_size=9), st.floats(0.6, 10), st.floats(-2, 2))
def test_calibrated_scores_keep_their_order_and_can_be_turned_back(scores, heat, shift):
    line = Line(heat, shift)
    document = Document("1", ("a", "b"), (Entity("X", 0, 1), Entity("Y", 1, 2)), tuple(
        Relation(f"R{index}", 0, 1, score) for index, score in enumerate(scores)))  # fmt: skip
    calibrated = Calibration(relations=line).document(document)
    after = [relation.score for relation in calibrated.relations]
    order = sorted(zip(scores, after, strict=True))
    assert all(low[1] <= high[1] for low, high in itertools.pairwise(order))
    assert calibrated.entities == document.entities
    for before, score in zip(scores, after, strict=True):
        if 0.001 < score < 0.999:
            assert line.raw(score) == pytest.approx(before, abs=0.01)


LINE = {"temperature": 1.0, "shift": 0.0}


@pytest.mark.parametrize("wrong", [
    {}, [], {"entities": LINE, "relations": LINE}, {"entities": 1.0, "relations": LINE, "threshold": None},
    {"entities": LINE | {"temperature": 0}, "relations": LINE, "threshold": None},
    {"entities": LINE | {"shift": True}, "relations": LINE, "threshold": None},
    {"entities": LINE, "relations": LINE, "threshold": "auto"}, {"entities": LINE, "relations": LINE, "threshold": 2},
])  # fmt: skip
def test_another_calibration_than_a_training_writes_is_refused(wrong):
    with pytest.raises(CmanError, match=r"config\.json: field calibration"):
        Calibration.from_json(json.loads(json.dumps(wrong)), "config.json")


def test_a_calibration_is_read_as_it_was_written():
    calibration = Calibration(Line(2.5, -0.75), Line(), 0.43)
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json())), "config.json") == calibration
