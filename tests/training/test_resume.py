"""A training killed at any moment and started again comes to the same files as one that was never killed."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
import warm
from full_disk import room_for
from killing import killed_at
from safetensors.torch import load_file
from trained import trained

from cman.config.settings import Training
from cman.files import write_json
from cman.layout import Layout
from cman.lock import Lock
from cman.training import loop
from cman.training.average import WeightAverage
from cman.training.checkpoint import Checkpoint, Progress
from tests.training.conftest import configuration_with


def content(folder):
    return {name: (folder / name).read_bytes() for name in ("model/model.safetensors", "history.csv")}


@pytest.fixture(scope="module")
def undisturbed(prepared, tmp_path_factory):
    """Return a function that gives the files of a run that was never killed; each is trained once."""
    known = {}

    def files(seed=1, **settings):
        key = (seed, *sorted(settings.items()))
        if key not in known:
            layout = Layout(Path(shutil.copytree(prepared, tmp_path_factory.mktemp("undisturbed") / "results")))
            known[key] = content(trained(configuration_with(**settings), layout, "tiny", "cman", seed))
        return known[key]

    return files


def checkpoints(layout, seed=1):
    return layout.checkpoints("tiny", "cman", "main", seed)


@pytest.mark.parametrize("protocol", ["retrain", "train", "fixed"])
def test_a_run_interrupted_at_any_step_ends_with_the_same_files(configure, layout, undisturbed, protocol):
    # 24 documents are 3 batches an epoch; the steps hit both stages and the borders of epochs.
    settings = {"training.protocol": protocol, "label.source": "scheduled"}
    configuration, expected = configure(**settings), undisturbed(**settings)
    for step in {"retrain": (1, 3, 4, 9, 12), "train": (5, 9), "fixed": (6, 10)}[protocol]:
        with killed_at(step):
            trained(configuration, layout, "tiny", "cman")
        assert content(trained(configuration, layout, "tiny", "cman")) == expected, step


def test_a_run_killed_again_and_again_ends_with_the_same_files(configure, layout, undisturbed):
    for _ in range(3):  # each gets one epoch farther
        with killed_at(4):
            trained(configure(), layout, "tiny", "cman")
    assert content(trained(configure(), layout, "tiny", "cman")) == undisturbed()


def test_finished_stages_are_not_trained_again(configure, layout, caplog):
    caplog.set_level("INFO", logger="cman")
    with killed_at(10):  # in the retraining
        trained(configure(), layout, "tiny", "cman")
    caplog.clear()
    trained(configure(), layout, "tiny", "cman")
    assert "continuing from" in caplog.text and "select epoch" not in caplog.text


@pytest.mark.parametrize("before", [{"settings": {"training.lr": 0.001}}, {"digest": "0a"}, {"seed": 1}], ids=str)
def test_a_checkpoint_of_other_settings_or_code_is_not_continued(configure, layout, undisturbed, caplog, before):
    with killed_at(5):
        trained(configure(**before.get("settings", {})), layout, "tiny", "cman", digest=before.get("digest", "0b"))
    with caplog.at_level("INFO", logger="cman"):
        assert content(trained(configure(), layout, "tiny", "cman", digest="0b")) == undisturbed()
    assert ("starting from the first epoch" in caplog.text) is ("seed" not in before)


@pytest.mark.parametrize("name", ["select.ckpt", "retrain.ckpt", "run.json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "other"])
def test_a_checkpoint_that_cannot_be_read_is_none_and_one_line_says_so(
    configure, layout, undisturbed, caplog, name, damage
):
    settings = {"training.epoch_rule": "last"}
    with killed_at(11):  # 9 steps of selection; the retraining is one epoch, or more
        trained(configure(**settings), layout, "tiny", "cman")
    caplog.clear()
    path = checkpoints(layout) / name
    whole = path.read_bytes() if path.exists() else b"PK"
    path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "other": b"[1, 2]"}[damage])
    with caplog.at_level("INFO", logger="cman"):
        found = content(trained(configure(**settings), layout, "tiny", "cman"))
    assert len([line for line in caplog.messages if str(path) in line or "belongs to other" in line]) >= 1
    assert found == undisturbed(**settings)


def test_a_checkpoint_that_a_disk_cannot_take_ends_the_run_with_its_name_and_keeps_the_one_before(tmp_path):
    checkpoint = Checkpoint(tmp_path / "select.ckpt", Lock(tmp_path / "lock", {}))
    model = torch.nn.Linear(100, 100)
    state = (model, model, torch.optim.Adam(model.parameters()), WeightAverage(model, Training(), 1))
    checkpoint.save(*state, Progress(history=[{}]))
    before = checkpoint.path.read_bytes()
    for room in (0, 700, len(before) - 10):
        with room_for(room), pytest.raises(OSError, match="too large") as error:
            checkpoint.save(*state, Progress())
        assert error.value.filename == str(checkpoint.path) and checkpoint.path.read_bytes() == before
    assert len(checkpoint.restore(*state).history) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["select.ckpt"]


def test_results_of_another_training_are_removed_when_a_run_is_continued(configure, layout):
    folder = trained(configure(), layout, "tiny", "cman", digest="0a")
    with killed_at(5):
        trained(configure(), layout, "tiny", "cman", digest="0b")
    (folder / "scores.json").write_text("{}")  # of the model that is still there
    with killed_at(5):
        trained(configure(), layout, "tiny", "cman", digest="0b")
    assert not (folder / "scores.json").exists()


# ---- processes


@pytest.fixture
def command(configure, layout, tmp_path):
    """The command line of a run of six epochs with seed 7."""
    path = tmp_path / "configuration.json"
    write_json(path, configure(**{"training.epochs": 6}).model_dump(mode="json"))
    return [*warm.client(), "cman", "train", "--config", str(path), "--corpus", "tiny", "--experiment", "cman",
            "--seed", "7", "--results", str(layout.root), "--device", "cpu", "--threads", "1"]  # fmt: skip


def start(command):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for(path, process):
    while process.poll() is None and not path.exists():
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_a_signal_stops_fails_and_the_same_command_finishes_the_run(layout, undisturbed, command, sent):
    folder = layout.run("tiny", "cman", "main", 7)
    process = start(command)
    wait_for(checkpoints(layout, 7) / "select.ckpt", process)
    process.send_signal(sent)
    _, said = process.communicate()
    if sent == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 1
        # The checkpoint's file may be there before the process has counted its epoch.
        assert re.search(r"error: stopped by a signal after epoch \d; the same command continues from there", said)
    assert not (folder / "model" / "config.json").exists()
    process = start(command)
    _, said = process.communicate()
    assert process.returncode == 0 and "continuing from" in said
    assert ("is dead; taking over" in said) is (sent == signal.SIGKILL)
    assert content(folder) == undisturbed(7, **{"training.epochs": 6})


def test_the_signal_handlers_of_the_process_come_back(configure, layout):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    trained(configure(**{"training.protocol": "fixed", "training.epochs": 1}), layout, "tiny", "cman")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert load_file(layout.run("tiny", "cman", "main", 1) / "model" / "model.safetensors")
    assert issubclass(loop.Stopped, BaseException) and not issubclass(loop.Stopped, Exception)
