"""A training leaves the files of the run folder, and what they hold depends on the seed and nothing else."""

import csv
import json
import threading

import pytest
import torch
from safetensors.torch import load_file
from trained import trained

from cman import hashes
from cman.cli.training import run_of
from cman.errors import CmanError, UsageError
from cman.layout import Layout
from cman.training import loop
from cman.training.data import TrainingData
from cman.training.train import train

MADE = {"model/model.safetensors", "model/config.json", "model/vocabulary.json", "model/manifest.sha256"}
MADE |= {"history.csv", "provenance.json", "manifest.sha256"}
RESULTS = ["predictions.jsonl", "label_copies.json", "ranking.jsonl", "text.jsonl", "scores.json", "model/README.md"]


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def history(folder):
    with (folder / "history.csv").open() as stream:
        return list(csv.DictReader(stream))


def facts(folder):
    return json.loads((folder / "provenance.json").read_text())


@pytest.mark.parametrize("experiment", ["cman", "multihead-at"])
def test_a_run_leaves_model_history_and_provenance_and_nothing_else(configure, layout, experiment):
    folder = trained(configure(), layout, "tiny", experiment, digest="c0ffee")
    assert files(folder) == MADE
    assert not [path for path in (layout.root / "checkpoints").rglob("*") if path.is_file()]
    found = facts(folder)
    assert (found["experiment"], found["split"], found["seed"], found["digest"]) == (experiment, "main", 1, "c0ffee")
    assert (found["corpus_title"], found["sample"]) == ("CoNLL04-like", True)
    assert found["documents"] == {"train": 24, "dev": 10, "trained_on": 34}
    assert found["threads"] == 1 and found["peak_memory_mb"] > 50
    assert found["inputs"] and all(len(value) == 64 for value in found["inputs"].values())
    # A model with one CRF cannot copy its own labels.
    assert ("label_copy_rate" in history(folder)[0]) is (experiment == "cman")


def test_each_input_is_hashed_once(configure, layout, monkeypatch):
    read, original = [], hashes.hashed_bytes
    monkeypatch.setattr(hashes, "hashed_bytes", lambda stream: read.append(stream.name) or original(stream))
    trained(configure(**{"training.protocol": "fixed", "training.epochs": 1}), layout, "tiny", "cman")
    folder = layout.documents("tiny", "main")
    assert [name for name in read if "corpora" in str(name)] == [str(folder / "train.jsonl"), str(folder / "dev.jsonl")]


def test_an_input_that_is_replaced_meanwhile_leaves_no_model_and_brought_back_ends_at_once(
    configure, layout, monkeypatch
):
    configuration = configure(**{"training.protocol": "fixed", "training.epochs": 2})
    path = layout.documents("tiny", "main") / "train.jsonl"
    content, train_epoch = path.read_bytes(), loop._train_epoch

    def replaced(*arguments):
        path.write_bytes(content.replace(b'"id": "', b'"id": "x', 1))
        return train_epoch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_train_epoch", replaced)
        with pytest.raises(CmanError, match=r"train\.jsonl: changed while it was trained on"):
            trained(configuration, layout, "tiny", "cman")
    assert not (layout.run("tiny", "cman", "main", 1) / "provenance.json").exists()
    path.write_bytes(content)
    monkeypatch.setattr(loop, "_train_epoch", None)  # nothing is left to train
    inputs = facts(trained(configuration, layout, "tiny", "cman"))["inputs"]
    assert inputs[str(path)] == hashes.sha256(path)


def test_the_same_seed_gives_the_same_model_and_another_seed_another(configure, layout):
    configuration = configure(**{"training.protocol": "fixed", "label.source": "scheduled"})  # draws in every batch
    first = weights(trained(configuration, layout, "tiny", "cman"))
    other = weights(trained(configuration, layout, "tiny", "cman", seed=2))
    again = weights(trained(configuration, layout, "tiny", "cman"))  # whatever this process trained before
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["second_crf.emission.weight"], other["second_crf.emission.weight"])


def test_a_training_works_outside_of_the_main_thread_which_alone_receives_signals(configure, layout):
    configuration = configure(**{"training.protocol": "fixed", "training.epochs": 1})
    thread = threading.Thread(target=trained, args=(configuration, layout, "tiny", "cman"))
    thread.start()
    thread.join()
    assert files(layout.run("tiny", "cman", "main", 1)) == MADE


# ---- protocols


