"""The paper's kinds of inputs through the whole workflow: ELMo and word vectors from files to a prediction."""

import json
from pathlib import Path

import pytest
import yaml
from packing import packed

from tests.features.tiny_elmo import OPTIONS, changed, write_elmo

pytestmark = pytest.mark.slow

SMALL = {"word.dim": 8, "char.emb": 8, "char.hidden": 4, "label.emb": 4, "lstm.hidden": 8, "attn.heads": 2}
SETTINGS = {
    **SMALL,
    "bsa.units": 1,
    "rel.hidden": 8,
    "training.epochs": 1,
    "training.protocol": "train",
    "contextual.encoder": "elmo",
    "word.vectors": "wiki",
}
REPORTED = {"decoding_speed": 1, "tables": 1, "figures": 1, "browser": 1, "appendix": 1, "all": 1}
AFTER_TRAIN = {"predict": 1, "score": 1, **REPORTED}
CONFIGURATION = ("--configfile", "inputs.yaml")
RUN = "results/runs/tiny/cman/main/seed1"


def vectors(value: int) -> bytes:
    return f"the {value} 1 2\n0 3 4 5\n. 6 7 8\nin 1 2 {value}\n".encode()


def test_elmo_and_word_vectors_go_from_their_files_into_a_model_and_changed_files_make_it_again(new_project):
    project = new_project()
    options, weights = write_elmo(project / "mirror/features")
    packed(project / "v.txt.7z", "v.txt", vectors(1))
    value = {
        "corpora": {"tiny": {"format": "conll04-sample", "sentences": {"train": 16, "dev": 4, "test": 4}, "seed": 1}},
        "experiments": ["cman"],
        "settings": SETTINGS,
        "device": "cpu",
        # The weights have an address, and the mirror has a copy of them.
        "encoders": {"elmo": {"options": str(options), "weights": "https://host.invalid/elmo/weights.hdf5"}},
        "vectors": {"wiki": {"path": "v.txt.7z"}},
        "mirror": "mirror",
    }
    (project / "inputs.yaml").write_text(yaml.safe_dump(value))
    project.snakemake("--cores", "2", *CONFIGURATION)
    assert project.planned(*CONFIGURATION) == {}

    assert (project / "results/inputs/elmo/weights.hdf5").read_bytes() == weights.read_bytes()
    assert (project / "results/inputs/elmo/weights.hdf5.sha256").is_file()
    index = json.loads((project / "results/features/tiny/elmo/index.json").read_text())
    assert index["shape"][1:] == [3, 8]
    words = json.loads((project / "results/features/tiny/wiki/words.json").read_text())
    assert 0 < words["coverage"]["unknown"] < words["coverage"]["forms"]
    config = json.loads((project / RUN / "model/config.json").read_text())
    assert config["contextual"] == [3, 8] and config["word_size"] == 3

    # The model computes the same features for text that has no cache.
    test = "results/corpora/tiny/main/test.jsonl"
    project.run("cman", "predict", "--model", f"{RUN}/model", "--input", test, "--output", "again.jsonl")
    first, again = ((project / name).read_text().splitlines() for name in (f"{RUN}/predictions.jsonl", "again.jsonl"))
    for one, other in zip(map(json.loads, first), map(json.loads, again), strict=True):
        assert [entity["start"] for entity in one["entities"]] == [entity["start"] for entity in other["entities"]]

    packed(project / "v.txt.7z", "v.txt", vectors(2))
    assert project.planned(*CONFIGURATION) == {"word_vectors": 1, "train": 1, **AFTER_TRAIN}
    packed(project / "v.txt.7z", "v.txt", vectors(1))
    Path(options).write_text(json.dumps(changed(cell_clip=1)))
    planned = project.planned(*CONFIGURATION)
    assert planned["embed"] == 1 and planned["train"] == 1
    assert OPTIONS["lstm"]["cell_clip"] != 1
