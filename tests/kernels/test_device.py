"""`make gpu` on a machine without one, and as much of what it runs as a CPU can."""

import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from implementations import need_compiled

from tests.device import __main__ as device
from tests.device import checks, epoch, step

ROOT = Path(__file__).resolve().parents[2]


def test_without_a_gpu_it_ends_at_once_with_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert device.main(tmp_path / "out") == 1
    said = capsys.readouterr().out
    assert said == f"make gpu: found no NVIDIA GPU, wanted {device.NEEDS}\n" and not (tmp_path / "out").exists()


@pytest.mark.skipif(shutil.which("make") is None or torch.cuda.is_available(), reason="no make, or a GPU")
def test_make_asks_before_it_installs_anything():
    called = ["make", "--no-print-directory", "gpu", "VENV=nothing"]  # make would print it where make runs the tests
    done = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode and done.stdout == "make gpu: found no NVIDIA GPU, wanted a machine with one and nvcc\n"


def test_a_step_that_fails_ends_no_other_and_what_it_says_is_kept(tmp_path, monkeypatch, capsys):
    steps = [
        device.Step("well", ["echo", "fine"]),
        device.Step("badly", ["false"]),
        device.Step("forever", ["sleep", "30"], 0),
        device.Step("nothing", ["no-such-program"]),
    ]
    monkeypatch.setattr(device, "missing", lambda: None)
    monkeypatch.setattr(device, "stages", lambda folder: [[step] for step in steps])
    assert device.main(tmp_path) == 1
    lines = (tmp_path / "summary.txt").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        "well: ok",
        "badly: exit status 1",
        "forever: more than 0 s",
        "nothing: could not start: No such file or directory",
    ]
    assert (tmp_path / "well.txt").read_text() == "$ echo fine\nfine\n"


def test_every_step_runs_what_is_there(tmp_path):
    every = [each for stage in device.stages(tmp_path) for each in stage]
    assert len({each.name for each in every}) == len(every)
    for each in every:
        for word in each.command:
            if word.startswith("tests") or word.endswith((".cpp", "setup.py")):
                path = word.replace(".", "/") + ".py" if word.startswith("tests.") else word
                assert (ROOT / path).exists(), f"{each.name}: {word}"


def test_the_checks_pass_on_a_cpu(monkeypatch):
    need_compiled()
    monkeypatch.setattr(checks, "REPETITIONS", 2)
    assert checks.random_shapes("cpu", 4).startswith("4 shapes, ")
    assert "nothing changed" in checks.streams_and_threads("cpu", 1)
    assert checks.repeated_gradient("cpu").endswith("in deterministic mode 0")


SMALL: dict[str, object] = {
    "lstm": {"hidden": 8, "layers": 1},
    "word": {"dim": 8},
    "char": {"emb": 4, "hidden": 4},
}


def test_a_step_is_taken_on_a_cpu_and_its_gradients_computed_again_are_the_same(tmp_path):
    stage = step.stage_of(tmp_path, {"train": 70, "dev": 1, "test": 1}, SMALL | step.SETTINGS)
    on = step.OnDevice(stage, "cpu")
    assert on.milliseconds(lambda: on.step(on.batches[3])) > 0
    on.add_gradients(on.batches[3])
    before = on.gradients()
    on.add_gradients(on.batches[3])
    assert before and all(torch.equal(one, other) for one, other in zip(before, on.gradients(), strict=True))


@pytest.mark.slow  # torch's profiler
def test_an_epoch_is_profiled_and_leaves_a_model_to_decode_with(tmp_path):
    said = epoch.twice("cpu", tmp_path, tmp_path, {"train": 6, "dev": 1, "test": 1}, SMALL | {"at": {"enabled": False}})
    table = (tmp_path / "profile.txt").read_text()
    assert "aten::" in table and said.startswith(table) and (tmp_path / "trace.json").exists()
    assert (tmp_path / "results/runs/device/cman/main/seed1/model/config.json").exists()