def test_the_retraining_takes_as_many_epochs_as_the_best_on_dev(configure, layout):
    folder = trained(configure(), layout, "tiny", "cman")
    scores = [float(row["dev_mean_f1"]) for row in history(folder) if row["stage"] == "select"]
    assert facts(folder)["best_epoch"] == scores.index(max(scores)) + 1
    assert 0.02 <= facts(folder)["dev_threshold"] <= 0.98
    assert sum(row["stage"] == "retrain" for row in history(folder)) == facts(folder)["best_epoch"]


@pytest.mark.parametrize(("rule", "retrained"), [("best", 1), ("patience_end", 3), ("last", 9)])
def test_the_epoch_rule_decides_how_long_the_retraining_is(configure, layout, rule, retrained):
    # A learning rate this small changes nothing: every epoch scores the same, so the first stays the best.
    changes = {"training.epochs": 9, "training.patience": 2, "training.lr": 1e-9, "training.epoch_rule": rule}
    stages = [row["stage"] for row in history(trained(configure(**changes), layout, "tiny", "cman"))]
    assert stages == ["select"] * 3 + ["retrain"] * retrained


def test_the_fixed_protocol_never_looks_at_dev(configure, layout):
    rows = history(trained(configure(**{"training.protocol": "fixed"}), layout, "tiny", "cman"))
    assert [row["stage"] for row in rows] == ["retrain"] * 3
    assert "dev_mean_f1" not in rows[0]
    assert facts(layout.run("tiny", "cman", "main", 1))["dev_threshold"] is None


def test_the_train_protocol_keeps_the_weights_of_the_best_epoch(configure, layout, monkeypatch):
    # Epochs after the best one change the weights and not what is kept: with or without them the model is the same.
    changes = {"training.protocol": "train", "training.schedule": "constant"}
    kept, calibrations = [], []
    for epochs in (2, 4):
        scores = iter([10.0, 30.0, 20.0, 30.0])
        monkeypatch.setattr(loop, "dev_scores", lambda *_, scores=scores: {"dev_mean_f1": next(scores)})
        folder = trained(configure(**changes, **{"training.epochs": epochs}), layout, "tiny", "cman")
        assert (facts(folder)["best_epoch"], facts(folder)["documents"]["trained_on"]) == (2, 24)
        calibrations.append((facts(folder)["calibration"], facts(folder)["dev_threshold"]))
        assert [row["stage"] for row in history(folder)] == ["select"] * epochs
        kept.append(weights(folder))
    assert all(torch.equal(kept[0][name], kept[1][name]) for name in kept[0])
    assert calibrations[0] == calibrations[1] and calibrations[0][0] is not None  # of those weights, not of the last


def test_a_smaller_fraction_trains_on_part_of_a_larger_one(configure, layout):
    chosen = {}
    for fraction in (0.25, 0.5):
        run = run_of(configure(**{"training.fraction": fraction}), "tiny", "cman", "main", 1)
        chosen[fraction] = {document.id for document in TrainingData.read(run, layout).train}
    assert len(chosen[0.25]) == 6 and len(chosen[0.5]) == 12
    assert chosen[0.25] < chosen[0.5]


# ---- what was made with an older model


def test_a_training_that_starts_anew_removes_what_was_made_with_the_model_before(configure, layout):
    configuration = configure(**{"training.protocol": "fixed", "training.epochs": 1})
    folder = trained(configuration, layout, "tiny", "cman")
    for name in [*RESULTS, "notes.txt"]:
        (folder / name).write_text("{}")
    trained(configuration, layout, "tiny", "cman")
    assert files(folder) == MADE | {"notes.txt"}


# ---- names


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("tiny", "camn", "main"), "unknown experiment: found 'camn'"),
        (("tony", "cman", "main"), "unknown corpus: found 'tony'"),
        (("tiny", "cman", "fold0"), "--split: found 'fold0', wanted one of the divisions of tiny: main"),
    ],
)
def test_a_training_that_cannot_be_is_refused(configure, names, words):
    with pytest.raises(UsageError, match=words):
        run_of(configure(), *names, 1)


def test_a_device_that_is_none_is_refused_and_nothing_is_written(configure, layout):
    with pytest.raises(UsageError, match="device: found 'gpu', wanted auto, cpu or cuda"):
        train(run_of(configure(), "tiny", "cman", "main", 1), layout, "gpu", 1)
    assert not (layout.root / "checkpoints").exists()


def test_what_was_not_made_before_is_told_with_the_verb_that_makes_it(configure, layout, tmp_path):
    with pytest.raises(CmanError, match="found no features of tiny by minilm, wanted them; run `cman embed` first"):
        trained(configure(**{"contextual.enabled": True}), layout, "tiny", "cman")
    with pytest.raises(CmanError, match="found no documents of tiny, wanted them; run `cman prepare` first"):
        trained(configure(), Layout(tmp_path / "empty"), "tiny", "cman")
