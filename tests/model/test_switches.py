"""Every switch of the settings changes what it says and nothing else."""

import math
import re
from typing import Any

import pytest
import torch
from small import ARCHITECTURES, difference, inside, losses, shapes
from stepping import step
from torch import Tensor

from cman.config.settings import Settings
from cman.corpora.bio import entities_of, tags_of
from cman.features.batch import Batch

GATES = r"interaction\.bla[12]\.gate\.(tokens\.weight|labels\.(weight|bias))"
UNITS = r"(bsa\.[01]|interaction(\.bla[12]\.encoder)?)\.recurrent\..*"
MIX = r"inputs\.mix\.(weights|gamma)"
FIRST_LAYER = r"bsa\.0\.recurrent\..*\.weight_ih_l0"
# The parameters that each form adds, removes or reshapes.
PARAMETER_SWITCHES = [
    ("crf.potential", "pairwise", r"(first|second)_crf\.(pairwise\.(weight|bias)|transitions)"),
    ("crf.emission_hidden", 6, r"(first|second)_crf\.(hidden\.0\.(weight|bias)|emission\.weight)"),
    ("crf.boundary", True, r"(first|second)_crf\.(start|end)"),
    ("rel.hidden", 9, r"relations\.(head\.weight|head\.bias|tail\.weight|V)"),
    ("rel.params", "per_relation", r"relations\.(head\.weight|head\.bias|tail\.weight)"),
    ("rel.null_class", not Settings().rel.null_class, r"relations\.(V|bias)"),
    ("rel.prior", None, r"relations\.bias"),
    ("gate.kind", "scalar", GATES),
    ("gate.kind", "none", GATES),
    ("gate.shared", True, r"interaction\.bla2\.gate\.(tokens\.weight|labels\.(weight|bias))"),
    ("attn.residual_proj", "always", r"(bsa\.[01]|interaction\.bla[12])\.attention\.residual\.weight"),
    ("bsa.share", False, r"second_bsa\.[01]\..*"),
    ("bsa.units", 3, r"bsa\.2\..*"),
    ("bsa.self_attention", False, r"bsa\.[01]\.attention\..*"),
    ("bla.enabled", False, r"interaction\..*"),
    ("bla.share_label_lstm", True, r"interaction\.bla2\.encoder\..*"),
    ("label.emb", 6, r"interaction\.(embedding\.weight|bla[12]\.encoder\.recurrent\..*weight_ih_l0)"),
    *(("lstm.kind", kind, UNITS) for kind in ("lstm", "gru", "bigru", "mlp")),
    ("contextual.mix", "mean", MIX),
    ("contextual.mix", "top", MIX),
    ("contextual.enabled", False, f"{MIX}|{FIRST_LAYER}"),
    ("char.enabled", False, rf"inputs\.chars\..*|{FIRST_LAYER}"),
    ("char.hidden", 4, rf"inputs\.chars\.recurrent\..*|{FIRST_LAYER}"),
    ("word.dim", 9, rf"inputs\.word\.weight|{FIRST_LAYER}"),
]
# Each form of these leaves the parameters as they are and changes these losses with the same weights.
OUTPUT_SWITCHES = [
    ("gate.source", "query", ["rel", "second"]),
    ("attn.scale", "full", ["first", "rel", "second"]),
    ("attn.heads", 2, ["first", "rel", "second"]),
    ("rel.pos_weight", 3.0, ["rel"]),
    ("rel.loss_reduction", "mean", ["rel"]),
]


def one_step_moves_every_trained_parameter(model: Any, settings: Settings, batch: Batch) -> None:
    before = {name: value.clone() for name, value in model.named_parameters()}
    assert math.isfinite(step(model, settings, batch))
    # All of a pairwise CRF's tag scores but the first token's are unused, yet its weights still move.
    unmoved = [name for name, value in model.named_parameters() if torch.equal(value, before[name])]
    assert [name for name in unmoved if model.get_parameter(name).requires_grad] == []
    assert all(torch.isfinite(value).all() for value in model.parameters())


@pytest.mark.parametrize(("key", "value", "pattern"), PARAMETER_SWITCHES, ids=str)
def test_a_switch_changes_exactly_the_parameters_it_is_about_and_the_model_still_learns(
    key, value, pattern, build, batch
):
    model, settings = build({key: value})
    names = difference(shapes(build()[0]), shapes(model))
    assert names and [name for name in names if not re.fullmatch(pattern, name)] == []
    one_step_moves_every_trained_parameter(model, settings, batch)


@pytest.mark.parametrize(("key", "value", "expected"), OUTPUT_SWITCHES, ids=str)
def test_a_switch_without_parameters_changes_exactly_the_losses_it_is_about(key, value, expected, build, batch):
    (base, _), (other, settings) = build(), build({key: value})
    assert shapes(base) == shapes(other)
    # A freshly drawn gate hardly depends on what opens it; large weights make the sources distinguishable.
    for parameter in base.parameters():
        if parameter.dim() == 2:
            parameter.data *= 2
    other.load_state_dict(base.state_dict())
    before, after = losses(base, batch), losses(other, batch)
    assert sorted(name for name in before if abs(float(before[name] - after[name])) > 1e-6) == expected
    one_step_moves_every_trained_parameter(other, settings, batch)


