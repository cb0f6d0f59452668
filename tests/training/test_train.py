"""A training leaves the files of the run folder, and what they hold depends on the seed and nothing else."""

import csv
import json

import pytest
import torch
from safetensors.torch import load_file

from cman.training.train import train


def run(configuration, layout, experiment="cman", seed=1):
    return train(configuration, "tiny", experiment, "main", seed, layout, "cpu", 1)


def history(folder):
    with (folder / "history.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("experiment", ["cman", "multihead", "multihead-at"])
def test_a_run_leaves_model_history_and_provenance_and_no_checkpoints(configure, layout, experiment):
    folder = run(configure(), layout, experiment)
    assert {path.name for path in folder.rglob("*") if path.is_file()} == {
        "model.safetensors",
        "config.json",
        "vocabulary.json",
        "history.csv",
        "provenance.json",
    }
    assert not layout.checkpoints("tiny", experiment, "main", 1).exists()
    facts = json.loads((folder / "provenance.json").read_text())
    assert facts["experiment"] == experiment
    assert facts["documents"]["trained_on"] == 34
    assert facts["sample"] is True
    assert all(len(digest) == 64 for digest in facts["inputs"].values())


def test_the_retraining_takes_as_many_epochs_as_the_best_on_dev(configure, layout):
    folder = run(configure(), layout)
    facts = json.loads((folder / "provenance.json").read_text())
    rows = history(folder)
    selected = [row for row in rows if row["stage"] == "select"]
    retrained = [row for row in rows if row["stage"] == "retrain"]
    scores = [float(row["dev_mean_f1"]) for row in selected]
    assert facts["best_epoch"] == scores.index(max(scores)) + 1
    assert len(retrained) == facts["best_epoch"]


def test_the_label_copy_rate_is_in_the_history_of_two_phases_and_not_of_one(configure, layout):
    two = history(run(configure(), layout, "cman"))[0]
    assert 0.0 <= float(two["label_copy_rate"]) <= 1.0
    assert "label_copy_rate" not in history(run(configure(), layout, "multihead"))[0]


def test_the_same_seed_gives_the_same_model_and_another_seed_another(configure, layout):
    first = load_file(run(configure(), layout) / "model" / "model.safetensors")
    again = load_file(run(configure(), layout) / "model" / "model.safetensors")
    other = load_file(run(configure(), layout, seed=2) / "model" / "model.safetensors")
    assert all(torch.equal(first[name], again[name]) for name in first)
    name = "second_crf.emission.weight"
    assert not torch.equal(first[name], other[name])


def test_training_stops_when_dev_no_longer_improves(configure, layout):
    # A learning rate this small changes nothing: every epoch scores the same, so the first stays the best.
    folder = run(configure(**{"training.epochs": 9, "training.patience": 2, "training.lr": 1e-9}), layout)
    stages = [row["stage"] for row in history(folder)]
    assert stages == ["select"] * 3 + ["retrain"]


@pytest.mark.parametrize(
    ("rule", "retrained"),
    [("best", 1), ("patience_end", 3), ("last", 9)],
)
def test_the_epoch_rule_decides_how_long_the_retraining_is(configure, layout, rule, retrained):
    changes = {"training.epochs": 9, "training.patience": 2, "training.lr": 1e-9, "training.epoch_rule": rule}
    folder = run(configure(**changes), layout)
    assert sum(row["stage"] == "retrain" for row in history(folder)) == retrained


def test_the_fixed_protocol_never_looks_at_dev(configure, layout):
    folder = run(configure(**{"training.protocol": "fixed"}), layout)
    rows = history(folder)
    assert [row["stage"] for row in rows] == ["retrain"] * 3
    assert "dev_mean_f1" not in rows[0]


def test_the_train_protocol_keeps_the_weights_of_the_best_epoch(configure, layout):
    # One epoch at most: the best epoch is the last, and the same run by `retrain` selects the same weights.
    chosen = run(configure(**{"training.protocol": "train", "training.epochs": 1}), layout)
    facts = json.loads((chosen / "provenance.json").read_text())
    assert facts["best_epoch"] == 1
    assert facts["documents"]["trained_on"] == 24
    assert [row["stage"] for row in history(chosen)] == ["select"]


def test_a_smaller_fraction_trains_on_part_of_a_larger_one(configure, layout):
    from cman.training.data import TrainingData

    ids = {}
    for fraction in (0.25, 0.5):
        configuration = configure(**{"training.fraction": fraction})
        settings = configuration.settings_of("tiny", "cman")
        data = TrainingData.read(configuration, "tiny", settings, "main", layout)
        ids[fraction] = {document.id for document in data.train}
    assert len(ids[0.25]) == 6 and len(ids[0.5]) == 12
    assert ids[0.25] < ids[0.5]
