"""The whole workflow on a tiny corpus: what a run leaves, what is made again, and what a failure or a kill does."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packing import packed

from tests.features.tiny_elmo import changed
from tests.workflow.conftest import CONFIGURED, ROOT, SETTINGS, TINY, Project, vectors

pytestmark = pytest.mark.slow

RUNS = "results/runs/tiny/{}/main/seed1"
SHOWN = {"tables": 1, "figures": 1, "appendix": 1, "browser": 1, "all": 1}


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


# ---- what stands in the results folder


def test_the_copy_is_what_runs(finished):
    where = finished.run("python", "-c", "import cman; print(cman.__file__)")
    assert Path(where.strip()).is_relative_to(finished.folder)


@pytest.mark.parametrize("experiment", ["read", "small"])
def test_a_run_folder_holds_what_it_promises_and_nothing_else(finished, experiment):
    folder = finished / RUNS.format(experiment)
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert found == [
        "history.csv",
        "label_copies.json",
        "manifest.sha256",
        "model/README.md",
        "model/config.json",
        "model/manifest.sha256",
        "model/model.safetensors",
        "model/vocabulary.json",
        "predictions.jsonl",
        "provenance.json",
        "ranking.jsonl",
        "scores.json",
    ]
    scores, provenance = read(folder / "scores.json"), read(folder / "provenance.json")
    statistics = read(finished / "results/corpora/tiny/statistics.json")["splits"]["test"]
    assert scores["documents"] == statistics["sentences"] == 12
    assert 0 <= scores["ranking"]["average_precision"] <= 1
    for name in ("entities", "relations"):
        assert set(scores[name]) == {"strict", "boundaries", "relaxed"}
        for matching in scores[name].values():
            assert set(matching["all"]) == {"true_positive", "predicted", "gold"}
        assert scores[name]["strict"]["all"]["gold"] == statistics[name]["all"]
    with (folder / "history.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == sum(provenance["epochs"].values())
    gold, predicted = lines(finished / "results/corpora/tiny/main/test.jsonl"), lines(folder / "predictions.jsonl")
    assert [(item["id"], item["tokens"]) for item in predicted] == [(item["id"], item["tokens"]) for item in gold]
    for item in predicted:
        assert all(0 <= annotation["score"] <= 1 for annotation in item["entities"] + item["relations"])


def test_a_runs_digest_goes_from_the_plan_through_its_provenance_into_its_scores(finished):
    listed = {Path(run["folder"]).parts[-3]: run for run in read(finished / "results/runs.json")["runs"]}
    for experiment in ("read", "small"):
        folder = finished / RUNS.format(experiment)
        wanted = listed[experiment]["digest"]
        assert read(folder / "provenance.json")["digest"] == read(folder / "scores.json")["digest"] == wanted


def test_provenance_says_what_was_run_with_what_and_from_which_files(finished):
    provenance = read(finished / RUNS.format("small") / "provenance.json")
    assert [provenance[key] for key in ("corpus", "experiment", "split", "seed")] == ["tiny", "small", "main", 1]
    assert provenance["title"] == "Small baseline" and provenance["sample"] is True
    assert provenance["settings"]["lstm"]["hidden"] == 8
    assert provenance["packages"]["torch"] and provenance["device"].startswith("cpu")
    assert provenance["threads"] == 1 and provenance["seconds"] > 0
    assert {Path(name).name for name in provenance["inputs"]} == {"train.jsonl", "dev.jsonl"}
    assert all(len(digest) == 64 for digest in provenance["inputs"].values())


def test_elmo_and_word_vectors_go_from_their_files_into_a_model(finished):
    weights = finished / "results/inputs/elmo/weights.hdf5"
    assert weights.read_bytes() == (finished / "mirror/features/weights.hdf5").read_bytes()
    assert (finished / "results/inputs/elmo/weights.hdf5.sha256").is_file()
    assert read(finished / "results/features/tiny/elmo/index.json")["shape"][1:] == [3, 8]
    words = read(finished / "results/features/tiny/wiki/words.json")
    assert 0 < words["coverage"]["unknown"] < words["coverage"]["forms"]
    config = read(finished / RUNS.format("read") / "model/config.json")
    assert config["contextual"] == [3, 8] and config["word_size"] == 3


def test_the_tables_show_every_run_and_say_that_the_corpus_is_a_sample(finished):
    tex, table = (finished / "results/tables.tex").read_text(), (finished / "results/tables.csv").read_text()
    for text in (tex, table):
        assert "Small baseline" in text and "CMAN that reads" in text
    assert "sample corpus" in tex
    assert "91.72" not in tex  # a published figure of the real corpus


def test_nothing_unfinished_is_left_and_every_job_left_a_log(finished):
    results = finished / "results"
    assert not any(path.is_file() for path in (results / "checkpoints").rglob("*"))
    assert [path for path in results.rglob(".*") if path.name != ".snakemake_timestamp"] == []
    logs = results / "logs"
    found = {path.name for path in logs.iterdir() if path.is_dir()}
    assert found >= {"card", "embed", "fetch", "predict", "prepare", "score", "train"}
    assert "strict micro F1" in (logs / "score/tiny/small/main/seed1.log").read_text()
    assert "Traceback" not in "".join(path.read_text() for path in logs.rglob("*.log"))


# ---- what is made again


def test_a_finished_workflow_has_nothing_to_do_after_touches_comments_and_another_device(own):
    for name in ("results/corpora/tiny/main/train.jsonl", "v.txt.7z", "elmo/options.json"):
        (own / name).touch()
    for name in ("cman/training/train.py", "cman/features/cache.py", "cman/report/card.py"):
        with (own / name).open("a") as module:
            module.write("# a comment\n")
    own.configure(device="auto", mirror="elsewhere")
    assert own.planned(*CONFIGURED) == {}
    # Results that came from another clone, without Snakemake's own notes and with times in another order.
    shutil.rmtree(own / ".snakemake")
    for age, path in enumerate(sorted((own / "results").rglob("*"))):
        os.utime(path, (1e9 - age, 1e9 - age))
    own.snakemake("--touch", "--cores", "1", *CONFIGURED)
    assert own.planned(*CONFIGURED) == {}


def test_a_change_reaches_exactly_what_depends_on_it(own):
    one = TINY["variants"]["small"]
    own.configure(variants={**TINY["variants"], "small": {**one, "title": "Another title"}})
    assert own.planned(*CONFIGURED) == {"runs": 1, "card": 1, **SHOWN}
    own.configure(variants={**TINY["variants"], "small": {**one, "changes": {"lstm.hidden": 6}}})
    printed = own.snakemake("-n", *CONFIGURED)
    assert own.counted(printed) == {"runs": 1, "train": 1, "predict": 1, "score": 1, "card": 1, **SHOWN}
    assert "train small on tiny, seed 1" in printed and "train read on tiny" not in printed
    own.configure()
    with (own / "cman/model/label_gate.py").open("a") as module:
        module.write("\n\nUNUSED = 1\n")
    planned = own.planned(*CONFIGURED)
    assert planned == {**SHOWN, "runs": 1, **dict.fromkeys(("train", "predict", "score", "card"), 2)} | {
        rule: planned[rule] for rule in ("decoding_speed",) if rule in planned
    }


LOST = {
    "tables.csv": {"tables": 1, "all": 1},
    "figures/figure7.svg": {"figures": 1, "all": 1},
    f"{RUNS.format('small')}/model/README.md": {"card": 1, "all": 1},
    f"{RUNS.format('small')}/predictions.jsonl": {"predict": 1, "score": 1, "card": 1, "runs": 1, **SHOWN},
    f"{RUNS.format('small')}/model": {"train": 1, "predict": 1, "score": 1, "card": 1, "runs": 1, **SHOWN},
}


@pytest.mark.parametrize("name", LOST)
def test_what_was_deleted_is_made_again_and_then_there_is_nothing_to_do(own, name):
    path = own / name if name.startswith("results") else own / "results" / name
    before = path.read_bytes() if path.is_file() else (path / "model.safetensors").read_bytes()
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert own.planned(*CONFIGURED) == LOST[name]
    if name.endswith(("jsonl", "model")):
        own.snakemake("--cores", "2", *CONFIGURED)
        assert own.planned(*CONFIGURED) == {}
        assert (path.read_bytes() if path.is_file() else (path / "model.safetensors").read_bytes()) == before


# ---- failures


def configured(**changes: Any) -> Callable[[Project], None]:
    return lambda project: project.configure(**changes)


def edited(*modules: str) -> Callable[[Project], None]:
    def edit(project: Project) -> None:
        for module in modules:
            with (project / "cman" / module).open("a") as stream:
                stream.write("\n\nUNUSED = 1\n")

    return edit


def other_vectors(project: Project) -> None:
    packed(project / "v.txt.7z", "v.txt", vectors(2))


def other_elmo(project: Project) -> None:
    (project / "elmo/options.json").write_text(json.dumps(changed(cell_clip=1)))


# Enough to find something: a model that finds nothing has the same figures whatever it was trained with.
LATER = {**SETTINGS, "training.lr": 3.0e-2, "training.epochs": 15}
SEEDED = {"tiny": {**TINY["corpora"]["tiny"], "seed": 2}}
# Rules, what makes them out of date, a file of each; from the last stages, which do not read each other, to the first.
STAGES: list[tuple[dict[str, str], Callable[[Project], None]]] = [
    (
        {
            "browser": "results/browser.html",
            "appendix": "results/appendix.csv",
            "figures": "results/figures/figure5.csv",
            "kernels": "results/kernels.txt",
            "tables": "results/tables.csv",
        },
        edited("report/browser/data.py", "report/appendix/write.py", "report/figures/draw.py", "kernels/report.py",
               "report/tables.py"),
    ),
    ({"score": f"{RUNS.format('small')}/scores.json"}, edited("evaluation/scores.py")),
    ({"predict": f"{RUNS.format('small')}/predictions.jsonl"}, edited("model/predict.py")),
    ({"train": f"{RUNS.format('small')}/history.csv"}, configured(settings=LATER)),
    ({"word_vectors": "results/features/tiny/wiki/words.json"}, other_vectors),
    ({"embed": "results/features/tiny/elmo/index.json"}, other_elmo),
    ({"prepare": "results/corpora/tiny/main/test.jsonl"}, configured(settings=LATER, corpora=SEEDED)),
]  # fmt: skip


def test_a_stage_that_fails_is_planned_again_and_the_tables_end_with_the_new_figures(own):
    before = (own / "results/tables.csv").read_text()
    for files, outdate in STAGES:
        outdate(own)
        verbs = ["embed" if rule == "word_vectors" else rule for rule in files]
        failing = ("--cores", "1", "--keep-going", *files.values(), *CONFIGURED)
        output = own.snakemake(*failing, status=1, FAIL=" ".join(verbs))
        assert output.count("failed as it was told") >= len(files)
        assert '"corpora"' not in output, "no configuration in what people read"
        planned = own.planned(*CONFIGURED)
        for rule in (*files, "tables"):
            assert planned.get(rule, 0) >= 1, rule
    own.snakemake("--cores", "2", *CONFIGURED)
    assert own.planned(*CONFIGURED) == {}
    after = (own / "results/tables.csv").read_text()
    assert after != before
    scores = read(own / RUNS.format("small") / "scores.json")
    assert scores["digest"] == read(own / RUNS.format("small") / "provenance.json")["digest"]


def test_scores_of_other_settings_are_refused(own):
    folder = own / RUNS.format("small")
    scores = read(folder / "scores.json")
    (folder / "scores.json").write_text(json.dumps({**scores, "digest": "0" * 64}))
    own.run("cman", "verify", "--write", RUNS.format("small"))  # whole, and of other settings
    for verb in ("tables", "figures", "appendix", "browser"):
        printed = own.run("cman", verb, "--runs", "results/runs.json", status=1)
        assert len(printed.splitlines()) == 1
        assert f"found scores with the digest 000000000000, wanted {scores['digest'][:12]}" in printed


def test_the_workflow_killed_with_its_training_goes_on_after_the_unlocking_that_it_advises(own):
    small = own / RUNS.format("small")
    files = ["model/model.safetensors", "predictions.jsonl", "history.csv"]
    wanted = {name: (small / name).read_bytes() for name in files[:2]}
    shutil.rmtree(own / "results/runs")
    (own / "results/tables.tex").unlink()
    target = f"{RUNS.format('small')}/scores.json"
    command = [sys.executable, "-m", "snakemake", "--cores", "1", target, *CONFIGURED]
    running = subprocess.Popen(
        command, cwd=own.folder, env=own.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    checkpoints = own / "results/checkpoints/tiny/small/main/seed1"
    deadline = time.monotonic() + 300
    while not any(checkpoints.glob("*.ckpt")) and time.monotonic() < deadline and running.poll() is None:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert "unlock" in own.snakemake("--cores", "1", target, *CONFIGURED, status=1)
    section = (ROOT / "docs/pipeline.md").read_text(encoding="utf-8").partition("## After a crash")[2]
    own.run("bash", "-euo", "pipefail", "-c", section.partition("```sh\n")[2].partition("```")[0])
    own.snakemake("--cores", "1", target, *CONFIGURED)
    assert {name: (small / name).read_bytes() for name in wanted} == wanted


# ---- records, and options of Snakemake


def test_recorded_runs_give_the_same_tables_without_their_models(own):
    path = own / "results/tables.csv"
    before = path.read_bytes()
    own.run("cman", "record", *(RUNS.format(experiment) for experiment in TINY["experiments"]))
    record = (*CONFIGURED, "--config", "record=true")
    assert own.planned(*record) == {"runs": 1, **SHOWN}
    own.snakemake("--cores", "1", "results/tables.tex", *record)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "options",
    [
        ("--cleanup-metadata", "results/tables.tex"),
        ("--report", "report.html"),
        ("--generate-unit-tests", "unit"),
    ],
    ids=lambda options: options[0],
)
def test_what_looks_at_a_finished_workflow_needs_no_number_of_cores(own, options):
    own.snakemake(*options, *CONFIGURED)
