"""Both architectures: what they give, that padding is invisible, and that every switch changes what it says."""

import dataclasses
import math

import pytest
import torch
from small import ARCHITECTURES, inside, losses, small
from stepping import step

from cman.features.batch import EncodedDocuments
from cman.features.vocabulary import Vocabulary
from cman.model.build import build_model


@ARCHITECTURES
def test_losses_are_finite_positive_and_named_as_the_model_says(architecture, build, batch):
    model, _ = build({"architecture": architecture})
    found = losses(model, batch)
    assert tuple(found) == model.loss_names == (("first",) if architecture == "cman" else ()) + ("second", "rel")
    assert all(value.dim() == 0 and math.isfinite(value) and value > 0 for value in found.values())


@ARCHITECTURES
def test_predictions_have_the_documented_shapes_and_ranges(architecture, build, batch, vocabulary):
    model, _ = build({"architecture": architecture})
    with torch.no_grad():
        prediction = model.predict(batch)
    count, longest = batch.words.shape
    mask = inside(batch)
    assert (prediction.second_tags is None) == (architecture == "multihead")
    for tags in (prediction.tags, prediction.second_tags):
        if tags is None:
            continue
        assert tags.shape == (count, longest)
        assert (tags[~mask] == -1).all() and (tags[mask] >= 0).all() and (tags[mask] < len(vocabulary.tags)).all()
    assert prediction.labels.shape == (count, longest) and (prediction.labels >= 0).all()
    sentence, head, tail, label = prediction.links.cells.unbind(1)
    inside_entities = prediction.tags > 0
    assert inside_entities[sentence, head].all() and inside_entities[sentence, tail].all()
    assert (label >= 0).all() and (label < len(vocabulary.relations)).all()
    assert (prediction.links.probabilities > 0.5).all() and (prediction.links.probabilities <= 1).all()
    assert prediction.potentials.emissions.shape == (count, longest, len(vocabulary.tags))


@ARCHITECTURES
@pytest.mark.parametrize("kind", ["bilstm", "gru", "mlp"])
def test_a_batch_gives_the_mean_loss_and_the_predictions_of_its_sentences(architecture, kind, build, batch, encode):
    model, _ = build({"architecture": architecture, "lstm.kind": kind, "rel.prior": None})
    encoded, total = encode(), dict.fromkeys(model.loss_names, 0.0)
    with torch.no_grad():
        together = model.predict(batch)
    for place, n in enumerate(batch.lengths.tolist()):
        alone = encoded.batch([place])
        for name, value in losses(model, alone).items():
            total[name] += float(value) / len(batch.lengths)
        with torch.no_grad():
            prediction = model.predict(alone)
        assert prediction.tags[0, :n].tolist() == together.tags[place, :n].tolist()
        assert prediction.labels[0, :n].tolist() == together.labels[place, :n].tolist()
        mine = together.links.cells[:, 0] == place
        assert torch.equal(prediction.links.cells[:, 1:], together.links.cells[mine, 1:])
        torch.testing.assert_close(
            prediction.links.probabilities, together.links.probabilities[mine], rtol=0, atol=1e-5
        )
    for name, value in losses(model, batch).items():
        assert float(value) == pytest.approx(total[name], rel=1e-4)


@ARCHITECTURES
def test_what_stands_in_a_batchs_padding_changes_neither_losses_nor_gradients(architecture, build, batch):
    outside = ~inside(batch)
    words, forms, contextual = batch.words.clone(), batch.forms.clone(), batch.contextual.clone()
    words[outside], forms[outside], contextual[outside] = 3, 2, 1e4
    dirty = dataclasses.replace(batch, words=words, forms=forms, contextual=contextual)
    results = []
    for each in (batch, dirty):
        model, _ = build({"architecture": architecture})
        found = model.losses(model.inputs(each), each)
        sum(found.values()).backward()
        gradients = [value.grad for value in model.parameters() if value.grad is not None]
        results.append([torch.stack(list(found.values())).detach(), *gradients])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@ARCHITECTURES
def test_predictions_do_not_read_gold_annotations(architecture, build, batch, vocabulary):
    model, _ = build({"architecture": architecture})
    blind = dataclasses.replace(batch, tags=torch.zeros_like(batch.tags), relations=batch.relations[:0])
    with torch.no_grad():
        first, second = model.predict(batch), model.predict(blind)
    assert torch.equal(first.tags, second.tags) and torch.equal(first.links.cells, second.links.cells)


@ARCHITECTURES
def test_a_batch_without_relations_has_a_relation_loss(architecture, build, encode):
    model, _ = build({"architecture": architecture})
    assert math.isfinite(losses(model, encode().batch([3, 4]))["rel"])


@ARCHITECTURES
@pytest.mark.parametrize(
    "changes",
    [{"rel.null_class": null_class, **changes} for null_class in (True, False)
     for changes in ({}, {"rel.params": "per_relation"}, {"rel.loss_reduction": "mean"})],
    ids=str,
)  # fmt: skip
def test_a_corpus_without_any_relation_can_be_trained_on(architecture, changes, corpus):
    documents = [dataclasses.replace(document, relations=()) for document in corpus]
    vocabulary = Vocabulary.of(documents)
    settings = small(changes | {"architecture": architecture, "contextual.enabled": False})
    model = build_model(settings, vocabulary)
    assert math.isfinite(step(model, settings, EncodedDocuments(documents, vocabulary, None).batch(range(8))))
    with torch.no_grad():
        batch = EncodedDocuments(documents, vocabulary, None).batch([0])
        assert len(model.eval().predict(batch).links.cells) == 0


def test_a_model_of_contextual_features_refuses_a_batch_without_them(build, encode):
    model, _ = build()
    with pytest.raises(ValueError, match="needs contextual features"):
        model.inputs(encode(contextual=False).batch([0]))
