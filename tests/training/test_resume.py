"""A training killed at any moment and started again comes to the same model as one that was never killed."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from killing import killed_at
from safetensors.torch import load_file

from cman.files import write_json
from cman.training.train import train


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def same(left, right):
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def run(configuration, layout, seed=1):
    return train(configuration, "tiny", "cman", "main", seed, layout, "cpu", 1)


@pytest.mark.parametrize("steps", [1, 4, 5, 9, 12, 14])
def test_a_run_interrupted_at_any_step_ends_with_the_same_model(configure, layout, steps):
    # 24 documents are 3 batches an epoch, 3 epochs of selection; the steps hit both stages and epochs' borders.
    undisturbed = run(configure(), layout)
    expected, story = weights(undisturbed), (undisturbed / "history.csv").read_text()

    with killed_at(steps):
        run(configure(), layout)
    resumed = run(configure(), layout)
    assert same(weights(resumed), expected)
    assert (resumed / "history.csv").read_text() == story


def test_a_checkpoint_of_other_settings_is_not_continued(configure, layout, caplog):
    expected = weights(run(configure(**{"training.lr": 0.001}), layout))
    with killed_at(5):
        run(configure(), layout)
    with caplog.at_level("INFO", logger="cman"):
        assert same(weights(run(configure(**{"training.lr": 0.001}), layout)), expected)
    assert "starting from the first epoch" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 1)])
def test_a_process_that_a_signal_stops_fails_and_the_same_command_finishes_the_run(
    configure, layout, tmp_path, sent, status
):
    configuration = configure(**{"training.epochs": 6})
    path = tmp_path / "configuration.json"
    write_json(path, configuration.model_dump(mode="json"))
    expected = weights(run(configuration, layout, seed=7))
    folder = layout.run("tiny", "cman", "main", 7)
    for file in folder.rglob("*.*"):
        file.unlink()
    command = [sys.executable, "-m", "cman", "train", "--config", str(path), "--corpus", "tiny", "--experiment", "cman",
               "--seed", "7", "--results", str(layout.root), "--device", "cpu", "--threads", "1"]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    checkpoint = layout.checkpoints("tiny", "cman", "main", 7) / "select.ckpt"
    while process.poll() is None and not checkpoint.exists():
        time.sleep(0.005)
    process.send_signal(sent)
    assert process.wait() == status
    assert not (folder / "model" / "config.json").exists()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert same(weights(folder), expected)
    assert json.loads((folder / "provenance.json").read_text())["seed"] == 7
