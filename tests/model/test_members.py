"""Several models as one: of equal ones nothing changes, of different ones it is the mean, and only equals fit."""

from pathlib import Path

import pytest
import torch
from command_line import cman
from small import small_model
from untrained import DOCUMENT, untrained

from cman import Extractor
from cman.features.vocabulary import Vocabulary
from cman.model.folder import ModelFolder
from cman.model.members import Members
from cman.model.pairs import pairs_of

CHANGES = {
    "contextual.enabled": False, "rel.scorer": "span", "rel.candidates": "entities", "rel.prior": 0.5,
    "span.projection": 6, "span.hidden": 5,
}  # fmt: skip
TEXT = "Ada Lovelace lives in London and Charles Babbage in Cambridge ."


def model(folder: Path, seed: int, changes: dict | None = None) -> Path:
    vocabulary = Vocabulary.of([DOCUMENT])
    made, settings = small_model(vocabulary, CHANGES | (changes or {}), seed=seed)
    ModelFolder(made, vocabulary, settings, None, None, {"corpus": "none", "seed": seed}).save(folder)
    return folder


def test_members_that_are_equal_find_what_one_of_them_finds(tmp_path):
    one = model(tmp_path / "one", 1)
    done = cman("ensemble", one, one, one, "--to", tmp_path / "three")
    assert (done.status, done.out) == (0, f"{tmp_path / 'three'}: 3 members\n")
    alone, together = (Extractor.load(folder, threshold=0.0)(TEXT) for folder in (one, tmp_path / "three"))
    assert len(alone.entities) > 1 and len(alone.relations) > 1
    for name in ("entities", "relations"):
        for first, second in zip(getattr(alone, name), getattr(together, name), strict=True):
            assert vars(first) | {"score": 0} == vars(second) | {"score": 0}
            assert first.score == pytest.approx(second.score, abs=1e-5)


def test_tags_come_from_the_mean_of_potentials_and_relations_from_the_mean_of_probabilities(build, batch):
    changes = CHANGES | {"contextual.enabled": True, "rel.features": "fused+encoder"}
    members = [build(changes, seed=seed)[0] for seed in (1, 2, 3)]
    with torch.no_grad():
        prediction = Members(members).eval().predict(batch, 0.0)
        read = [each.read(batch) for each in members]
        emissions = sum(one.second.emissions for one in read) / 3
        torch.testing.assert_close(prediction.potentials.emissions, emissions)
        pairs = pairs_of(members[0].relations.reader(prediction.tags))
        expected = (
            sum(each.relations.scores(one.features, pairs).sigmoid() for each, one in zip(members, read, strict=True))
            / 3
        )
    assert len(pairs.head) > 3
    torch.testing.assert_close(prediction.links.probabilities, expected.flatten())
    assert torch.equal(prediction.links.above, prediction.links.probabilities > 0.5)


def test_models_that_do_not_fit_are_refused_in_one_sentence(tmp_path):
    one = model(tmp_path / "one", 1)
    wider = model(tmp_path / "wider", 1, {"span.hidden": 4})
    tokens = untrained(tmp_path / "tokens")
    for folders, sentence in (
        ([one], "found 1, wanted two models or more"),
        ([one, wider], "settings: found another one"),
        ([tokens, tokens], "wanted rel.scorer span"),
        ([one, tmp_path / "nothing"], "config.json"),
    ):
        done = cman("ensemble", *folders, "--to", tmp_path / "made")
        assert done.status == 1 and sentence in done.error and not (tmp_path / "made").exists()
    assert cman("ensemble", one, one, "--to", one).status == 2
