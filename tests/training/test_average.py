"""The moving average of the weights: its formula, from where it begins, and that it is what a training leaves."""

import pytest
import torch

from cman.config.settings import Training
from cman.training.average import WeightAverage


@pytest.fixture
def model(request: pytest.FixtureRequest):
    from small import small_model

    from cman.corpora.document import Document, Entity
    from cman.features.vocabulary import Vocabulary

    document = Document("1", ("Bo",), (Entity("Peop", 0, 1),), ())
    return small_model(Vocabulary.of([document]), {"contextual.enabled": False})[0]


def test_it_decays_from_the_first_weights_that_it_takes_in(model):
    average = WeightAverage(model, Training(ema=0.75, ema_start=0.5), steps=4)
    weight, expected = model.second_crf.emission.bias, None
    for step in range(4):
        with torch.no_grad():
            weight.fill_(float(step))
        average.update(step)
        if step >= 2:
            expected = float(step) if expected is None else 0.75 * expected + 0.25 * step
            torch.testing.assert_close(average.model.second_crf.emission.bias, torch.full_like(weight, expected))
        else:
            assert average.model is model
    average.settle()
    torch.testing.assert_close(weight, torch.full_like(weight, 0.75 * 2 + 0.25 * 3))


def test_without_it_the_model_is_evaluated_and_kept(model):
    average = WeightAverage(model, Training(), steps=4)
    average.update(3)
    average.settle()
    assert average.model is model and average.state_dict() == {}
