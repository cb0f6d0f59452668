"""Label copies are counted by hand on one batch; a model without a second phase has none."""

import torch

from cman.model.copying import LabelCopies
from cman.model.output import Links, Prediction


def prediction(labels, second):
    labels = torch.tensor(labels)
    links = Links(torch.zeros(0, 4, dtype=torch.long), torch.zeros(0))
    return Prediction(labels, labels, None if second is None else torch.tensor(second), None, links)


def test_tokens_and_entity_tokens_that_repeat_their_label_are_counted():
    copies = LabelCopies()
    # Tag 0 is O. The second sentence has two tokens; what stands in its padding is not counted.
    copies.add(prediction([[0, 1, 2], [3, 0, 0]], [[0, 1, 0], [3, 4, -1]]), torch.tensor([3, 2]))
    assert vars(copies) == {"tokens": 5, "copied": 3, "entity_tokens": 3, "copied_entity_tokens": 2}
    copies.add(prediction([[1]], [[1]]), torch.tensor([1]))
    assert copies.rates() == {"label_copy_rate": 4 / 6, "label_copy_rate_entities": 3 / 4}


def test_a_model_without_a_second_phase_has_nothing_to_copy():
    copies = LabelCopies()
    copies.add(prediction([[0, 1]], None), torch.tensor([2]))
    assert vars(copies) == {"tokens": 0, "copied": 0, "entity_tokens": 0, "copied_entity_tokens": 0}


def test_with_one_phase_the_labels_reach_the_relations_alone(build, batch):
    model, _ = build({"ner.phases": 1})
    assert model.second_crf is None and model.reported_crf is model.first_crf
    assert tuple(model.losses(model.inputs(batch), batch)) == model.loss_names == ("first", "rel")
    with torch.no_grad():
        predicted = model.eval().predict(batch)
    assert predicted.second_tags is None
    assert torch.equal(predicted.tags.clamp(min=0), predicted.labels)  # what the relations read is what is reported
