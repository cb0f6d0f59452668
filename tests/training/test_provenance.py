"""The revision that a training's provenance names, and when the code counts as another than that of the revision."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cman.training import provenance


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with code and a record, in which the module of the provenance stands."""
    if shutil.which("git") is None:
        pytest.skip("no git")
    for name in ("cman/training/provenance.py", "results/record/scores.json", "config/c.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("as committed\n")
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    for words in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "all")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "cman/training/provenance.py"))
    return tmp_path


def test_a_revision_is_told_with_whether_the_code_differs_from_it(checkout):
    found = provenance._git()
    assert len(found["revision"]) == 40 and found["changed"] is False
    (checkout / "config/c.yaml").write_text("otherwise\n")
    assert provenance._git() == found | {"changed": True}


def test_a_record_that_was_written_into_the_checkout_is_no_change_of_the_code(checkout):
    (checkout / "results/record/scores.json").write_text("of another training\n")
    assert provenance._git()["changed"] is False


def test_outside_of_git_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance._git() == {}
