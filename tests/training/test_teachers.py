"""A training that learns from trained models: what it reads, what it records, and which teachers are refused."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from trained import trained

from cman.config.configuration import Configuration, parse_configuration
from cman.errors import CmanError, UsageError
from cman.files import read_json
from cman.layout import Layout
from cman.model.folder import ModelFolder
from tests.training.conftest import configuration_with

SPAN = {"rel.scorer": "span", "rel.candidates": "entities", "rel.prior": 0.1, "span.projection": 8, "span.hidden": 8,
        "at.enabled": False, "training.protocol": "fixed"}  # fmt: skip


def configured(changes: dict[str, Any] | None = None, student: dict[str, Any] | None = None) -> Configuration:
    value = configuration_with().model_dump(mode="json")
    value["settings"] |= SPAN | (changes or {})
    own = {"distil.teacher": "cman", "distil.members": 2} | (student or {})
    value["variants"] = {"student": {"base": "cman", "title": "Student", "changes": own}}
    value["experiments"] = ["cman", "student"]
    return parse_configuration(value, "a test")


@pytest.fixture
def taught(layout: Layout) -> Layout:
    """A results folder with two models that can teach."""
    for seed in (1, 2):
        trained(configured(), layout, "tiny", "cman", seed=seed)
    return layout


def test_a_student_is_one_model_and_its_provenance_names_what_taught_it(taught):
    run = trained(configured(), taught, "tiny", "student")
    folder, facts = ModelFolder.load(run / "model"), read_json(run / "provenance.json")
    teachers = [taught.run("tiny", "cman", "main", seed) / "model" for seed in (1, 2)]
    assert folder.settings.distil.teacher == "cman" and not hasattr(folder.model, "members")
    named = {name for name in facts["inputs"] if "/model/" in name}
    assert named == {str(each / file) for each in teachers for file in ("model.safetensors", "vocabulary.json",
                                                                       "config.json")}  # fmt: skip
    alone = ModelFolder.load(teachers[0]).model.state_dict()
    assert any(not value.equal(alone[name]) for name, value in folder.model.state_dict().items())


def test_a_student_without_its_teachers_or_with_unfit_ones_is_refused_in_a_sentence(taught):
    def refused(configuration: Configuration, sentence: str) -> None:
        with pytest.raises(CmanError) as found:
            trained(configuration, taught, "tiny", "student")
        assert sentence in str(found.value) and "\n" not in str(found.value)

    refused(configured(student={"distil.members": 3}), "found no model, wanted that of the teacher cman, seed 3 of 3")
    refused(configured(student={"training.protocol": "train"}), "training.protocol: found fixed, wanted train")
    shutil.rmtree(taught.run("tiny", "cman", "main", 2))
    trained(configuration_with(**{"training.protocol": "fixed"}), taught, "tiny", "cman", seed=2)
    refused(configured(), "found a model of another kind, wanted rel.scorer span")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"training.protocol": "retrain"}, "wanted training.protocol fixed or train"),
        ({"rel.scorer": "multihead", "rel.candidates": "cells"}, "wanted none without rel.scorer span"),
    ],
)
def test_settings_that_no_teacher_fits_are_refused_before_anything_is_read(changes, sentence):
    with pytest.raises(UsageError, match=sentence):
        configured(student=changes)


def test_a_damaged_teacher_is_no_teacher(taught: Layout):
    path: Path = taught.run("tiny", "cman", "main", 1) / "model" / "vocabulary.json"
    path.write_text(path.read_text().replace("Peop", "Poep"))
    with pytest.raises(CmanError, match="vocabulary"):
        trained(configured(), taught, "tiny", "student")
