"""Saving for a hub and loading from it; the hub itself is not asked."""

import shutil
from pathlib import Path

from cman import Extractor
from cman.extract.hub import HubExtractor


def test_a_saved_model_is_the_folder_with_its_card_and_loads_again(model: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(model, tmp_path / "model"))
    (source / "README.md").write_text("# A card\n")
    HubExtractor.load(source).save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "README.md").read_text() == "# A card\n"
    for name in ("config.json", "model.safetensors", "vocabulary.json"):
        assert (tmp_path / "saved" / name).read_bytes() == (source / name).read_bytes()
    again = HubExtractor.from_pretrained(str(tmp_path / "saved"), threshold=0.2)
    assert again("Ada lives in London.") == Extractor.load(source, threshold=0.2)("Ada lives in London.")
