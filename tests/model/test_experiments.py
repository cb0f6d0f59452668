"""The experiments of the paper train and differ from CMAN only where they say; a model can learn by heart."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from stepping import step
from torch import Tensor

from cman.config.configuration import changed
from cman.config.experiments import EXPERIMENTS, SHARES
from cman.config.settings import Settings
from cman.evaluation.counts import strict_counts
from cman.features.batch import Batch
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.vocabulary import Vocabulary
from cman.model.build import build_model
from cman.model.decode import Dropped, decode_batch
from cman.model.losses import JointLoss
from cman.training.step import make_optimiser, training_step
from tests.features.tiny_bert import bert

Shapes = dict[str, tuple[int, ...]]


def shapes(model: torch.nn.Module) -> Shapes:
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def difference(before: Shapes, after: Shapes) -> set[str]:
    return {name for name in before | after if before.get(name) != after.get(name)}


def losses(model: Any, batch: Batch) -> dict[str, Tensor]:
    with torch.no_grad():
        return model.losses(model.inputs(batch), batch)


STACKED = r"(bsa\.\d|interaction(\.bla\d\.encoder)?)\.recurrent\..*"
EXPERIMENT_CHANGES = {
    "cman": None,
    "cman-static": r"inputs\.mix\..*|bsa\.0\.recurrent\..*weight_ih_l0",
    "cman-encoded-label": r"interaction\.bla\d\.gate\..*",
    "cman-lstm": STACKED,
    "cman-gru": STACKED,
    "cman-bigru": STACKED,
    "cman-mlp": STACKED,
    "cman-no-self-attention": r"bsa\.\d\.attention\..*",
    "cman-no-bla": r"interaction\..*",
    "cman-no-attention": r"interaction\..*|bsa\.\d\.attention\..*",
    "cman-no-uncertainty": None,
    "cman-separate": r"second_bsa\..*",
    **{f"cman@{share}": None for share in SHARES},
    "cman-ijcai": r"second_crf\..*|interaction\.bla\d\.gate\..*",
    "cman-finetuned": r"inputs\.encoder\..*",
    "cman-one-phase": r"second_crf\..*",
    "cman-predicted": None,
    "cman-scheduled": None,
}
LOSSES = {"cman-no-uncertainty": 0, "cman-ijcai": 0, "cman-one-phase": 2}


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    bert(folder, hidden_size=6)
    return folder


@pytest.fixture(scope="module")
def full_size(vocabulary: Vocabulary, tiny_encoder: Path) -> Callable[[str], tuple[Any, Settings]]:
    def made(experiment: str) -> tuple[Any, Settings]:
        settings = changed(Settings(), [(EXPERIMENTS[experiment].changes, experiment)])
        contextual = (3, 6) if settings.contextual.enabled else None
        tuned = TransformerEncoder(tiny_encoder, "tiny") if settings.encoder.trainable else None
        return build_model(settings, vocabulary, None, contextual, tuned), settings

    return made


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_trains_a_few_steps_and_predicts(experiment, full_size, encode):
    model, settings = full_size(experiment)
    pieces = None if model.inputs.encoder is None else model.inputs.encoder.pieces
    few = encode(contextual=settings.contextual.enabled, pieces=pieces).batch([0, 3, 4])
    totals = [step(model, settings, few) for _ in range(3)]
    assert all(math.isfinite(total) for total in totals) and totals[-1] < totals[0]
    with torch.no_grad():
        assert torch.isfinite(model.eval().predict(few).links.probabilities).all()


def test_every_experiment_of_the_paper_is_looked_at():
    assert {name for name in EXPERIMENTS if not name.startswith("multihead")} == set(EXPERIMENT_CHANGES)


@pytest.mark.parametrize("experiment", EXPERIMENT_CHANGES)
def test_an_experiment_differs_from_cman_only_where_it_says(experiment, full_size):
    pattern = EXPERIMENT_CHANGES[experiment]
    (base, _), (other, settings) = full_size("cman"), full_size(experiment)
    changed_names = difference(shapes(base), shapes(other))
    if pattern is None:
        assert changed_names == set()
    else:
        assert changed_names and {name for name in changed_names if not re.fullmatch(pattern, name)} == set()
    uncertainty = len(list(JointLoss(other.loss_names, settings).parameters()))
    assert uncertainty == LOSSES.get(experiment, 3)


@pytest.mark.parametrize("kind", ["lstm", "gru", "bigru", "mlp"])
def test_other_recurrent_units_keep_the_width_of_the_model(kind, full_size, encode):
    model, _ = full_size(f"cman-{kind}")
    few = encode().batch([0, 1])
    widths: list[int] = []
    for unit in model.bsa:
        unit.register_forward_hook(lambda _, given, result: widths.append(result.shape[2]))
    losses(model, few)
    assert widths == [256, 256]


def test_the_baselines_differ_only_in_inputs_and_training(full_size):
    plain, adversarial, contextual = (full_size(name) for name in ("multihead", "multihead-at", "multihead-contextual"))
    assert shapes(plain[0]) == shapes(adversarial[0])
    assert not plain[1].at.enabled and adversarial[1].at.enabled and contextual[1].at.enabled
    changed_names = difference(shapes(plain[0]), shapes(contextual[0]))
    assert {name for name in changed_names if not re.fullmatch(r"inputs\..*|stack\.0\..*weight_ih_l0", name)} == set()
    assert plain[0].stack[0].forwards.hidden_size == 64 and len(plain[0].stack) == 3


@pytest.mark.parametrize(
    ("architecture", "source"), [("cman", "gold"), ("cman", "predicted"), ("multihead", "gold")], ids=str
)
def test_a_model_learns_eight_sentences_by_heart(architecture, source, build, encode, corpus, vocabulary):
    changes = {"architecture": architecture, "label.source": source, "dropout.inputs": 0.0, "dropout.recurrent": 0.0}
    changes |= {"word.unknown_rate": 0.0, "lstm.hidden": 16, "rel.hidden": 16}
    model, settings = build(changes | {"at.enabled": False, "training.lr": 0.01})
    joint = JointLoss(model.loss_names, settings)
    optimiser = make_optimiser(model, joint, settings)
    batch = encode().batch(range(8))
    for _ in range(250):
        training_step(model.train(), joint, optimiser, batch, settings)
        with torch.no_grad():
            prediction = model.eval().predict(batch)
        found = decode_batch(
            prediction,
            corpus,
            batch.lengths,
            vocabulary,
            model.reported_crf,
            settings.rel,
            Dropped(),
            with_scores=False,
        )
        entities, relations = strict_counts(corpus, found)
        if entities.f1 == relations.f1 == 1.0:
            break
    assert (entities.f1, relations.f1) == (1.0, 1.0)
