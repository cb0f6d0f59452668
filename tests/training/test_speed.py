"""The benchmark of a training step: both ways on the same batches, and what it cannot be run on."""

import csv

import pytest
from implementations import need_compiled

from cman.cli.training import run_of
from cman.errors import CmanError
from cman.kernels import library
from cman.speed import training
from cman.speed.training import speed_of_training


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_each_batch_is_trained_on_once_compiled_and_once_in_plain_pytorch(configure, layout, tmp_path, monkeypatch):
    need_compiled()
    used = []
    step = training.training_step
    monkeypatch.setattr(
        training, "training_step", lambda *given: (used.append((library._in_use, given[3])), step(*given))
    )
    run = run_of(configure(**{"training.batch_size": 2}), "tiny", "cman", "main", 1)
    speed_of_training(run, layout, 1, 4, tmp_path / "out.csv")
    assert len(used) == 2 * (training.WARM + 4)
    for first, second in zip(used[::2], used[1::2], strict=True):
        assert first[1] is second[1] and first[0] != second[0]
    assert used[0][0] != used[2][0], "neither is always the first to see a batch"
    compiled, plain = rows_of(tmp_path / "out.csv")
    assert compiled["contender"].startswith("C++") and plain["contender"] == "plain PyTorch"
    assert (compiled["ratio"], compiled["batch_size"], compiled["steps"]) == ("1", "2", "4")
    assert float(plain["ratio"]) > 0 and float(compiled["cpu_ms_q1"]) <= float(compiled["cpu_ms_q3"])


def test_it_says_what_it_lacks_and_writes_nothing(configure, layout, tmp_path, monkeypatch):
    run = run_of(configure(), "tiny", "cman", "main", 1)
    if library.REASON is None:
        with pytest.raises(CmanError, match=r"^tiny: found \d+ batches, wanted 1003 for 1000 steps$"):
            speed_of_training(run, layout, 1, 1000, tmp_path / "out.csv")
    monkeypatch.setattr(training, "backend", lambda: "plain PyTorch (not built)")
    with pytest.raises(CmanError, match=r"^found plain PyTorch \(not built\), wanted compiled operations to compare"):
        speed_of_training(run, layout, 1, 4, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