def test_shared_modules_are_one_module(build):
    model, _ = build({"gate.shared": True, "bla.share_label_lstm": True})
    first, second = model.interaction.bla1, model.interaction.bla2
    assert first.gate is second.gate and first.encoder is second.encoder
    model, _ = build()
    first, second = model.interaction.bla1, model.interaction.bla2
    assert first.gate is not second.gate and first.encoder is not second.encoder


def test_only_the_second_unit_sees_the_difference_of_the_gate_sources(build, batch):
    """In the first unit the query is X^m itself."""
    seen: dict[str, list[Tensor]] = {"xm": [], "query": []}
    for source, outputs in seen.items():
        model, _ = build({"gate.source": source})
        for unit in (model.interaction.bla1, model.interaction.bla2):
            unit.register_forward_hook(lambda _, given, result, outputs=outputs: outputs.append(result))
        losses(model, batch)
    assert torch.equal(seen["xm"][0], seen["query"][0])
    assert not torch.equal(seen["xm"][1], seen["query"][1])


def test_mean_relation_loss_is_the_sum_over_the_number_of_cells(build, encode, vocabulary):
    one = encode().batch([0])
    forms = ({"rel.loss_reduction": each, "rel.null_class": True} for each in ("sum", "mean"))
    total, mean = (losses(build(changes)[0], one)["rel"] for changes in forms)
    cells = int(one.lengths[0]) ** 2 * (len(vocabulary.relations) + 1)
    assert float(total) == pytest.approx(float(mean) * cells, rel=1e-5)


def test_the_prior_is_the_initial_probability_of_a_relation(build, batch):
    model, _ = build({"rel.prior": 0.01})
    torch.nn.init.zeros_(model.relations.V)
    with torch.no_grad():
        x = torch.randn(*batch.words.shape, 16)
        probabilities = model.relations.scores(x, batch.lengths).sigmoid()
    assert torch.allclose(probabilities[0, :3, :3], torch.tensor(0.01))


@pytest.mark.parametrize("weight", [1.0, 4.0])
@pytest.mark.parametrize("null_class", [True, False])
def test_the_relation_loss_is_the_weighted_binary_cross_entropy_over_all_cells(null_class, weight, build, batch):
    model, _ = build({"rel.null_class": null_class, "rel.pos_weight": weight})
    x = torch.randn(*batch.words.shape, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores, loss = model.relations.scores(x, batch.lengths), model.relations.loss(x, batch)
    gold = {tuple(row) for row in batch.relations.tolist()}
    for sentence, n in enumerate(batch.lengths.tolist()):
        heads = {head for row, head, _, _ in gold if row == sentence}
        expected = 0.0
        for i in range(n):
            for j in range(n):
                for label in range(scores.shape[3]):
                    is_null = null_class and label == scores.shape[3] - 1
                    right = (i == j and i not in heads) if is_null else (sentence, i, j, label) in gold
                    probability = 1 / (1 + math.exp(-float(scores[sentence, i, j, label])))
                    expected -= weight * math.log(probability) if right else math.log(1 - probability)
        assert float(loss[sentence]) == pytest.approx(expected, rel=1e-4)


def test_the_null_class_is_never_decoded(build, batch, vocabulary):
    model, _ = build({"rel.null_class": True})
    zeros = torch.zeros(*batch.words.shape, 16)
    assert model.relations.scores(zeros, batch.lengths).shape[3] == len(vocabulary.relations) + 1
    with torch.no_grad():
        model.relations.bias.fill_(5.0)  # every class of every pair is above the threshold
        links = model.relations.links(zeros, batch.lengths, inside(batch).nonzero())
    assert links.cells[:, 3].unique().tolist() == list(range(len(vocabulary.relations)))
    assert len(links.cells) == int((batch.lengths**2).sum()) * len(vocabulary.relations)


def test_per_relation_parameters_with_equal_copies_score_like_shared_ones(build, batch):
    shared, _ = build()
    own, _ = build({"rel.params": "per_relation"})
    copies = own.relations.copies
    with torch.no_grad():
        own.relations.head.weight.copy_(shared.relations.head.weight.repeat(copies, 1))
        own.relations.head.bias.copy_(shared.relations.head.bias.repeat(copies))
        own.relations.tail.weight.copy_(shared.relations.tail.weight.repeat(copies, 1))
        own.relations.V.copy_(shared.relations.V)
        x = torch.randn(*batch.words.shape, 16)
        torch.testing.assert_close(own.relations.scores(x, batch.lengths), shared.relations.scores(x, batch.lengths))


@pytest.mark.parametrize("anchor", ["last", "first"])
def test_the_anchor_setting_moves_the_gold_cells(anchor, build, encode):
    """`Ada Lovelace lives in London`: the head's anchor is token 1 or 0, the tail's token 4."""
    one = encode(anchor=anchor).batch([0])
    assert one.relations[:, 1:3].tolist() == [[1 if anchor == "last" else 0, 4]]


@pytest.mark.parametrize("potential", ["linear", "pairwise"])
@ARCHITECTURES
def test_constrained_decoding_gives_only_valid_bio(architecture, potential, build, batch, vocabulary):
    def stray(model: Any) -> bool:
        with torch.no_grad():
            prediction = model.predict(batch)
        rows = zip(prediction.tags.tolist(), batch.lengths.tolist(), strict=True)
        spelled = [[vocabulary.tags[tag] for tag in row[:n]] for row, n in rows]
        return any(tags_of(entities_of(tags), len(tags), "") != tags for tags in spelled)

    changes = {"architecture": architecture, "crf.potential": potential}
    free, constrained = (build(changes | {"crf.constrain_bio": on})[0] for on in (False, True))
    for model in (free, constrained):
        crf = model.reported_crf
        (crf.emission if crf.pairwise is None else crf.pairwise).weight.data.mul_(20)
        crf.emission.bias.data[vocabulary.tag_ids["I-Loc"]] = 5
    assert stray(free) and not stray(constrained)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "training"])
