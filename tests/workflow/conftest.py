"""A copy of the project in a folder of its own, so that no test touches the real `results/`, and calls of Snakemake."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import warm
import yaml
from packing import packed

from tests.features.tiny_elmo import write_elmo

ROOT = Path(__file__).parents[2]
NEEDED = ("Snakefile", "workflow", "config", "profiles", "cman", "csrc", "setup.py")
# Every kind of input: ELMo by path and address, word vectors by path, a generated corpus. Whatever is small is.
SETTINGS = {
    **{"word.dim": 8, "char.emb": 8, "char.hidden": 4, "label.emb": 4, "lstm.hidden": 8, "lstm.layers": 1},
    **{"attn.heads": 2, "bsa.units": 1, "rel.hidden": 8, "training.batch_size": 8, "training.epochs": 2},
    **{"training.protocol": "train", "training.lr": 5.0e-3, "contextual.encoder": "elmo"},
}
TINY: dict[str, Any] = {
    "corpora": {"tiny": {"format": "conll04-sample", "sentences": {"train": 40, "dev": 12, "test": 12}}},
    "experiments": ["read", "small"],
    "variants": {
        "read": {"base": "cman", "title": "CMAN that reads", "changes": {"word.vectors": "wiki"}},
        "small": {"base": "multihead-at", "title": "Small baseline", "changes": {"lstm.hidden": 8, "lstm.layers": 1}},
    },
    "settings": SETTINGS,
    "device": "cpu",
    # The weights have an address, and the mirror has a copy of them.
    "encoders": {"elmo": {"options": "elmo/options.json", "weights": "https://host.invalid/elmo/weights.hdf5"}},
    "vectors": {"wiki": {"path": "v.txt.7z"}},
    "mirror": "mirror",
}
CONFIGURED = ("--configfile", "tiny.yaml")
# Verbs that are to fail do, whatever they are given; this file is a stop of the digests, so that nothing else changes.
FAILING = """
import os as _os, sys as _sys
if {*_os.environ.get("FAIL", "").split()} & {*_sys.argv[1:2]}:
    _sys.exit("failed as it was told")
"""


class Project:
    """A copy of the project, and what Snakemake says and does in it."""

    def __init__(self, folder: Path, copy: Path = ROOT) -> None:
        self.folder = folder
        names = NEEDED if copy == ROOT else [path.name for path in copy.iterdir()]
        for name in names:
            source = copy / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
            else:
                shutil.copy2(source, folder / name)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def environment(self) -> dict[str, str]:
        """The environment of a command, in which the copy is the package `cman`."""
        # The default environment may configure Snakemake or cman; the copy is to be what it is by itself.
        hidden = ("SNAKEMAKE_", "CMAN_", "PYTEST_", "GIT_", "PYTHONDONTWRITEBYTECODE")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        path = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        return {**environment, "PYTHONPATH": str(self.folder), "PATH": path}

    def warm(self) -> dict[str, str]:
        """That environment, in which `cman` in a shell starts without importing libraries (helpers/warm.py)."""
        return {**self.environment(), "BASH_ENV": str(warm.shell_function())}

    def run(self, *command: str, status: int = 0, **environment: str) -> str:
        """Run a command and return all that it printed."""
        where: Mapping[str, Any] = {"cwd": self.folder, "env": {**self.warm(), **environment}}
        if command[0] in ("cman", "python", sys.executable):
            command = (*warm.client(), *command)
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, **where
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def snakemake(self, *arguments: str, status: int = 0, **environment: str) -> str:
        return self.run(sys.executable, "-m", "snakemake", *arguments, status=status, **environment)

    def planned(self, *arguments: str) -> dict[str, int]:
        """The number of jobs of each rule that a dry run plans."""
        return self.counted(self.snakemake("-n", *arguments))

    def configure(self, **changes: Any) -> None:
        """Write `tiny.yaml`, with some keys changed."""
        (self / "tiny.yaml").write_text(yaml.safe_dump({**TINY, **changes}))

    @staticmethod
    def counted(printed: str) -> dict[str, int]:
        """The number of jobs of each rule that a dry run printed."""
        if "Job stats:" not in printed:
            assert "Nothing to be done" in printed, printed
            return {}
        table = printed.partition("Job stats:")[2].partition("\ntotal")[0]
        return {rule: int(count) for rule, count in re.findall(r"^([\w-]+) +(\d+)$", table, flags=re.MULTILINE)}


def vectors(value: int) -> bytes:
    """A file of word vectors that differs with the value."""
    return f"the {value} 1 2\n0 3 4 5\n. 6 7 8\nin 1 2 {value}\n".encode()


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """A function that makes a fresh copy of the project."""
    return lambda: Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def untouched(new_project: Callable[[], Project]) -> Project:
    """A copy that tests only look at."""
    return new_project()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the workflow ran once from nothing; one for all processes of a test session."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "made"
    with (shared / "made.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            project = Project(folder)
            with (project / "cman/__init__.py").open("a") as package:
                package.write(FAILING)
            options, weights = write_elmo(project / "mirror/features")
            (project / "elmo").mkdir()
            shutil.move(options, project / "elmo/options.json")
            assert weights.name == "weights.hdf5"
            packed(project / "v.txt.7z", "v.txt", vectors(1))
            project.configure()
            project.snakemake("--cores", "2", *CONFIGURED)
            (folder / "done").touch()
    return folder


@pytest.fixture(scope="module")
def finished(made: Path) -> Project:
    """That project, which tests only look at."""
    project = object.__new__(Project)
    project.folder = made
    return project


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Project:
    """A copy of that project for one test."""
    return Project(tmp_path, copy=made)
