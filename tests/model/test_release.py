"""A model folder to hand out: half the size, the same annotations, whole, and refused where something is missing."""

from pathlib import Path

import pytest
import torch
from command_line import cman
from untrained import untrained

from cman import Extractor
from cman.manifest import verify_folder
from cman.model.folder import ModelFolder

TEXT = "Ada Lovelace lives in London and Charles Babbage in Cambridge ."


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = untrained(tmp_path / "model")
    (folder / "README.md").write_text("# A card\n")
    return folder


def test_it_has_half_precision_weights_the_card_and_a_manifest_and_finds_the_same(model, tmp_path):
    released = tmp_path / "released"
    done = cman("release", "--model", model, "--to", released)
    assert done.status == 0 and done.out.startswith(f"{released}: ") and done.out.endswith(" MB\n")
    assert (released / "README.md").read_text() == "# A card\n"
    assert verify_folder(released) == 4
    size = [(folder / "model.safetensors").stat().st_size for folder in (model, released)]
    assert size[1] < 0.6 * size[0]
    weights = ModelFolder.load(released).model
    assert all(each.dtype == torch.float32 for each in weights.parameters())
    before, after = (Extractor.load(folder)(TEXT) for folder in (model, released))
    assert [vars(each) | {"score": None} for each in after.entities] == [
        vars(each) | {"score": None} for each in before.entities
    ]


def test_what_cannot_be_released_is_refused_and_nothing_is_written(model, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for arguments, status, sentence in (
        ((model, model), 2, "wanted another one"),
        ((model, tmp_path / "full"), 2, "with other files in it"),
        ((tmp_path / "nothing", tmp_path / "released"), 1, "config.json"),
    ):
        done = cman("release", "--model", arguments[0], "--to", arguments[1])
        assert done.status == status and sentence in done.error
    (model / "README.md").unlink()
    done = cman("release", "--model", model, "--to", tmp_path / "released")
    assert done.status == 1 and "found no model card" in done.error and not (tmp_path / "released").exists()
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]
