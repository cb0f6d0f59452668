"""Intervals over sentences and seeds, and the detectable effect, simulated under the null and a planted effect."""

import numpy as np
import pytest

from cman.evaluation.power import Arm, Figure, bounds, detectable, draws, effect

RELATIONS = Figure()
SENTENCES, SEEDS, WORLDS = 200, 4, 80


def system(stream: np.random.Generator, hard: np.ndarray, better: float) -> list[np.ndarray]:
    """Runs of one system: sentences of unequal difficulty, seeds that are a little better or worse at all of them."""
    runs = []
    for shift in stream.normal(0, 0.02, SEEDS):
        found = stream.binomial(2, np.clip(hard + shift + better, 0, 1))
        relations = np.stack([found, found + stream.binomial(2, 0.4, SENTENCES), np.full(SENTENCES, 2)], axis=1)
        runs.append(np.stack([relations, relations], axis=1)[:, None])
    return runs


def world(seed: int, planted: float) -> tuple[Arm, Arm]:
    """Two systems of which the first finds so large a share of relations more."""
    stream = np.random.default_rng(seed)
    hard = stream.beta(2, 2, SENTENCES)
    return {"main": system(stream, hard, planted)}, {"main": system(stream, hard, 0.0)}


def test_the_null_is_seldom_taken_for_an_effect_and_a_planted_detectable_one_is_mostly_found():
    null = [draws(*world(seed, 0.0), RELATIONS, rounds=200) for seed in range(WORLDS)]
    alarms = sum(low > 0 or high < 0 for low, high in map(bounds, null))
    assert alarms <= 0.12 * WORLDS
    size = float(np.median([detectable(values) for values in null]))
    share = 0.05
    points = np.mean(
        [effect(*world(seed, share), RELATIONS) - effect(*world(seed, 0.0), RELATIONS) for seed in range(40)]
    )
    planted = share * size / float(points)  # what gives the detectable effect, which grows with the share
    found = sum(
        bounds(draws(*world(seed, planted), RELATIONS, rounds=200))[0] > 0 for seed in range(WORLDS, 2 * WORLDS)
    )
    assert 0.65 * WORLDS <= found <= 0.95 * WORLDS
    half = sum(bounds(draws(*world(seed, planted / 3), RELATIONS, rounds=200))[0] > 0 for seed in range(40))
    assert half < 0.4 * 40


def test_more_sentences_seeds_and_folds_show_smaller_effects():
    first, second = world(1, 0.0)
    whole = detectable(draws(first, second, RELATIONS))
    fewer = {"main": [run[:50] for run in first["main"]]}, {"main": [run[:50] for run in second["main"]]}
    assert detectable(draws(*fewer, RELATIONS)) > 1.5 * whole
    folds = [{f"fold{number}": world(number, 0.0)[side]["main"] for number in range(4)} for side in (0, 1)]
    assert detectable(draws(folds[0], folds[1], RELATIONS)) < 0.7 * whole


def test_a_contrast_of_groups_is_about_how_much_the_difference_grows():
    low, high = (np.array([[[[0, 0, 0], [found, 2, 2]]]]) for found in (1, 2))
    grows = np.concatenate([low, high], axis=1)  # 50 in the first group, 100 in the last
    steady = np.concatenate([low, low], axis=1)
    figure = Figure("relations", (-1.0, 1.0))
    assert effect({"main": [grows]}, {"main": [steady]}, figure) == pytest.approx(50)
    assert draws({"main": [grows]}, {"main": [steady]}, figure, rounds=5) == pytest.approx([50] * 5)


def test_the_draws_are_the_same_each_time_and_need_a_split_in_common():
    first, second = world(3, 0.02)
    assert (draws(first, second, RELATIONS, rounds=50) == draws(first, second, RELATIONS, rounds=50)).all()
    assert abs(draws(first, second, RELATIONS).mean() - effect(first, second, RELATIONS)) < 0.3
    with pytest.raises(ValueError, match="no split that both"):
        draws(first, {"fold0": second["main"]}, RELATIONS)
    with pytest.raises(ValueError, match="runs of other sizes"):
        draws(first, {"main": [second["main"][0][:9]]}, RELATIONS)
