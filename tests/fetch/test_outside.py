"""A stranger's model folder: nothing that it names is imported, run or asked for over a network without trust."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from untrained import untrained

from cman import Extractor
from cman.errors import CmanError, UsageError
from cman.features.transformer.opened import open_transformer
from cman.fetch import models
from cman.fetch.models import EncoderSource, model_directory
from cman.fetch.outside import PACKAGES
from cman.manifest import write_manifest
from cman.model.folder import ModelFolder
from tests.features.tiny_bert import word_pieces

DOORS = ("from_pretrained", "from_config")
PACKAGE_ROOT = Path(__file__).parents[2] / "cman"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model that reads no encoder, until a test writes one into its configuration."""
    return untrained(tmp_path / "model")


def naming(folder: Path, **keys: Any) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "encoder": {**EncoderSource().to_json(), **keys}}))
    write_manifest(folder)
    return folder


def test_every_call_that_opens_a_transformer_refuses_code_that_stands_beside_it():
    calls = [
        (path, node)
        for path in PACKAGE_ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in DOORS
    ]
    assert len(calls) >= 4
    for path, call in calls:
        trusted = [word.value for word in call.keywords if word.arg == "trust_remote_code"]
        assert [getattr(value, "value", None) for value in trusted] == [False], f"{path}:{call.lineno}"
    for path in PACKAGE_ROOT.rglob("*.py"):
        assert "trust_remote_code=True" not in path.read_text(encoding="utf-8"), path


def test_code_beside_a_transformer_does_not_run_whatever_standard_input_says(tmp_path, monkeypatch):
    word_pieces(tmp_path)
    auto = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    asked: list[object] = []

    def yes(prompt: object = "") -> str:
        asked.append(prompt)
        return "y"

    monkeypatch.setattr("builtins.input", yes)
    with pytest.raises(CmanError, match="cannot be loaded"):
        open_transformer(tmp_path, "encoders.x")
    assert asked == [] and not (tmp_path / "ran").exists()


def test_a_package_that_is_none_of_the_projects_own_needs_trust(folder, tmp_path, monkeypatch, caplog):
    package = tmp_path / "evil"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    (package / "sub/__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    naming(folder, package="evil")
    with pytest.raises(CmanError, match=r"config\.json: field encoder\.package: found 'evil', wanted gt_all.*--trust"):
        Extractor.load(folder)
    caplog.set_level("INFO")
    extractor = Extractor.load(folder, trust=True)
    assert f"{folder}: reads an encoder outside of its folder: package evil" in caplog.text
    with pytest.raises(CmanError, match="the package 'evil' ships no model"):
        extractor("Ada lives in London.")
    for dotted in ("evil.sub", "evil/sub", ""):
        naming(folder, package=dotted)
        with pytest.raises(CmanError) as refusal:
            Extractor.load(folder, trust=True)
        wanted = "wanted text of the form ^[A-Za-z_][A-Za-z0-9_]*$"
        assert str(refusal.value) == f'{folder}/config.json: encoder: field package: found "{dotted}", {wanted}'
        with pytest.raises(CmanError, match="is not installed"):
            model_directory(EncoderSource(package=dotted), "x")
    assert "evil" not in sys.modules and not (tmp_path / "ran").exists()


def test_no_hub_is_asked_for_a_model_folder_without_trust(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(models, "_of_the_hub", lambda *given: asked.append(given))
    naming(folder, name="someone/encoder")
    with pytest.raises(CmanError, match=r"field encoder\.name: found 'someone/encoder', wanted --trust"):
        Extractor.load(folder)
    assert asked == []
    assert ModelFolder.load(folder, trust=True).encoder == EncoderSource(name="someone/encoder")


def test_the_projects_own_package_and_a_path_need_no_trust_and_are_printed(folder, caplog):
    caplog.set_level("INFO")
    for key, value in (("package", min(PACKAGES)), ("path", "/some/encoder")):
        assert ModelFolder.load(naming(folder, **{key: value})).encoder is not None
        assert f"outside of its folder: {key} {value}" in caplog.text


def test_a_language_is_a_code_and_no_module(folder):
    for language in ("en.tokenizer_exceptions", "../evil", "EN", ""):
        with pytest.raises(UsageError, match=r"language: found .*, wanted a code of spaCy's"):
            Extractor.load(folder, language=language or ".")
