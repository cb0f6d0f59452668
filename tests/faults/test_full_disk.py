"""A disk without room, under every verb that writes: one sentence with the file's name, then the same verb again."""

import re
from pathlib import Path

import pytest
from command_line import cman
from full_disk import room_for

from tests.faults.scenarios import VERBS, write_project

ROOM = 8  # bytes


@pytest.mark.slow
def test_every_verb_tells_the_file_that_the_disk_has_no_room_for(tmp_path, monkeypatch):
    write_project(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    told = {}
    for verb, command in VERBS.items():
        with room_for(ROOM):
            result = cman(*command)
        told[verb] = (result.status, result.error.strip().splitlines()[-1:])
        again = cman(*command)
        if again.status == 2 and "wanted --resume" in again.error:
            again = cman(*command, "--resume")
        assert again.status == 0, (verb, told[verb], again.error)
        left = [str(path) for path in Path("results").rglob("*") if re.search(r"\.new$|\.partial|\.lock$", path.name)]
        assert not left, (verb, left)
    full = re.compile(r"error: \S*results/\S+: .*(too large|cannot be written)")
    wrong = {verb: said for verb, said in told.items() if said[0] != 1 or not full.match("".join(said[1]))}
    assert not wrong, wrong
