"""Saving for a hub and loading from it; the hub itself is not asked."""

import shutil
from pathlib import Path

import huggingface_hub
import pytest

from cman import Extractor
from cman.errors import CmanError, UsageError


def test_a_saved_model_is_the_folder_with_its_card_and_loads_again(model: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(model, tmp_path / "model"))
    (source / "README.md").write_text("# A card\n")
    Extractor.load(source).save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "README.md").read_text() == "# A card\n"
    for name in ("config.json", "model.safetensors", "vocabulary.json"):
        assert (tmp_path / "saved" / name).read_bytes() == (source / name).read_bytes()
    again = Extractor.from_pretrained(str(tmp_path / "saved"), threshold=0.2)
    assert again("Ada lives in London.") == Extractor.load(source, threshold=0.2)("Ada lives in London.")


def test_the_hub_is_asked_for_what_is_no_folder_and_what_it_says_is_one_sentence(model, tmp_path, monkeypatch):
    asked = []

    def snapshot_download(name, **options):
        asked.append((name, options["revision"], options["local_files_only"]))
        if name == "someone/none":
            raise OSError("404 Client Error.\nmore")
        return str(model)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    found = Extractor.from_pretrained("someone/model", revision="v1", threshold=0.2)
    assert (asked, found.thresholds) == ([("someone/model", "v1", False)], (0.2, 0.2))
    with pytest.raises(CmanError, match=r"^someone/none: cannot be had from the hub \(404 Client Error\); wanted"):
        Extractor.from_pretrained("someone/none")
    with pytest.raises(UsageError, match=r"found no folder and no name of a hub's model"):
        Extractor.from_pretrained("one")


def test_load_names_the_door_of_the_hub():
    with pytest.raises(CmanError, match=r"found no folder, wanted .*Extractor\.from_pretrained\('someone/model'\)"):
        Extractor.load("someone/model")
    with pytest.raises(CmanError, match=r"^a/b/c: found no folder, wanted that of a model$"):
        Extractor.load("a/b/c")


def test_what_is_pushed_is_the_folder_that_was_loaded(model, monkeypatch):
    calls = []

    class Api:
        def __init__(self, token):
            calls.append(token)

        def create_repo(self, name, **options):
            calls.append((name, options))

        def upload_folder(self, **options):
            calls.append(options)
            return "the address"

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert Extractor.load(model).push_to_hub("me/mine", private=True, token="t") == "the address"
    assert calls[:2] == ["t", ("me/mine", {"private": True, "exist_ok": True})]
    assert calls[2]["folder_path"] == model and calls[2]["repo_id"] == "me/mine"
    with pytest.raises(UsageError, match="found a model that was loaded from no folder"):
        Extractor(Extractor.load(model).folder).push_to_hub("me/mine")
