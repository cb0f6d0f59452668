"""A copy of the project in a folder of its own, so that no test touches the real `results/`, and calls of Snakemake."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("Snakefile", "workflow", "config", "profiles", "cman", "csrc", "setup.py")


class Project:
    """A copy of the project, and what Snakemake says and does in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in NEEDED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def run(self, *command: str, status: int = 0) -> str:
        """Run a command with the copy as the package `cman`, and return all that it printed."""
        # The default environment may configure Snakemake or cman; the copy is to be what it is by itself.
        hidden = ("SNAKEMAKE_", "CMAN_", "PYTEST_", "GIT_", "PYTHONDONTWRITEBYTECODE")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        environment["PYTHONPATH"] = str(self.folder)
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        where: dict[str, Any] = {"cwd": self.folder, "env": environment}
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, **where
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def snakemake(self, *arguments: str, status: int = 0) -> str:
        return self.run(sys.executable, "-m", "snakemake", *arguments, status=status)

    def planned(self, *arguments: str) -> dict[str, int]:
        """The number of jobs of each rule that a dry run plans."""
        return self.counted(self.snakemake("-n", *arguments))

    @staticmethod
    def counted(printed: str) -> dict[str, int]:
        """The number of jobs of each rule that a dry run printed."""
        if "Job stats:" not in printed:
            assert "Nothing to be done" in printed, printed
            return {}
        table = printed.partition("Job stats:")[2].partition("\ntotal")[0]
        return {rule: int(count) for rule, count in re.findall(r"^([\w-]+) +(\d+)$", table, flags=re.MULTILINE)}


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """A function that makes a fresh copy of the project."""
    return lambda: Project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def untouched(new_project: Callable[[], Project]) -> Project:
    """A copy that tests only look at."""
    return new_project()
