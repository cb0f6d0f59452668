"""A saved model gives the same predictions when it is read back, and a damaged folder is refused in a sentence."""

import json
import re
from pathlib import Path

import pytest
import torch

from cman.errors import CmanError
from cman.fetch.models import EncoderSource
from cman.model.folder import ModelFolder

CHANGES = [
    {},
    {"architecture": "multihead"},
    {"gate.shared": True},
    {"bla.share_label_lstm": True},
    {"gate.shared": True, "bla.share_label_lstm": True},
    {"crf.potential": "pairwise", "crf.boundary": True, "crf.constrain_bio": True},
    {"bsa.share": False, "rel.params": "per_relation", "rel.null_class": True},
    {"lstm.kind": "gru", "char.enabled": False, "rel.prior": None},
    {"contextual.enabled": False, "bla.enabled": False},
]


@pytest.fixture
def folder_of(build, vocabulary):
    def made(changes: dict, vectors: torch.Tensor | None = None) -> ModelFolder:
        model, settings = build(changes, vectors)
        for value in model.parameters():  # away from the initial values, which loading could reproduce by chance
            value.data += 0.1 * torch.randn_like(value)
        encoder = EncoderSource(package="some_package", title="Some") if settings.contextual.enabled else None
        contextual = (3, 6) if settings.contextual.enabled else None
        return ModelFolder(model, vocabulary, settings, encoder, contextual, {"corpus": "tiny", "seed": 3})

    return made


def same_predictions(one, other, batch) -> None:
    with torch.no_grad():
        expected, found = one.eval().predict(batch), other.eval().predict(batch)
    assert torch.equal(found.tags, expected.tags)
    assert torch.equal(found.links.cells, expected.links.cells)
    assert torch.equal(found.links.probabilities, expected.links.probabilities)
    assert torch.equal(found.potentials.emissions, expected.potentials.emissions)


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_model_read_back_predicts_exactly_the_same(changes, folder_of, encode, tmp_path):
    folder = folder_of(changes)
    folder.save(tmp_path / "model")
    torch.manual_seed(99)
    again = ModelFolder.load(tmp_path / "model")
    batch = encode(contextual=folder.contextual is not None).batch(range(8))
    same_predictions(folder.model, again.model, batch)
    assert (again.settings, again.vocabulary, again.encoder) == (folder.settings, folder.vocabulary, folder.encoder)
    assert (again.contextual, again.trained_on) == (folder.contextual, {"corpus": "tiny", "seed": 3})
    assert not again.model.training


def test_shared_modules_are_still_shared_after_reading(folder_of, tmp_path):
    folder_of({"gate.shared": True, "bla.share_label_lstm": True}).save(tmp_path)
    interaction = ModelFolder.load(tmp_path).model.interaction
    assert interaction.bla1.gate is interaction.bla2.gate
    assert interaction.bla1.encoder is interaction.bla2.encoder


def test_pre_trained_vectors_are_among_the_weights(folder_of, vocabulary, encode, tmp_path):
    vectors = torch.randn(len(vocabulary.words), 11)
    folder = folder_of({"word.vectors": "some"}, vectors)
    folder.save(tmp_path)
    again = ModelFolder.load(tmp_path)
    assert torch.equal(again.model.inputs.word.weight, folder.model.inputs.word.weight)
    assert again.model.inputs.word.embedding_dim == 11
    same_predictions(folder.model, again.model, encode().batch([0, 1]))


def test_trained_and_frozen_parameters_are_the_same_after_reading(folder_of, vocabulary, tmp_path):
    folder = folder_of({"word.vectors": "some"}, torch.randn(len(vocabulary.words), 11))
    folder.save(tmp_path)
    again = ModelFolder.load(tmp_path)

    def trained(model: torch.nn.Module) -> list[str]:
        return [name for name, value in model.named_parameters() if value.requires_grad]

    assert trained(again.model) == trained(folder.model)


