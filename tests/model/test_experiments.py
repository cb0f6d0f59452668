"""The experiments of the paper train and differ from CMAN only where they say; a model can learn by heart."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small import CONTEXTUAL, SMALL, difference, losses, shapes
from stepping import step

from cman.config.configuration import changed
from cman.config.experiments import EXPERIMENTS, SHARES
from cman.config.settings import Settings
from cman.evaluation.counts import strict_counts
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.vocabulary import Vocabulary
from cman.model.build import build_model
from cman.model.decode import Dropped, decode_batch
from cman.model.losses import JointLoss
from cman.training.step import make_optimiser, training_step
from tests.features.tiny_bert import bert

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
    "cman-as-printed": r"(first|second)_crf\..*|relations\..*",
    "cman-one-phase": r"second_crf\..*",
    "cman-predicted": None,
    "cman-scheduled": None,
    "cman-best": r"relations\..*",
}
LOSSES = {"cman-no-uncertainty": 0, "cman-best": 0, "cman-ijcai": 0, "cman-one-phase": 2}


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    bert(folder, hidden_size=6)
    return folder


@pytest.fixture(scope="module")
def model_of(vocabulary: Vocabulary, tiny_encoder: Path) -> Callable[..., tuple[Any, Settings]]:
    """(experiment, sizes) -> its model, small unless other sizes are given, and its settings."""

    def made(experiment: str, sizes: dict[str, Any] = SMALL) -> tuple[Any, Settings]:
        settings = changed(Settings(), [(sizes | EXPERIMENTS[experiment].changes, experiment)])
        contextual = CONTEXTUAL if settings.contextual.enabled else None
        tuned = TransformerEncoder(tiny_encoder, "tiny") if settings.encoder.trainable else None
        torch.manual_seed(0)
        return build_model(settings, vocabulary, None, contextual, tuned), settings

    return made


# Experiments with a share of the corpus have CMAN's own model.
@pytest.mark.parametrize("experiment", [name for name in EXPERIMENTS if "@" not in name])
def test_every_experiment_trains_a_few_steps_and_predicts(experiment, model_of, encode):
    model, settings = model_of(experiment)
    pieces = None if model.inputs.encoder is None else model.inputs.encoder.pieces
    few = encode(contextual=settings.contextual.enabled, pieces=pieces).batch([0, 3, 4])
    before = sum(losses(model.eval(), few).values())
    assert all(math.isfinite(step(model, settings, few)) for _ in range(4))
    assert sum(losses(model.eval(), few).values()) < before
    with torch.no_grad():
        assert torch.isfinite(model.eval().predict(few).links.probabilities).all()


def test_every_experiment_of_the_paper_is_looked_at():
    assert {name for name in EXPERIMENTS if not name.startswith("multihead")} == set(EXPERIMENT_CHANGES)


def test_an_experiment_differs_from_cman_only_where_it_says(model_of):
    base = shapes(model_of("cman")[0])
    for experiment, pattern in EXPERIMENT_CHANGES.items():
        model, settings = model_of(experiment)
        names = difference(base, shapes(model))
        assert bool(names) is (pattern is not None), experiment
        assert [name for name in names if not re.fullmatch(str(pattern), name)] == [], experiment
        uncertainty = len(list(JointLoss(model.loss_names, settings).parameters()))
        assert uncertainty == LOSSES.get(experiment, 3), experiment


def test_other_recurrent_units_keep_the_width_of_the_model(model_of, encode):
    few = encode().batch([0, 1])
    for kind in ("lstm", "gru", "bigru", "mlp"):
        model, _ = model_of(f"cman-{kind}")
        widths: list[int] = []
        for unit in model.bsa:
            unit.register_forward_hook(lambda _, given, result, widths=widths: widths.append(result.shape[2]))
        losses(model, few)
        assert widths == [16, 16], kind


def test_the_baselines_differ_only_in_inputs_and_training(model_of):
    names = ("multihead", "multihead-at", "multihead-contextual")
    plain, adversarial, contextual = (model_of(name, sizes={}) for name in names)
    assert shapes(plain[0]) == shapes(adversarial[0])
    assert not plain[1].at.enabled and adversarial[1].at.enabled and contextual[1].at.enabled
    changed_names = difference(shapes(plain[0]), shapes(contextual[0]))
    assert [name for name in changed_names if not re.fullmatch(r"inputs\..*|stack\.0\..*weight_ih_l0", name)] == []
    assert plain[0].stack[0].forwards.hidden_size == 64 and len(plain[0].stack) == 3


def test_the_readings_as_printed_and_as_published_are_what_they_say(model_of):
    printed, settings = model_of("cman-as-printed", sizes={})
    assert printed.relations.bias is None and printed.relations.copies == printed.relations.labels
    assert (settings.attn.scale, settings.crf.potential) == ("full", "pairwise")
    published, settings = model_of("multihead-as-published", sizes={})
    assert published.embedding is None and published.relations.bias is None
    assert len(published.relations.V) == published.relations.labels + 1  # the class N
    assert (settings.dropout.inputs, settings.dropout.recurrent) == (0.1, 0.1)


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
        crf, dropped = model.reported_crf, Dropped()
        predicted = decode_batch(
            prediction, corpus, batch.lengths, vocabulary, crf, settings.rel, dropped, with_scores=False
        )
        entities, relations = strict_counts(corpus, predicted)
        if entities.f1 == relations.f1 == 1.0:
            break
    assert (entities.f1, relations.f1) == (1.0, 1.0)
