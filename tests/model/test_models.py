"""Both architectures: what they give, that padding is invisible, and that every switch changes what it says."""

import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from cman.config import changed
from cman.corpora.bio import entities_of, tags_of
from cman.evaluation.counts import strict_counts
from cman.experiments import EXPERIMENTS
from cman.features.batch import Batch, EncodedDocuments
from cman.features.vocabulary import Vocabulary
from cman.model.adversarial import perturbation
from cman.model.build import build_model
from cman.model.decode import Dropped, decode_batch
from cman.model.labels import LabelSource
from cman.model.losses import JointLoss
from cman.settings import Label, Settings

ARCHITECTURES = pytest.mark.parametrize("architecture", ["cman", "multihead"])
Shapes = dict[str, tuple[int, ...]]


def shapes(model: torch.nn.Module) -> Shapes:
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def difference(before: Shapes, after: Shapes) -> set[str]:
    return {name for name in before | after if before.get(name) != after.get(name)}


def step(model: Any, settings: Settings, batch: Batch) -> float:
    """One adversarial training step, as the training loop makes it; return the joint loss."""
    model.train()
    joint = JointLoss(model.loss_names, settings)
    trained = [parameter for parameter in (*model.parameters(), *joint.parameters()) if parameter.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=1e-3)
    x = model.inputs(batch)
    clean = x.detach().requires_grad_()
    total = joint(model.losses(clean, batch))
    total.backward()
    eta = perturbation(clean.grad, model.inputs.static_size, settings.at)
    noisy = (x.detach() + eta).requires_grad_()
    joint(model.losses(noisy, batch), regularise=False).backward()
    x.backward(clean.grad + noisy.grad)
    optimiser.step()
    joint.hold_bounds()
    return float(total.detach())


def losses(model: Any, batch: Batch) -> dict[str, Tensor]:
    with torch.no_grad():
        return model.losses(model.inputs(batch), batch)


