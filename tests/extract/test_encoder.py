"""The frozen encoder that a model reads: it is the one that the model was trained with, wherever it stands."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from command_line import cman
from small import small
from untrained import DOCUMENT

from cman.corpora.document import write_documents
from cman.errors import CmanError, UsageError
from cman.extract.extractor import Extractor
from cman.features.frozen import open_encoder, write_cache
from cman.features.vocabulary import Vocabulary
from cman.fetch.models import EncoderSource
from cman.hashes import use_verification
from cman.layout import Layout
from cman.manifest import write_manifest
from cman.model.build import build_model
from cman.model.folder import ModelFolder
from tests.features.tiny_bert import bert
from tests.features.tiny_elmo import write_elmo

TEXT = " ".join(DOCUMENT.tokens)
CPU = torch.device("cpu")


def trained_with(source: EncoderSource, folder: Path) -> Path:
    """Write a model folder as a training with this frozen encoder does, and return it."""
    encoder = open_encoder(source, "some", CPU, Layout())
    contextual = encoder.layers, encoder.size
    settings = small({"contextual.encoder": "some"})
    vocabulary = Vocabulary.of([DOCUMENT])
    torch.manual_seed(1)
    model = build_model(settings, vocabulary, None, contextual)
    ModelFolder(model, vocabulary, settings, source, contextual, {}, identity=encoder.identity()).save(folder)
    return folder


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    bert(tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.fixture
def model(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a model whose encoder is given by a path relative to the current folder."""
    monkeypatch.chdir(tmp_path)
    return trained_with(EncoderSource(path=Path("encoder")), tmp_path / "model")


def damaged(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_another_encoder_is_refused_by_the_name_of_its_file_whether_it_computes_or_has_computed(model, encoder):
    write_documents(Path("in.jsonl"), [DOCUMENT])
    Extractor.load(model)(TEXT)
    damaged(encoder / "model.safetensors")
    with pytest.raises(CmanError, match=r"encoders\.some: model\.safetensors: found SHA-256 .* the model learned from"):
        Extractor.load(model)(TEXT)
    write_cache([DOCUMENT], open_encoder(EncoderSource(path=encoder), "some", CPU, Layout()), Path("features"))
    command = ("predict", "--model", model, "--input", "in.jsonl", "--output", "out.jsonl", "--device", "cpu")
    result = cman(*command, "--features", "features")
    assert result.status == 1 and "features: model.safetensors: found SHA-256" in result.error
    assert not Path("out.jsonl").exists()
    assert cman(*command, "--no-verify").status == 0
    use_verification(True)


@pytest.mark.parametrize("change", ["a file less", "a file more", "an option"])
def test_a_file_less_or_more_and_another_option_are_named(model, encoder, change):
    if change == "a file less":
        (encoder / "tokenizer_config.json").unlink()
    elif change == "a file more":
        (encoder / "added_tokens.json").write_text("{}")
    else:
        config = json.loads((model / "config.json").read_text())
        config["encoder_identity"]["options"]["window"] = 7
        (model / "config.json").write_text(json.dumps(config))
        write_manifest(model)
    name = {"a file less": "tokenizer_config.json", "a file more": "added_tokens.json", "an option": "option window"}
    with pytest.raises(CmanError, match=name[change]):
        Extractor.load(model)(TEXT)


def test_weights_in_a_form_that_nobody_opens_are_no_other_encoder(model, encoder):
    (encoder / "pytorch_model.bin").write_bytes(b"x")
    Extractor.load(model)(TEXT)


def test_another_elmo_is_refused(tmp_path):
    write_elmo(tmp_path)
    source = EncoderSource(options=str(tmp_path / "options.json"), weights=str(tmp_path / "weights.hdf5"))
    model = trained_with(source, tmp_path / "model")
    expected = Extractor.load(model, threshold=0.0)(TEXT).to_json()
    shutil.move(tmp_path / "weights.hdf5", tmp_path / "elsewhere.hdf5")
    (tmp_path / "there").mkdir()
    for name, there in (("options.json", "options.json"), ("elsewhere.hdf5", "weights.hdf5")):
        shutil.copy(tmp_path / name, tmp_path / "there" / there)
    assert Extractor.load(model, encoder=tmp_path / "there", threshold=0.0)(TEXT).to_json() == expected
    (tmp_path / "there" / "options.json").write_text((tmp_path / "options.json").read_text() + " ")
    with pytest.raises(CmanError, match=r"encoders\.some: options: found SHA-256"):
        Extractor.load(model, encoder=tmp_path / "there")(TEXT)


def test_a_model_folder_travels_and_is_told_where_its_encoder_stands(model, encoder, tmp_path, monkeypatch):
    expected = Extractor.load(model, threshold=0.0)(TEXT).to_json()
    away = tmp_path / "away"
    away.mkdir()
    shutil.move(model, away / "model")
    shutil.move(encoder, away / "bert")
    monkeypatch.chdir(away)
    with pytest.raises(CmanError, match=r"encoder has no config\.json.*--encoder or CMAN_ENCODER says"):
        Extractor.load("model")(TEXT)
    assert Extractor.load("model", encoder="bert", threshold=0.0)(TEXT).to_json() == expected
    (away / "in.txt").write_text(f"{TEXT}\n")
    files = ("--input", "in.txt", "--output", "out.jsonl", "--threshold", 0)
    assert cman("extract", "--model", "model", "--encoder", "bert", *files).status == 0
    assert json.loads((away / "out.jsonl").read_text())["entities"] == expected["entities"]
    monkeypatch.setenv("CMAN_ENCODER", "bert")
    assert Extractor.load("model", threshold=0.0)(TEXT).to_json() == expected


def test_an_encoder_by_a_relative_path_is_found_from_elsewhere_and_in_a_copied_project(tmp_path, monkeypatch):
    project = tmp_path / "project"
    (project / "encoder").mkdir(parents=True)
    monkeypatch.chdir(project)
    torch.manual_seed(0)
    bert(project / "encoder")
    trained_with(EncoderSource(path=Path("encoder")), project / "results/model")
    expected = Extractor.load("results/model", threshold=0.0)(TEXT).to_json()
    monkeypatch.chdir(tmp_path)
    assert Extractor.load("project/results/model", threshold=0.0)(TEXT).to_json() == expected
    shutil.move(project, tmp_path / "copied")
    assert Extractor.load("copied/results/model", threshold=0.0)(TEXT).to_json() == expected
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/link").symlink_to(tmp_path / "copied/results/model")
    assert Extractor.load("elsewhere/link", threshold=0.0)(TEXT).to_json() == expected
    shutil.copytree(tmp_path / "copied/results/model", tmp_path / "alone")
    shutil.copytree(tmp_path / "copied/encoder", tmp_path / "alone/encoder")
    assert Extractor.load("alone", threshold=0.0)(TEXT).to_json() == expected
    damaged(tmp_path / "copied/encoder/model.safetensors")
    with pytest.raises(CmanError, match=r"found SHA-256"):
        Extractor.load("copied/results/model")(TEXT)


def test_an_encoder_for_a_model_that_reads_none_is_wrong_use(tmp_path, monkeypatch):
    settings, vocabulary = small({"contextual.enabled": False}), Vocabulary.of([DOCUMENT])
    ModelFolder(build_model(settings, vocabulary, None, None), vocabulary, settings, None, None, {}).save(tmp_path)
    with pytest.raises(UsageError, match="--encoder: found there, wanted none"):
        Extractor.load(tmp_path, encoder="there")
    monkeypatch.setenv("CMAN_ENCODER", "there")  # for other models
    Extractor.load(tmp_path)