def test_the_folder_holds_three_plain_files_and_no_pickle(folder_of, tmp_path):
    folder_of({}).save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json", "model.safetensors", "vocabulary.json"]  # fmt: skip
    for path in (tmp_path / "model").iterdir():
        content = path.read_bytes()
        assert not content.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"))
    for name in ("config.json", "vocabulary.json"):
        json.loads((tmp_path / "model" / name).read_text(encoding="utf-8"))


def test_saving_twice_gives_the_same_files(folder_of, tmp_path):
    folder_of({}).save(tmp_path / "one")
    ModelFolder.load(tmp_path / "one").save(tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_saving_over_an_older_model_replaces_it(folder_of, encode, tmp_path):
    folder_of({"bsa.units": 3}).save(tmp_path)
    newer = folder_of({})
    newer.save(tmp_path)
    same_predictions(newer.model, ModelFolder.load(tmp_path).model, encode().batch([0]))


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "model.safetensors"])
def test_a_missing_file_is_named(name, folder_of, tmp_path):
    folder_of({}).save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CmanError, match=re.escape(str(tmp_path / name))):
        ModelFolder.load(tmp_path)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CmanError, match="nowhere"):
        ModelFolder.load(tmp_path / "nowhere")


@pytest.mark.parametrize("number", [0, 2, "1", None])
def test_another_format_number_is_refused(number, folder_of, tmp_path):
    folder_of({}).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"format": number}))
    with pytest.raises(CmanError, match=f"format: found {number!r}, wanted 1"):
        ModelFolder.load(tmp_path)


@pytest.mark.parametrize("text", ["[]", "7", "null", "{}", '{"format": 1}', "not json"])
def test_a_config_of_something_else_is_refused(text, folder_of, tmp_path):
    folder_of({}).save(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CmanError, match=re.escape(str(tmp_path))):
        ModelFolder.load(tmp_path)


@pytest.mark.parametrize("key", ["settings", "encoder", "contextual", "word_size", "trained_on"])
def test_a_config_without_a_key_is_refused(key, folder_of, vocabulary, tmp_path):
    folder_of({"word.vectors": "some"}, torch.randn(len(vocabulary.words), 11)).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config[key]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CmanError, match=key):
        ModelFolder.load(tmp_path)


@pytest.mark.parametrize(
    "value",
    [[], {}, {"words": 1, "chars": [], "tags": [], "relations": [], "singletons": []},
     {"words": ["a"], "chars": ["b"], "tags": [1], "relations": [], "singletons": []}],
    ids=str,
)  # fmt: skip
def test_a_vocabulary_of_something_else_is_refused(value, folder_of, tmp_path):
    folder_of({}).save(tmp_path)
    (tmp_path / "vocabulary.json").write_text(json.dumps(value))
    with pytest.raises(CmanError, match=re.escape(str(tmp_path))):
        ModelFolder.load(tmp_path)


@pytest.mark.parametrize("other", [{"architecture": "multihead"}, {"lstm.hidden": 16}, {"bsa.units": 3}], ids=str)
def test_weights_of_another_model_are_refused(other, folder_of, tmp_path):
    folder_of({}).save(tmp_path / "one")
    folder_of(other).save(tmp_path / "other")
    (tmp_path / "other" / "model.safetensors").replace(tmp_path / "one" / "model.safetensors")
    with pytest.raises(CmanError, match="does not hold this model's weights"):
        ModelFolder.load(tmp_path / "one")


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 64])
def test_damaged_weights_are_refused(content, folder_of, tmp_path):
    folder_of({}).save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CmanError, match=r"model\.safetensors"):
        ModelFolder.load(tmp_path)


def test_truncated_weights_are_refused(folder_of, tmp_path: Path):
    folder_of({}).save(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CmanError, match="does not hold this model's weights"):
        ModelFolder.load(tmp_path)


def test_settings_out_of_range_are_refused(folder_of, tmp_path):
    folder_of({}).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["settings"]["attn"]["heads"] = 3
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CmanError, match=r"attn\.heads"):
        ModelFolder.load(tmp_path)
