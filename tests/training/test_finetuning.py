"""Training with a trained encoder: its schedule, its inputs, and the same model after a kill."""

import json

import pytest
import torch
from killing import killed_at
from safetensors.torch import load_file
from trained import trained

from cman.config.configuration import parse_configuration
from cman.errors import UsageError
from cman.training import loop
from cman.training.schedule import warmed_up


def run(configuration, layout):
    return trained(configuration, layout, "tiny", "cman")


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


@pytest.mark.parametrize(("step", "share"), [(0, 1 / 3), (1, 2 / 3), (2, 1.0), (3, 17 / 18), (11, 0.5), (19, 1 / 18)])
def test_the_rate_rises_in_the_warm_up_and_falls_linearly(step, share):
    assert warmed_up(step, 20, 0.1) == pytest.approx(share)


def test_without_warm_up_the_rate_only_falls():
    assert [warmed_up(step, 4, 0.0) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]


def test_encoder_and_model_learn_at_their_own_rates_and_without_cached_features(tuned, layout, monkeypatch):
    original, seen = loop.training_step, []

    def watched(model, joint, optimiser, *given):
        seen.append([(group["of_encoder"], group["lr"], group["weight_decay"]) for group in optimiser.param_groups])
        return original(model, joint, optimiser, *given)

    monkeypatch.setattr(loop, "training_step", watched)
    changes = {"encoder.lr": 0.01, "encoder.warmup": 0.25, "training.protocol": "fixed", "training.epochs": 2}
    folder = run(tuned(**changes), layout)
    assert not layout.features("tiny", "tiny").exists()
    steps = len(seen)
    for step, (rest, matrices, vectors) in enumerate(seen):
        assert rest == (False, pytest.approx(0.005 * (1 - step / steps)), 0)
        rate = pytest.approx(0.01 * warmed_up(step, steps, 0.25))
        assert (matrices, vectors) == ((True, rate, 0.01), (True, rate, 0))
    facts = json.loads((folder / "provenance.json").read_text())
    assert {name.rpartition("/")[2] for name in facts["inputs"]} >= {
        "config.json",
        "tokenizer.json",
        "model.safetensors",
    }
    assert facts["inputs_title"].endswith("tiny (fine-tuned)")


def test_training_changes_the_encoder(tuned, layout, tiny_encoder):
    found = weights(run(tuned(**{"training.protocol": "fixed"}), layout))
    before = load_file(tiny_encoder / "model.safetensors")
    name = "encoder.layer.0.attention.self.query.weight"
    assert not torch.equal(found[f"inputs.encoder.model.{name}"], before[name])


@pytest.mark.parametrize("steps", [5, 11])
def test_a_killed_run_ends_with_the_same_model(tuned, layout, steps):
    expected = weights(run(tuned(), layout))
    with killed_at(steps):
        run(tuned(), layout)
    found = weights(run(tuned(), layout))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_an_encoder_needs_contextual_inputs_to_be_trained(tuned):
    with pytest.raises(UsageError, match=r"encoder\.trainable is true and contextual\.enabled false"):
        tuned(**{"contextual.enabled": False})


def test_elmo_cannot_be_trained(tuned):
    value = tuned().model_dump(mode="json")
    value["encoders"] = {"tiny": {"options": "o.json", "weights": "w.hdf5"}}
    with pytest.raises(UsageError, match="found 'tiny', which is an ELMo and stays frozen"):
        parse_configuration(value, "a test")