def labels_read(model: Any, batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return the labels that the second phase read and the first phase's tags, if it decoded any."""
    seen: list[tuple[Tensor, Tensor | None]] = []
    hook = model.labels.register_forward_hook(lambda _, given, result: seen.append((result, given[1])))
    losses(model, batch)
    hook.remove()
    return seen[0]


def inside(batch: Batch) -> Tensor:
    return torch.arange(batch.words.shape[1]) < batch.lengths.unsqueeze(1)


# ---- what the models give


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
    for tags in (prediction.tags, prediction.second_tags):
        assert tags.shape == (count, longest)
        assert (tags[~mask] == -1).all() and (tags[mask] >= 0).all() and (tags[mask] < len(vocabulary.tags)).all()
    assert prediction.labels.shape == (count, longest) and (prediction.labels >= 0).all()
    assert prediction.relations.shape == (count, longest, longest, len(vocabulary.relations))
    assert not prediction.relations[~mask].any() and (prediction.relations <= 1).all()
    assert not prediction.relations.transpose(1, 2)[~mask].any()
    assert (prediction.relations[mask].flatten() >= 0).all()
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
        torch.testing.assert_close(
            prediction.relations[0, :n, :n], together.relations[place, :n, :n], rtol=0, atol=1e-5
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
    assert torch.equal(first.tags, second.tags) and torch.equal(first.relations, second.relations)


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
def test_a_corpus_without_any_relation_can_be_trained_on(architecture, changes, small, corpus):
    documents = [dataclasses.replace(document, relations=()) for document in corpus]
    vocabulary = Vocabulary.of(documents)
    settings = small(**changes, **{"architecture": architecture, "contextual.enabled": False})
    model = build_model(settings, vocabulary)
    assert math.isfinite(step(model, settings, EncodedDocuments(documents, vocabulary, None).batch(range(8))))
    with torch.no_grad():
        assert model.eval().predict(EncodedDocuments(documents, vocabulary, None).batch([0])).relations.shape[3] == 0


def test_a_model_of_contextual_features_refuses_a_batch_without_them(build, encode):
    model, _ = build()
    with pytest.raises(ValueError, match="needs contextual features"):
        model.inputs(encode(contextual=False).batch([0]))


# ---- switches: which parameters they add, remove or reshape, and what they change when none

PARAMETER_SWITCHES = {
    "crf.potential pairwise": (
        {"crf.potential": "pairwise"}, r"(first|second)_crf\.(pairwise\.(weight|bias)|transitions)"),
    "crf.emission_hidden": (
        {"crf.emission_hidden": 6}, r"(first|second)_crf\.(hidden\.0\.(weight|bias)|emission\.weight)"),
    "crf.boundary": ({"crf.boundary": True}, r"(first|second)_crf\.(start|end)"),
    "rel.hidden": ({"rel.hidden": 9}, r"relations\.(head\.weight|head\.bias|tail\.weight|V)"),
    "rel.params": ({"rel.params": "per_relation"}, r"relations\.(head\.weight|head\.bias|tail\.weight)"),
    "rel.null_class": ({"rel.null_class": not Settings().rel.null_class}, r"relations\.(V|bias)"),
    "rel.prior": ({"rel.prior": None}, r"relations\.bias"),
    "gate.kind scalar": (
        {"gate.kind": "scalar"}, r"interaction\.bla[12]\.gate\.(tokens\.weight|labels\.(weight|bias))"),
    "gate.kind none": ({"gate.kind": "none"}, r"interaction\.bla[12]\.gate\.(tokens\.weight|labels\.(weight|bias))"),
    "gate.shared": ({"gate.shared": True}, r"interaction\.bla2\.gate\.(tokens\.weight|labels\.(weight|bias))"),
    "attn.residual_proj": (
        {"attn.residual_proj": "always"}, r"(bsa\.[01]|interaction\.bla[12])\.attention\.residual\.weight"),
    "bsa.share": ({"bsa.share": False}, r"second_bsa\.[01]\..*"),
    "bsa.units": ({"bsa.units": 3}, r"bsa\.2\..*"),
    "bsa.self_attention": ({"bsa.self_attention": False}, r"bsa\.[01]\.attention\..*"),
    "bla.enabled": ({"bla.enabled": False}, r"interaction\..*"),
    "bla.share_label_lstm": ({"bla.share_label_lstm": True}, r"interaction\.bla2\.encoder\..*"),
    "label.emb": ({"label.emb": 6}, r"interaction\.(embedding\.weight|bla[12]\.encoder\.recurrent\..*weight_ih_l0)"),
    "lstm.kind lstm": ({"lstm.kind": "lstm"}, r"(bsa\.[01]|interaction(\.bla[12]\.encoder)?)\.recurrent\..*"),
    "lstm.kind gru": ({"lstm.kind": "gru"}, r"(bsa\.[01]|interaction(\.bla[12]\.encoder)?)\.recurrent\..*"),
    "lstm.kind bigru": ({"lstm.kind": "bigru"}, r"(bsa\.[01]|interaction(\.bla[12]\.encoder)?)\.recurrent\..*"),
    "lstm.kind mlp": ({"lstm.kind": "mlp"}, r"(bsa\.[01]|interaction(\.bla[12]\.encoder)?)\.recurrent\..*"),
    "contextual.mix mean": ({"contextual.mix": "mean"}, r"inputs\.mix\.(weights|gamma)"),
    "contextual.mix top": ({"contextual.mix": "top"}, r"inputs\.mix\.(weights|gamma)"),
    "contextual.enabled": (
        {"contextual.enabled": False}, r"inputs\.mix\.(weights|gamma)|bsa\.0\.recurrent\..*\.weight_ih_l0"),
    "char.enabled": ({"char.enabled": False}, r"inputs\.chars\..*|bsa\.0\.recurrent\..*\.weight_ih_l0"),
    "char.hidden": ({"char.hidden": 4}, r"inputs\.chars\.recurrent\..*|bsa\.0\.recurrent\..*\.weight_ih_l0"),
    "word.dim": ({"word.dim": 9}, r"inputs\.word\.weight|bsa\.0\.recurrent\..*\.weight_ih_l0"),
}  # fmt: skip

# Each form of these leaves the parameters as they are and changes one of the two outputs with the same weights.
OUTPUT_SWITCHES = {
    "gate.source": ({"gate.source": "query"}, {"second", "rel"}),
    "attn.scale": ({"attn.scale": "full"}, {"first", "second", "rel"}),
    "attn.heads": ({"attn.heads": 2}, {"first", "second", "rel"}),
    "rel.pos_weight": ({"rel.pos_weight": 3.0}, {"rel"}),
    "rel.loss_reduction": ({"rel.loss_reduction": "mean"}, {"rel"}),
}


@pytest.mark.parametrize("name", PARAMETER_SWITCHES)
def test_a_switch_adds_removes_or_reshapes_exactly_the_parameters_it_is_about(name, build, encode):
    changes, pattern = PARAMETER_SWITCHES[name]
    changed_names = difference(shapes(build()[0]), shapes(build(changes)[0]))
    assert changed_names
    assert {each for each in changed_names if not re.fullmatch(pattern, each)} == set()


@pytest.mark.parametrize("name", OUTPUT_SWITCHES)
def test_a_switch_without_parameters_changes_exactly_the_losses_it_is_about(name, build, batch):
    changes, expected = OUTPUT_SWITCHES[name]
    (base, _), (other, _) = build(), build(changes)
    assert shapes(base) == shapes(other)
    # A freshly drawn gate hardly depends on what opens it; large weights make the sources distinguishable.
    for model in (base, other):
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.data *= 2
    other.load_state_dict(base.state_dict())
    before, after = losses(base, batch), losses(other, batch)
    assert {each for each in before if abs(float(before[each] - after[each])) > 1e-6} == expected


@pytest.mark.parametrize("name", [*PARAMETER_SWITCHES, *OUTPUT_SWITCHES])
def test_one_optimiser_step_works_with_every_switch(name, build, batch, encode):
    changes = (PARAMETER_SWITCHES | OUTPUT_SWITCHES)[name][0]
    model, settings = build(changes)
    before = {key: value.clone() for key, value in model.named_parameters()}
    assert math.isfinite(step(model, settings, batch))
    moved = {key for key, value in model.named_parameters() if not torch.equal(value, before[key])}
    unmoved = {key for key, value in model.named_parameters() if value.requires_grad} - moved
    # All of a pairwise CRF's tag scores but the first token's are unused, yet its weights still move.
    assert unmoved == set()
    assert all(torch.isfinite(value).all() for value in model.parameters())


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
        probabilities = model.predict(batch).relations
    assert torch.allclose(probabilities[0, :3, :3], torch.tensor(0.01))


@pytest.mark.parametrize("weight", [1.0, 4.0])
@pytest.mark.parametrize("null_class", [True, False])
def test_the_relation_loss_is_the_weighted_binary_cross_entropy_over_all_cells(null_class, weight, build, batch):
    model, _ = build({"rel.null_class": null_class, "rel.pos_weight": weight})
    x = torch.randn(*batch.words.shape, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores, found = model.relations.scores(x, batch.lengths), model.relations.loss(x, batch)
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
        assert float(found[sentence]) == pytest.approx(expected, rel=1e-4)


def test_the_null_class_is_never_decoded(build, batch, vocabulary):
    model, _ = build({"rel.null_class": True})
    assert (
        model.relations.scores(torch.zeros(*batch.words.shape, 16), batch.lengths).shape[3]
        == len(vocabulary.relations) + 1
    )
    with torch.no_grad():
        assert model.predict(batch).relations.shape[3] == len(vocabulary.relations)


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
        model, _ = build(
            {"ner.report": phase, "dropout.inputs": 0.0, "dropout.recurrent": 0.0, "word.unknown_rate": 0.0}
        )
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


# ---- inputs


def test_scalar_mix_starts_as_the_mean_and_the_top_is_the_last_layer(build, batch):
    parts = {
        kind: build({"contextual.mix": kind})[0].inputs.mix(batch.contextual) for kind in ("scalar", "mean", "top")
    }
    torch.testing.assert_close(parts["scalar"], parts["mean"])
    torch.testing.assert_close(parts["mean"], batch.contextual.float().mean(2))
    assert torch.equal(parts["top"], batch.contextual[:, :, -1].float())
    assert all(part.dtype == torch.float32 for part in parts.values())


def test_the_representation_joins_words_characters_and_features_in_that_order(build, batch):
    model, _ = build()
    x = model.inputs(batch)
    assert x.shape[2] == model.inputs.size == 8 + 6 + 6 and model.inputs.static_size == 14
    assert torch.equal(x[..., :8], model.inputs.word(batch.words))
    assert torch.equal(x[..., 8:14], model.inputs.chars(batch.chars)[batch.forms])
    assert torch.equal(x[..., 14:], model.inputs.mix(batch.contextual))


def test_a_words_characters_are_read_alike_whatever_the_batch(build, batch, encode):
    model, _ = build()
    for place, n in enumerate(batch.lengths.tolist()):
        alone = encode().batch([place])
        torch.testing.assert_close(model.inputs(alone)[0, :n], model.inputs(batch)[place, :n])


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


# ---- the labels of the second phase


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


# ---- weights of the losses and perturbed inputs


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


# ---- experiments

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
}


@pytest.fixture(scope="module")
def full_size(vocabulary: Vocabulary) -> Callable[[str], tuple[Any, Settings]]:
    def made(experiment: str) -> tuple[Any, Settings]:
        settings = changed(Settings(), [(EXPERIMENTS[experiment].changes, experiment)])
        contextual = (3, 6) if settings.contextual.enabled else None
        return build_model(settings, vocabulary, None, contextual), settings

    return made


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_trains_a_step_and_predicts(experiment, full_size, encode):
    model, settings = full_size(experiment)
    few = encode(contextual=settings.contextual.enabled).batch([0, 3, 4])
    assert math.isfinite(step(model, settings, few))
    with torch.no_grad():
        assert torch.isfinite(model.eval().predict(few).relations).all()


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
    assert uncertainty == (0 if experiment == "cman-no-uncertainty" else 3)


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


# ---- learning


@pytest.mark.parametrize(
    ("architecture", "source"), [("cman", "gold"), ("cman", "predicted"), ("multihead", "gold")], ids=str
)
def test_a_model_learns_eight_sentences_by_heart(architecture, source, build, encode, corpus, vocabulary):
    changes = {"architecture": architecture, "label.source": source, "dropout.inputs": 0.0, "dropout.recurrent": 0.0}
    changes |= {"word.unknown_rate": 0.0, "lstm.hidden": 16, "rel.hidden": 16}
    model, settings = build(changes)
    joint = JointLoss(model.loss_names, settings)
    trained = [value for value in (*model.parameters(), *joint.parameters()) if value.requires_grad]
    optimiser = torch.optim.Adam(trained, lr=0.01)
    batch = encode().batch(range(8))
    for _ in range(250):
        model.train()
        optimiser.zero_grad()
        joint(model.losses(model.inputs(batch), batch)).backward()
        optimiser.step()
        joint.hold_bounds()
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
