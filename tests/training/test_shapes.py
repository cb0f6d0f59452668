"""Batches padded to few shapes, which a GPU's recorded steps read: nothing that is trained changes by it."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import CONTEXTUAL, small

from cman.corpora.document import Document, Entity, Relation
from cman.features.batch import EncodedDocuments
from cman.features.vocabulary import Vocabulary
from cman.model.build import build_model
from cman.model.losses import JointLoss
from cman.training.batches import TrainingBatches
from cman.training.graphs import recordable
from cman.training.shapes import LONG, MARGIN, RUNGS, Shape, ladder, padded, shape_of
from cman.training.step import add_gradients
from tests.model.conftest import RandomFeatures

QUIET = {"dropout.inputs": 0.0, "dropout.recurrent": 0.0, "word.unknown_rate": 0.0, "contextual.enabled": False}


def documents(count, seed, longest=30):
    draw = random.Random(seed)
    made = []
    for number in range(count):
        tokens = tuple("x" * draw.randint(1, 14) + str(draw.randint(0, 50)) for _ in range(draw.randint(2, longest)))
        related = (Relation("r", 0, 1),) if draw.random() < 0.8 else ()
        made.append(Document(str(number), tokens, (Entity("A", 0, 1), Entity("B", 1, 2)), related))
    return made


def encoded(made, features=None):
    return EncodedDocuments(made, Vocabulary.of(made), features)


def gradients(settings, vocabulary, batch):
    torch.manual_seed(1)
    contextual = CONTEXTUAL if settings.contextual.enabled else None
    model = build_model(settings, vocabulary, contextual=contextual).train()
    joint = JointLoss(model.loss_names, settings)
    passes = add_gradients(model, joint, batch, settings)
    named = [*model.named_parameters(), *joint.named_parameters()]
    return passes, {name: each.grad for name, each in named if each.grad is not None}


@pytest.mark.parametrize(
    "changes",
    [{"at.enabled": True}, {"at.enabled": False}, {"lstm.kind": "gru"}, {"rel.loss_reduction": "mean"},
     {"label.source": "predicted"}, {"contextual.enabled": True}, {"architecture": "multihead"}, {"ner.phases": 1}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("more", [Shape(0, 0, 0, 0, 0), Shape(4, 0, 32, 6, 1), Shape(20, 64, 3, 0, 9)], ids=str)
def test_losses_and_gradients_are_those_of_the_batch_itself(changes, more):
    settings, made = small(QUIET | changes), documents(4, 3)
    held = encoded(made, RandomFeatures(made) if settings.contextual.enabled else None)
    batch = held.batch(range(4))
    own = shape_of(batch)
    names = own.__dataclass_fields__
    larger = Shape(**{name: max(getattr(own, name) + getattr(more, name), 1) for name in names})
    plain, expected = gradients(settings, held.vocabulary, batch)
    passes, found = gradients(settings, held.vocabulary, padded(batch, larger))
    for one, other in zip(passes, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert expected and found.keys() == expected.keys()
    for name, each in expected.items():
        torch.testing.assert_close(found[name], each, rtol=1e-4, atol=1e-5 * float(1 + each.abs().max()), msg=name)


@given(st.integers(0, 1000), st.integers(1, 60))
def test_every_batch_that_a_ladder_is_made_of_fits_into_a_rung_and_no_rung_is_much_too_large(seed, count):
    batches = list(TrainingBatches(encoded(documents(count, seed)), 4, seed, shuffle=True))
    shapes = list(filter(None, map(shape_of, batches)))
    rungs = ladder(batches)
    assert len(rungs) <= RUNGS and [each.tokens for each in rungs] == sorted({each.tokens for each in rungs})
    assert all(any(rung.holds(shape) for rung in rungs) for shape in shapes)
    if shapes:
        assert rungs[-1].tokens == max(each.tokens for each in shapes)
        assert rungs[-1].short <= MARGIN * max(each.short for each in shapes) + 32
        assert rungs[0].long <= rungs[-1].long


def test_a_batch_without_a_relation_or_with_an_endless_word_has_no_shape():
    entities = (Entity("A", 0, 1), Entity("B", 1, 2))
    plain = Document("1", ("a", "b"), entities, (Relation("r", 0, 1),))
    lonely, endless = (
        Document("2", ("a", "b"), entities),
        Document("3", ("a", "b" * (LONG + 1)), entities, plain.relations),
    )
    held = encoded([plain, lonely, endless])
    assert shape_of(held.batch([0, 1])) == Shape(4, 2, 0, 0, 1)
    assert shape_of(held.batch([1])) is None and shape_of(held.batch([0, 2])) is None
    assert ladder([held.batch([1])]) == []


def test_nothing_is_recorded_on_a_cpu():
    assert not recordable(small(), torch.device("cpu"))
