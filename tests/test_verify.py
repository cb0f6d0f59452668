"""`cman verify`: what is listed, what is damaged, and how a file as it is becomes the right one."""

from pathlib import Path

from command_line import cman, empty_folder, sentence  # noqa: F401
from untrained import untrained

from cman.hashes import MANIFEST


def test_every_folder_below_is_compared_and_each_damaged_file_is_named_until_it_is_accepted():
    folders = [untrained(Path("results") / name / "model") for name in ("one", "two", "three")]
    assert cman("verify", "results").out == "9 files are what was written\n"
    for folder in folders[:2]:
        (folder / "vocabulary.json").write_text("{}")
    (folders[0] / "config.json").unlink()
    result = cman("verify", "results")
    assert result.status == 1
    first, second, last = result.error.splitlines()
    assert f"{folders[0]}/config.json: found no such file" in first
    assert f"{folders[1]}/vocabulary.json: found SHA-256" in second
    assert last.startswith("error: 2 folders have files")
    assert cman("verify", "results", "--write").out == "8 files are listed\n"
    assert cman("verify", "results").status == 0


def test_a_model_folder_of_before_there_were_manifests_gets_one():
    folder = untrained(Path("model"))
    expected = (folder / MANIFEST).read_text()
    (folder / MANIFEST).unlink()
    assert "found no manifest.sha256 in it" in sentence(cman("verify", folder), 1)
    assert cman("verify", folder, "--write").status == 0
    assert (folder / MANIFEST).read_text() == expected
    Path("empty").mkdir()
    assert "and no model" in cman("verify", "empty", "--write").error


def test_a_manifest_that_is_cut_or_damaged_is_refused_by_its_line():
    folder = untrained(Path("model"))
    content = (folder / MANIFEST).read_text()
    for damaged, said in ((content[:-20], "line end"), (content[1:], "line 1"), (content * 2, "once"), ("", "line end"),
                          (content.replace("  config", "  ../config"), "line 1")):  # fmt: skip
        (folder / MANIFEST).write_text(damaged)
        result = cman("verify", folder)
        assert result.status == 1 and f"{folder / MANIFEST}" in result.error and said in result.error
