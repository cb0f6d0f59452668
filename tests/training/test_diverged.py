"""A training whose loss is no number ends with one sentence, before anything is decoded with its weights."""

from types import SimpleNamespace

import pytest
import torch

from cman.errors import CmanError
from cman.training import loop


def test_a_loss_that_is_no_number_ends_the_training_in_a_sentence(monkeypatch):
    model = SimpleNamespace(train=lambda: None, labels=SimpleNamespace(start_epoch=lambda *_: None))
    settings = SimpleNamespace(training=SimpleNamespace(epochs=3))
    batch = SimpleNamespace(to=lambda device: None)
    monkeypatch.setattr(loop, "set_learning_rates", lambda *_: None)
    monkeypatch.setattr(loop, "training_step", lambda *_: [{"rel": torch.tensor(float("nan"))}])
    average, watch = SimpleNamespace(update=lambda _: None), SimpleNamespace(batch=lambda: None)

    class Batches(list):  # type: ignore[type-arg]
        epoch = 0

    stage = loop.Stage(0, model, None, Batches([batch]), None, settings, 1)  # type: ignore[arg-type]
    with pytest.raises(CmanError, match=r"select epoch 3: found a loss_rel that is no number, .*training\.lr"):
        loop._train_epoch(stage, None, average, 2, torch.device("cpu"), watch)  # type: ignore[arg-type]
