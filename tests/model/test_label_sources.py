"""Which labels the second phase reads, and what the losses and perturbations do with a whole model."""

from typing import Any

import pytest
import torch
from small import ARCHITECTURES, inside, losses
from torch import Tensor

from cman.config.settings import Label
from cman.features.batch import Batch
from cman.model.adversarial import perturbation
from cman.model.labels import LabelSource
from cman.model.losses import JointLoss


def labels_read(model: Any, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return the labels that the second phase read and the first phase's tags, if it decoded any."""
    seen: list[tuple[Tensor, Tensor | None]] = []
    hook = model.labels.register_forward_hook(lambda _, given, result: seen.append((result, given[1])))
    losses(model, batch)
    hook.remove()
    return seen[0]


@ARCHITECTURES
@pytest.mark.parametrize("source", ["gold", "predicted", "scheduled", "noised"])
def test_at_inference_the_second_phase_always_reads_the_first_phases_labels(source, architecture, build, batch):
    model, _ = build({"architecture": architecture, "label.source": source})
    read, predicted = labels_read(model, batch)
    assert torch.equal(read, predicted.clamp(min=0))
    with torch.no_grad():
        assert torch.equal(model.predict(batch).labels, read)


@ARCHITECTURES
def test_in_training_gold_labels_are_read_and_the_first_phase_is_not_decoded(architecture, build, batch):
    model, _ = build({"architecture": architecture})
    read, predicted = labels_read(model.train(), batch)
    assert torch.equal(read, batch.tags) and predicted is None


def test_in_training_predicted_labels_are_those_of_the_first_phase(build, batch):
    model, _ = build({"label.source": "predicted"})
    read, predicted = labels_read(model.train(), batch)
    assert torch.equal(read, predicted.clamp(min=0)) and not torch.equal(read, batch.tags)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_scheduled_labels_are_gold_or_predicted_by_whole_sentences(share, build, batch):
    model, _ = build({"label.source": "scheduled", "label.gold_start": share, "label.gold_end": share})
    read, predicted = labels_read(model.train(), batch)
    assert torch.equal(read, batch.tags if share else predicted.clamp(min=0))


def test_scheduled_labels_mix_sentences_at_the_share(build):
    source = LabelSource(3, Label(source="scheduled", gold_start=0.25)).train()
    read = source(torch.ones(4000, 2, dtype=torch.int64), torch.full((4000, 2), 2))
    assert torch.equal(read[:, 0], read[:, 1])
    assert float((read == 1).float().mean()) == pytest.approx(0.25, abs=0.05)


def test_the_share_of_gold_sentences_moves_linearly_from_the_first_epoch_to_the_last():
    source = LabelSource(3, Label(source="scheduled", gold_start=1.0, gold_end=0.2))
    shares = []
    for epoch in range(5):
        source.start_epoch(epoch, 5)
        shares.append(source.gold_share)
    assert shares == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])
    source.start_epoch(0, 1)
    assert source.gold_share == 1.0


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_noised_labels_are_gold_but_for_the_given_share(noise, build):
    source = LabelSource(5, Label(source="noised", noise=noise)).train()
    gold = torch.full((400, 50), 2)
    read = source(gold, None)
    assert float((read != gold).float().mean()) == pytest.approx(noise * 4 / 5, abs=0.02)
    assert (read >= 0).all() and (read < 5).all()


@pytest.mark.parametrize("form", ["paper", "kendall", "log1p"])
def test_every_form_of_uncertainty_trains_its_variances(form, build, batch):
    model, settings = build({"uw.form": form})
    joint = JointLoss(model.loss_names, settings)
    joint(model.losses(model.inputs(batch), batch)).backward()
    assert all(joint.log_variance[name].grad for name in model.loss_names)


def test_a_loss_of_weight_zero_trains_nothing(build, batch):
    model, settings = build({"uw.enabled": False, "loss.first": 0.0, "loss.second": 0.0})
    JointLoss(model.loss_names, settings)(model.losses(model.inputs(batch), batch)).backward()
    crfs = [value.grad for crf in (model.first_crf, model.second_crf) for value in crf.parameters()]
    assert all(gradient is None or not gradient.any() for gradient in crfs)
    assert model.relations.V.grad.any()


@pytest.mark.parametrize("targets", ["all", "word_char"])
def test_the_perturbed_inputs_are_those_of_the_setting_and_never_the_padding(targets, build, batch):
    model, settings = build({"at.targets": targets})
    x = model.inputs(batch).detach().requires_grad_()
    sum(model.losses(x, batch).values()).backward()
    eta = perturbation(x.grad, model.inputs.static_size, settings.at)
    assert bool(eta[..., 14:].any()) is (targets == "all") and eta[..., :14].any()
    assert not eta[~inside(batch)].any()
