"""The workflow on a real Slurm: three nodes of this machine, of which one pretends to have a GPU.

Where a job is to fail or to wait, `inject.VERB` in the project's folder is what the verb does instead; everything
else is what runs on any cluster. Times are short: a check is due after some seconds, not after forty.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from slurm_cluster import GPU_NODE, Cluster, missing, until

from tests.workflow.conftest import SETTINGS, Project

pytestmark = [pytest.mark.slow, pytest.mark.slurm, pytest.mark.skipif(bool(missing()), reason=missing() or "never")]

INJECTED = """
import os as _os, sys as _sys
if len(_sys.argv) > 1 and _os.path.isfile("inject." + _sys.argv[1]):
    exec(open("inject." + _sys.argv[1]).read())
"""
# What a training leaves, made in no time; and one that waits until it is ended.
MADE = """
import pathlib
folder = pathlib.Path("results/runs/tiny/cman-static/main/seed" + _sys.argv[_sys.argv.index("--seed") + 1])
for name in ("model/model.safetensors", "model/config.json", "model/vocabulary.json", "history.csv", "provenance.json"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("made")
_sys.exit(0)
"""
WAITS = "import time\ntime.sleep(600)\n"
CONFIGURATION = {
    "corpora": {"tiny": {"format": "conll04-sample", "sentences": {"train": 16, "dev": 4, "test": 4}}},
    "experiments": ["cman-static"],
    "seeds": [1, 2],
    "settings": {
        **{name: value for name, value in SETTINGS.items() if name != "contextual.encoder"},
        **{"contextual.enabled": False, "training.epochs": 1},
    },
    "device": "cpu",
}
CHOSEN = ("--configfile", "tiny.yaml")
# The documented line and a first check after seven seconds; what is not about groups goes without them.
PROFILE = ("--workflow-profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "7")
MODEL = "results/runs/tiny/cman-static/main/seed1/model/model.safetensors"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("slurm"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def prepared(new_project: Callable[[], Project]) -> Project:
    """A project whose documents are there."""
    project = new_project()
    with (project / "cman/__init__.py").open("a") as package:
        package.write(INJECTED)
    (project / "tiny.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    project.snakemake("--cores", "2", "results/corpora/tiny/statistics.json", *CHOSEN)
    return project


@pytest.fixture
def own(prepared: Project, tmp_path: Path) -> Project:
    return Project(tmp_path, copy=prepared.folder)


class Submitted:
    """A Snakemake that submits jobs, in the background."""

    def __init__(self, project: Project, cluster: Cluster, *arguments: str) -> None:
        self.log = project / "submitted.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *PROFILE, *arguments, *CHOSEN],
                cwd=project.folder,
                env=cluster.environment(project.environment()),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ends(self, seconds: float = 400) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"still running: {self.said()[-3000:]}") from None

    def said(self) -> str:
        return self.log.read_text()

    def jobs(self) -> list[str]:
        """The ids of Slurm's jobs, as they were submitted."""
        return re.findall(r"SLURM jobid (\d+)", self.said())


def job_of(submitted: Submitted, cluster: Cluster, number: int = 1) -> str:
    """The so manieth job, once it runs."""
    until(lambda: len(submitted.jobs()) >= number or submitted.process.poll() is not None, "a submitted job", 300)
    assert len(submitted.jobs()) >= number, submitted.said()[-3000:]
    job = submitted.jobs()[number - 1]
    until(lambda: cluster.facts(job).get("JobState") == "RUNNING", f"job {job} to run", 100)
    return job


def waiting(project: Project, cluster: Cluster, submitted: Submitted, number: int = 1) -> str:
    """The so manieth job, once its verb waits."""
    job = job_of(submitted, cluster, number)
    until((project / "waits").exists, "the injected verb", 300)
    return job


def test_the_documented_line_makes_the_tables_of_a_local_run_and_each_run_is_one_job(prepared, cluster, tmp_path):
    local = Project(tmp_path, copy=prepared.folder)
    local.snakemake("--cores", "2", "results/tables.tex", *CHOSEN)
    project = Project(tmp_path / "cluster", copy=prepared.folder)
    submitted = Submitted(project, cluster, "results/tables.tex")
    assert submitted.ends(900) == 0, submitted.said()[-5000:]
    assert len(submitted.jobs()) == 2  # each of training, predictions and scores; everything else is local
    for name in ("tables.tex", "runs/tiny/cman-static/main/seed2/model/model.safetensors"):
        assert (project / "results" / name).read_bytes() == (local / "results" / name).read_bytes()
    provenance = yaml.safe_load((project / "results/runs/tiny/cman-static/main/seed1/provenance.json").read_text())
    assert provenance["job"] in submitted.jobs()


def test_an_ended_job_is_noticed_and_tried_again_with_more_memory(own, cluster):
    (own / "inject.train").write_text(f"open('waits', 'w').close()\n{WAITS}")
    submitted = Submitted(own, cluster, MODEL, "--retries", "1")
    first = waiting(own, cluster, submitted)
    cluster.ask("scancel", first)
    (own / "inject.train").write_text(MADE)
    assert submitted.ends() == 0, submitted.said()[-3000:]
    second = submitted.jobs()[1]
    assert [cluster.facts(job)["MinMemoryNode"] for job in (first, second)] == ["3000M", "6000M"]
    assert [cluster.facts(job)["TimeLimit"] for job in (first, second)] == ["00:21:00", "00:42:00"]


def test_ctrl_c_leaves_no_job(own, cluster):
    (own / "inject.train").write_text(f"open('waits', 'w').close()\n{WAITS}")
    submitted = Submitted(own, cluster, MODEL)
    job = waiting(own, cluster, submitted)
    os.kill(submitted.process.pid, signal.SIGINT)
    assert submitted.ends() != 0
    until(lambda: job not in cluster.jobs(), "the end of the job")


def test_a_training_whose_snakemake_was_killed_is_not_trained_a_second_time(own, cluster):
    (own / "inject.train").write_text(
        "import threading, os, signal, pathlib, time\n"
        "def stop():\n"
        "    while not any(pathlib.Path('results/checkpoints').rglob('*.lock')):\n"
        "        time.sleep(0.02)\n"
        "    open('waits', 'w').close()\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
        "threading.Thread(target=stop, daemon=True).start()\n"
    )
    first = Submitted(own, cluster, MODEL)
    job = waiting(own, cluster, first)
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()
    assert job in cluster.jobs()
    (own / "inject.train").unlink()
    own.snakemake("--unlock", *CHOSEN)
    second = Submitted(own, cluster, MODEL, "--retries", "0")
    assert second.ends() == 1
    assert re.search(rf"error: .*job {job}", second.said()), second.said()[-3000:]
    assert job in cluster.jobs()
    cluster.ask("scancel", "-s", "CONT", job)
    cluster.ask("scancel", job)


def test_a_node_that_dies_is_survived(own, cluster):
    (own / "inject.train").write_text(f"open('waits', 'w').write(str(_os.getpid()))\n{WAITS}")
    submitted = Submitted(own, cluster, MODEL)
    job = waiting(own, cluster, submitted)
    until(lambda: (own / "waits").read_text(), "a process id")
    node = cluster.facts(job)["NodeList"]
    (own / "inject.train").write_text(MADE)
    cluster.fail_node(node, int((own / "waits").read_text()))
    try:
        assert submitted.ends(600) == 0, submitted.said()[-3000:]
    finally:
        cluster.start_node(node)
    assert (own / MODEL).is_file()


def test_whatever_computes_on_a_device_goes_to_the_gpu(own, cluster):
    (own / "tiny.yaml").write_text(yaml.safe_dump({**CONFIGURATION, "device": "cuda"}))
    (own / "inject.train").write_text(MADE)
    predicted = ("predictions.jsonl", "label_copies.json", "ranking.jsonl")
    folder = "results/runs/tiny/cman-static/main/seed1"
    (own / "inject.predict").write_text(
        f"for _name in {predicted}:\n    open('{folder}/' + _name, 'w').write('made')\n_sys.exit(0)\n"
    )
    submitted = Submitted(own, cluster, f"{folder}/predictions.jsonl", "--groups", "train=a", "predict=b")
    assert submitted.ends() == 0, submitted.said()[-3000:]
    assert len(submitted.jobs()) == 2
    for job in submitted.jobs():
        facts = cluster.facts(job)
        assert (facts["NodeList"], facts["TresPerJob"]) == (GPU_NODE, "gres:gpu:1")
