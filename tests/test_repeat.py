"""`cman record --repeat`: what is trained again from a record, how it is compared, and what is refused."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import cman, empty_folder, sentence  # noqa: F401

from cman.cli.records import with_corpus
from cman.config.configuration import read_configuration
from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.errors import CmanError
from cman.fetch.download import MIRROR_VARIABLE
from cman.layout import Layout
from cman.repeat import check_documents, prepare_corpus, run_of_record
from cman.report.results import read_run

ROOT = Path(__file__).parents[1]
MIRROR = os.environ.get(MIRROR_VARIABLE)  # of whoever runs the tests, before each is in an empty folder
CONFIGURATION = """
corpora:
  tiny: {format: jsonl, paths: {train: train.jsonl, dev: dev.jsonl, test: test.jsonl}}
experiments: [cman-static]
settings: {word.dim: 8, char.emb: 8, char.hidden: 4, label.emb: 4, lstm.hidden: 8, attn.heads: 2, rel.hidden: 8,
  dropout.inputs: 0, dropout.recurrent: 0, rel.prior: 0.5, at.enabled: false,
  training.epochs: 6, training.protocol: fixed, training.batch_size: 2, training.lr: 0.03}
"""
RUN = Path("results/runs/tiny/cman-static/main/seed1")
RECORD = Path("results/record/tiny/cman-static/main/seed1")


def lives(name: str, number: int) -> Document:
    """Return a sentence with two entities and a relation."""
    tokens = (("Ada", "Bo", "Cy")[number % 3], "lives", "in", ("Rome", "Oslo")[number % 2])
    return Document(name, tokens, (Entity("Peop", 0, 1), Entity("Loc", 3, 4)), (Relation("Live_In", 0, 1),))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and the record of a tiny training."""
    folder = tmp_path_factory.mktemp("recorded")
    before = Path.cwd()
    os.chdir(folder)
    try:
        Path("config").mkdir()
        Path("config/tiny.yaml").write_text(CONFIGURATION)
        for split, count in (("train", 8), ("dev", 3), ("test", 3)):
            write_documents(Path(f"{split}.jsonl"), [lives(f"{split}{number}", number) for number in range(count)])
        gold = "results/corpora/tiny/main/test.jsonl"
        for words in (
            ("prepare", "--config", "config/tiny.yaml", "--corpus", "tiny"),
            ("train", "--config", "config/tiny.yaml", "--corpus", "tiny", "--experiment", "cman-static"),
            ("predict", "--model", f"{RUN}/model", "--input", gold, "--output", f"{RUN}/predictions.jsonl"),
            ("score", "--gold", gold, "--predictions", f"{RUN}/predictions.jsonl", "--output", f"{RUN}/scores.json"),
            ("record", str(RUN)),
        ):
            result = cman(*words)
            assert result.status == 0, result.error
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def here(recorded: Path, empty_folder: None) -> None:  # noqa: F811
    """The record and its configuration alone, in an empty folder."""
    for name in ("config", "results/record"):
        shutil.copytree(recorded / name, name)
    for path in recorded.glob("*.jsonl"):
        shutil.copy(path, path.name)


def changed(**facts: Any) -> None:
    """Write other facts into the record's provenance."""
    path = RECORD / "provenance.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    (RECORD / "manifest.sha256").unlink(missing_ok=True)


def test_a_record_is_trained_again_from_its_own_settings_and_gives_the_same_predictions(here):
    other = CONFIGURATION.replace("training.epochs: 6", "training.epochs: 9")
    Path("config/tiny.yaml").write_text(other)
    Path("config/another.yaml").write_text(other.replace("train.jsonl", "missing.jsonl"))  # not the one called so
    facts = json.loads((RECORD / "provenance.json").read_text())
    assert len(facts["code"]) == 64
    result = cman("record", "--repeat", str(RECORD), "--tolerance", "0")
    assert result.status == 0, result.error
    assert "predictions: the same" in result.out and result.out.endswith("within tolerance\n")
    again = json.loads(
        (Path("results/repeat/runs") / RECORD.relative_to("results/record") / "provenance.json").read_text()
    )
    assert again["settings"] == facts["settings"] and again["code"] == facts["code"]