def test_the_report_setting_chooses_the_phase_whose_entities_are_given(training, build, batch):
    results = {}
    for phase in ("first", "second"):
        plain = {"dropout.inputs": 0.0, "dropout.recurrent": 0.0, "word.unknown_rate": 0.0}
        model, _ = build(plain | {"ner.report": phase})
        with torch.no_grad():
            results[phase] = model.train(training).predict(batch)
        assert model.reported_crf is (model.first_crf if phase == "first" else model.second_crf)
        decoded = model.reported_crf.decode(results[phase].potentials, batch.lengths)
        assert torch.equal(results[phase].tags, decoded)
    assert torch.equal(results["first"].second_tags, results["second"].tags)
    assert not torch.equal(results["first"].potentials.emissions, results["second"].potentials.emissions)


def test_a_pairwise_potential_scores_pairs_alone_but_for_the_first_token(build, batch):
    model, _ = build({"crf.potential": "pairwise"})
    potentials = model.first_crf.potentials(torch.randn(2, 5, 16))
    assert potentials.transitions.shape == (2, 5, 5, 5)
    assert potentials.emissions[:, 0].any() and not potentials.emissions[:, 1:].any()


def test_scalar_mix_starts_as_the_mean_and_the_top_is_the_last_layer(build, batch):
    mixes = ("scalar", "mean", "top")
    mixed = {mix: build({"contextual.mix": mix})[0].inputs.mix(batch.contextual) for mix in mixes}
    torch.testing.assert_close(mixed["scalar"], mixed["mean"])
    torch.testing.assert_close(mixed["mean"], batch.contextual.float().mean(2))
    assert torch.equal(mixed["top"], batch.contextual[:, :, -1].float())
    assert all(value.dtype == torch.float32 for value in mixed.values())


def test_the_representation_joins_words_characters_and_features_in_that_order(build, batch):
    model, _ = build()
    x = model.inputs(batch)
    assert x.shape[2] == model.inputs.size == 8 + 6 + 6 and model.inputs.static_size == 14
    assert torch.equal(x[..., :8], model.inputs.word(batch.words))
    assert torch.equal(x[..., 8:14], model.inputs.chars(batch.chars, batch.groups)[batch.forms])
    assert torch.equal(x[..., 14:], model.inputs.mix(batch.contextual))


def test_a_words_characters_are_read_alike_whatever_the_batch(build, batch, encode):
    model, _ = build()
    for row, n in enumerate(batch.lengths.tolist()):
        alone = encode().batch([row])
        torch.testing.assert_close(model.inputs(alone)[0, :n], model.inputs(batch)[row, :n])


@pytest.mark.parametrize(
    ("vectors", "trainable", "trained"),
    [(False, None, True), (True, None, False), (False, False, False), (True, True, True)],
)
def test_word_vectors_are_frozen_or_trained_as_the_setting_says(vectors, trainable, trained, build, batch, vocabulary):
    given = torch.randn(len(vocabulary.words), 5) if vectors else None
    model, settings = build({"word.trainable": trainable}, given)
    before = model.inputs.word.weight.detach().clone()
    if vectors:
        assert torch.equal(before, given)
    step(model, settings, batch)
    assert model.inputs.word.weight.requires_grad is trained
    assert torch.equal(model.inputs.word.weight, before) is not trained
    assert not shapes(model).keys() ^ shapes(build()[0]).keys()


def test_once_seen_words_are_read_as_unknown_in_training_at_the_given_rate(build, batch, vocabulary):
    model, _ = build({"word.unknown_rate": 0.5, "char.enabled": False, "contextual.enabled": False})
    unknown = model.inputs.word.weight[0].detach()
    rare = torch.tensor([word in vocabulary.singletons for word in vocabulary.words])[batch.words] & inside(batch)
    torch.manual_seed(0)
    model.train()
    hits = sum((model.inputs(batch) == unknown).all(2) for _ in range(200)).float() / 200
    assert not hits[~rare & inside(batch)].any()
    assert 0.4 < float(hits[rare].mean()) < 0.6
    model.eval()
    assert not (model.inputs(batch) == unknown).all(2)[inside(batch)].any()
