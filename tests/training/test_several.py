"""Several trainings in one process: each as in a process of its own, and a killed call does not repeat what is done."""

import csv

import pytest
import torch
from safetensors.torch import load_file

from cman.errors import CmanError, UsageError
from cman.training import train as module
from cman.training.cells import Cell, cells_of, training_processes
from cman.training.train import train, train_several


def weights(folder):
    return load_file(folder / "model" / "model.safetensors")


def same(one, other):
    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


def several(cells, layout):
    return train_several(cells, "tiny", layout, "cpu", 1)


@pytest.mark.parametrize("experiment", ["cman", "cman-scheduled"])  # the second draws numbers in every batch
def test_a_run_does_not_depend_on_what_the_process_trained_before(configure, layout, experiment):
    configuration = configure(**{"training.protocol": "fixed"})
    folder = train(configuration, "tiny", experiment, "main", 2, layout, "cpu", 1)
    alone, history = weights(folder), (folder / "history.csv").read_bytes()
    cells = [Cell(configuration, "multihead-at", "main", 1), Cell(configuration, experiment, "main", 2)]
    folders = several(cells, layout)
    assert folders == [layout.run("tiny", cell.experiment, "main", cell.seed) for cell in cells]
    assert same(weights(folders[1]), alone)
    assert (folders[1] / "history.csv").read_bytes() == history


def test_a_call_that_failed_in_its_second_run_does_not_train_the_first_again(configure, layout, monkeypatch, caplog):
    configuration = configure(**{"training.protocol": "fixed"})
    cells = [Cell(configuration, "multihead", "main", seed) for seed in (1, 2)]
    original, calls = module.Run.train, []

    def failing(run):
        calls.append(run.seed)
        if len(calls) == 2:
            raise CmanError("stopped by a signal")
        return original(run)

    monkeypatch.setattr(module.Run, "train", failing)
    with pytest.raises(CmanError, match="stopped"):
        several(cells, layout)
    assert layout.checkpoints("tiny", "multihead", "main", 1).exists()
    caplog.clear()
    caplog.set_level("INFO")
    folders = several(cells, layout)
    epochs = [record.getMessage() for record in caplog.records if "epoch " in record.getMessage()]
    assert len(epochs) == 3  # the second seed's
    assert not any(layout.checkpoints("tiny", "multihead", "main", seed).exists() for seed in (1, 2))
    with (folders[0] / "history.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 3


def test_a_wrong_name_is_told_before_the_first_training_begins(configure, layout):
    cells = [Cell(configure(), "cman", "main", 1), Cell(configure(), "camn", "main", 1)]
    with pytest.raises(UsageError, match="camn"):
        several(cells, layout)
    assert not layout.run("tiny", "cman", "main", 1).exists()


def test_what_is_not_asked_for_is_what_the_configuration_runs(configure):
    found = cells_of([configure()], "tiny")
    assert [(cell.experiment, cell.split, cell.seed) for cell in found] == [
        ("cman", "main", 1),
        ("multihead", "main", 1),
        ("multihead-at", "main", 1),
    ]
    chosen = cells_of([configure()], "tiny", ["cman"], None, [3, 4])
    assert [(cell.experiment, cell.seed) for cell in chosen] == [("cman", 3), ("cman", 4)]


@pytest.mark.parametrize(
    ("experiments", "splits", "words"),
    [(["cman", "cman"], None, "cman, main, seed 1: found twice"), (["cman"], ["fold0"], "--split: found 'fold0'")],
)
def test_trainings_that_cannot_be_are_refused(configure, experiments, splits, words):
    with pytest.raises(UsageError, match=words):
        cells_of([configure()], "tiny", experiments, splits)


def test_the_workflows_processes_hold_every_training_once_and_at_most_so_many(configure):
    configuration = configure().model_copy(update={"runs_a_process": 2, "seeds": [1, 5]})
    processes = training_processes(configuration, ["tiny"])
    assert [process.experiments for process in processes] == [("cman", "multihead"), ("multihead-at",)] * 2
    assert [process.seed for process in processes] == [1, 1, 5, 5]
    assert len({process.name for process in processes}) == 4