def test_the_teachers_of_a_recorded_student_are_trained_again_before_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/tiny.yaml").write_text(
        CONFIGURATION
        + """
variants:
  span: {base: cman-static, title: Span, changes: {rel.scorer: span, rel.candidates: entities, span.hidden: 8}}
  student: {base: cman-static, title: Student, changes: {rel.scorer: span, rel.candidates: entities, span.hidden: 8,
    distil.teacher: span, distil.members: 2}}
"""
    )
    for split, count in (("train", 8), ("dev", 3), ("test", 3)):
        write_documents(Path(f"{split}.jsonl"), [lives(f"{split}{number}", number) for number in range(count)])
    gold, run = "results/corpora/tiny/main/test.jsonl", "results/runs/tiny/student/main/seed1"
    given = ("--config", "config/tiny.yaml", "--corpus", "tiny")
    for words in (
        ("prepare", *given),
        *(("train", *given, "--experiment", "span", "--seed", seed) for seed in (1, 2)),
        ("train", *given, "--experiment", "student"),
        ("predict", "--model", f"{run}/model", "--input", gold, "--output", f"{run}/predictions.jsonl"),
        ("score", "--gold", gold, "--predictions", f"{run}/predictions.jsonl", "--output", f"{run}/scores.json"),
        ("record", run),
    ):
        result = cman(*words)
        assert result.status == 0, result.error
    shutil.rmtree("results/runs")
    result = cman("record", "--repeat", "results/record/tiny/student/main/seed1", "--tolerance", "0")
    assert result.status == 0 and "predictions: the same" in result.out, result.error


def test_another_result_is_shown_and_outside_the_tolerance_an_error(here):
    facts = json.loads((RECORD / "provenance.json").read_text())
    settings = {**facts["settings"], "training": {**facts["settings"]["training"], "lr": 1e-6}}
    del settings["span"]  # a group that records of that time did not have
    changed(settings=settings, code=None)
    result = cman("record", "--repeat", str(RECORD), "--tolerance", "0")
    assert result.status == 1
    assert "annotations differ" in result.out and "code: not recorded; now " in result.out
    assert "NOT within tolerance" in result.out and f"{RECORD}: not within the tolerance" in result.error
    assert cman("record", "--repeat", str(RECORD), "--tolerance", "200").status == 0


def test_what_cannot_be_repeated_is_one_sentence(here):
    facts = json.loads((RECORD / "provenance.json").read_text())
    lstm = {**facts["settings"]["lstm"], "cells": 3}
    inputs = dict.fromkeys(facts["inputs"], "0" * 64)
    for changes, message in (
        ({"settings": {**facts["settings"], "lstm": lstm}}, "settings: field lstm.cells: unknown key"),
        ({"settings": None}, "field settings: found none"),
        ({"split": "fold3"}, "field split: found 'fold3', wanted one of main"),
        ({"inputs": inputs}, "wanted 000000000000 as"),
        ({"corpus": "other"}, "found no configuration with the corpus 'other'"),
    ):
        changed(**{**facts, **changes})
        result = cman("record", "--repeat", str(RECORD))
        assert result.status and message in result.error and "Traceback" not in result.error, changes
    assert not Path("results/repeat/runs").exists()


def test_every_committed_record_can_be_repeated_from_a_shipped_configuration(monkeypatch):
    monkeypatch.chdir(ROOT)
    folders = sorted((ROOT / "results" / "record").glob("*/*/*/seed*"))
    names = {folder.parts[-4] for folder in folders}
    configurations = {name: read_configuration(with_corpus(name)) for name in names}
    assert folders
    for folder in folders:
        run = run_of_record(recorded := read_run(folder), configurations[folder.parts[-4]], "")
        for key, value in recorded.settings.items():
            found = run.settings.model_dump(mode="json")[key]
            assert {**found, **value} == found if isinstance(value, dict) else value == found


def test_the_public_corpus_is_prepared_as_it_was_for_the_records(tmp_path, monkeypatch):
    if MIRROR is None or not (Path(MIRROR) / "conll04").is_dir():
        pytest.skip("CMAN_MIRROR names no folder with the real corpora")
    monkeypatch.setenv(MIRROR_VARIABLE, MIRROR)
    configuration, layout = read_configuration(ROOT / "config" / "conll04.yaml"), Layout(tmp_path)
    records = [read_run(folder) for folder in sorted((ROOT / "results/record/conll04").glob("*/main/seed*"))]
    prepare_corpus(run_of_record(records[0], configuration, ""), configuration, layout)
    for recorded in records:
        check_documents(recorded, layout)
    (layout.documents("conll04", "main") / "dev.jsonl").write_text("")
    with pytest.raises(CmanError, match="prepared otherwise now"):
        check_documents(records[0], layout)
