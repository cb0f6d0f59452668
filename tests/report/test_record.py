"""The folder of record: what is copied, that it is whole and repeatable, and what is refused."""

import gzip
import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from cman import exchange
from cman.errors import CmanError
from cman.exchange import replace_folder
from cman.hashes import MANIFEST, listed
from cman.manifest import list_files, verify_folder
from cman.report import record as module
from cman.report.record import record
from cman.report.results import read_run

FILES = ["history.csv", "manifest.sha256", "predictions.jsonl.gz", "provenance.json", "scores.json"]


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "somewhere"
    folder.mkdir(parents=True)
    provenance = {"corpus": "conll04", "experiment": "cman@20", "split": "main", "seed": 3, "title": "CMAN"}
    provenance |= {"sample": False, "protocol": "p", "corpus_title": "CoNLL04", "inputs_title": "i", "revision": "abc"}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    level = {"all": {"true_positive": 1, "predicted": 2, "gold": 3}, "types": {}}
    modes = {"strict": level, "boundaries": level, "relaxed": level}
    (folder / "scores.json").write_text(json.dumps({"documents": 1, "entities": modes, "relations": modes}))
    (folder / "history.csv").write_text("epoch,loss\n1,2.5\n")
    (folder / "predictions.jsonl").write_text('{"id": "1"}\n' * 1000)
    (folder / "model").mkdir()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_record_lies_where_its_provenance_says_and_holds_the_four_files(run_folder, tmp_path):
    folder = record(run_folder, tmp_path / "record")
    assert folder == tmp_path / "record" / "conll04" / "cman@20" / "main" / "seed3"
    assert sorted(contents(folder)) == FILES
    for name in ("scores.json", "provenance.json", "history.csv"):
        assert (folder / name).read_bytes() == (run_folder / name).read_bytes()


def test_the_packed_predictions_unpack_to_the_same_bytes(run_folder, tmp_path):
    packed = record(run_folder, tmp_path / "record") / "predictions.jsonl.gz"
    assert gzip.decompress(packed.read_bytes()) == (run_folder / "predictions.jsonl").read_bytes()


def test_equal_predictions_give_equal_packed_bytes_whatever_their_folder_and_time(run_folder, tmp_path):
    copy = shutil.copytree(run_folder, tmp_path / "copy")
    (copy / "predictions.jsonl").touch()
    first, second = record(run_folder, tmp_path / "a"), record(copy, tmp_path / "b")
    assert contents(first) == contents(second)
    header = (first / "predictions.jsonl.gz").read_bytes()[:10]
    assert header[3] == 0  # no name
    assert header[4:8] == bytes(4)  # no time


def test_recording_twice_changes_nothing_and_leaves_nothing_beside_it(run_folder, tmp_path):
    folder = record(run_folder, tmp_path / "record")
    before = contents(folder)
    assert record(run_folder, tmp_path / "record") == folder
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["seed3"]


def test_a_newer_run_replaces_the_record_of_the_same_run_as_a_whole(run_folder, tmp_path):
    folder = record(run_folder, tmp_path / "record")
    (folder / "stray.txt").write_text("left over")
    (run_folder / "history.csv").write_text("epoch,loss\n1,1.5\n")
    record(run_folder, tmp_path / "record")
    assert sorted(contents(folder)) == FILES
    assert (folder / "history.csv").read_text() == "epoch,loss\n1,1.5\n"


def test_a_copy_that_fails_half_way_leaves_the_older_record_untouched(run_folder, tmp_path, monkeypatch):
    folder = record(run_folder, tmp_path / "record")
    before = contents(folder)
    (run_folder / "history.csv").write_text("new")

    def full(folder: Path, names: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(module, "list_files", full)
    with pytest.raises(OSError, match="no space left"):
        record(run_folder, tmp_path / "record")
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["seed3"]


def dying(step: int, exchanges: bool):
    """Return `replace_folder` in a process that is killed before its change of names of that number."""
    left = iter(range(1, step))

    def counted(change):
        def change_or_die(*arguments):
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments)

        return change_or_die

    def replace(new, target):
        os.rename, shutil.rmtree = counted(os.rename), counted(shutil.rmtree)
        exchange._exchanged = counted(exchange._exchanged) if exchanges else lambda one, other: False
        replace_folder(new, target)

    return replace


@pytest.mark.parametrize(("exchanges", "step"), [(True, 1), (True, 2), (False, 1), (False, 2), (False, 3)])
def test_a_record_killed_at_any_change_of_names_is_whole_under_its_name_after_the_next(
    run_folder, tmp_path, exchanges, step
):
    folder = record(run_folder, tmp_path / "record")
    before = contents(folder)
    (run_folder / "history.csv").write_text("epoch,loss\n1,1.5\n")
    child = os.fork()
    if child == 0:
        module.replace_folder = dying(step, exchanges)
        record(run_folder, tmp_path / "record")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert folder.exists() or (exchanges, step) == (False, 2)
    if step == 1:
        assert contents(folder) == before
    record(run_folder, tmp_path / "record")
    assert (folder / "history.csv").read_text() == "epoch,loss\n1,1.5\n"
    assert [path.name for path in folder.parent.iterdir()] == ["seed3"]


def test_a_run_with_a_damaged_file_is_refused_and_a_record_has_a_manifest(run_folder, tmp_path):
    list_files(run_folder, ["history.csv"])
    folder = record(run_folder, tmp_path / "record")
    assert set(listed(folder)) == set(FILES) - {MANIFEST} and verify_folder(folder) == 4
    (run_folder / "history.csv").write_text("epoch,loss\n1,2.6\n")
    with pytest.raises(CmanError, match=r"history\.csv: found SHA-256"):
        record(run_folder, tmp_path / "record")


def test_a_record_is_a_run_folder_that_tables_can_read(run_folder, tmp_path):
    run = read_run(record(run_folder, tmp_path / "record"))
    assert (run.experiment, run.seed) == ("cman@20", 3)


@pytest.mark.parametrize("name", ["scores.json", "provenance.json", "history.csv", "predictions.jsonl"])
def test_a_run_without_one_of_its_files_is_refused_and_nothing_is_written(run_folder, tmp_path, name):
    (run_folder / name).unlink()
    with pytest.raises(CmanError, match=name):
        record(run_folder, tmp_path / "record")
    assert not (tmp_path / "record").exists()


@pytest.mark.parametrize("name", ["scores.json", "provenance.json"])
def test_a_malformed_file_is_refused_and_nothing_is_written(run_folder, tmp_path, name):
    (run_folder / name).write_text("{}")
    with pytest.raises(CmanError, match=name):
        record(run_folder, tmp_path / "record")
    assert not (tmp_path / "record").exists()


def test_a_provenance_that_points_out_of_the_root_is_refused(run_folder, tmp_path):
    provenance = json.loads((run_folder / "provenance.json").read_text())
    (run_folder / "provenance.json").write_text(json.dumps(provenance | {"corpus": "../../elsewhere"}))
    with pytest.raises(CmanError, match="field corpus"):
        record(run_folder, tmp_path / "record")


def test_label_copies_are_kept_where_a_run_counted_them(run_folder, tmp_path):
    (run_folder / "label_copies.json").write_text('{"tokens": 3}')
    folder = record(run_folder, tmp_path / "record")
    assert sorted(contents(folder)) == sorted([*FILES, "label_copies.json"])


def test_a_ranking_is_kept_packed_where_a_run_has_one(run_folder, tmp_path):
    line = b'{"id": "1", "relations": []}\n'
    (run_folder / "ranking.jsonl").write_bytes(line)
    folder = record(run_folder, tmp_path / "record")
    assert sorted(contents(folder)) == sorted([*FILES, "ranking.jsonl.gz"])
    assert gzip.decompress((folder / "ranking.jsonl.gz").read_bytes()) == line


def test_a_run_whose_predictions_do_not_give_its_scores_is_not_recorded(run_folder, tmp_path):
    gold = tmp_path / "corpora/conll04/main/test.jsonl"
    gold.parent.mkdir(parents=True)
    gold.write_text('{"id": "1", "tokens": ["a"], "entities": [], "relations": []}\n')
    (run_folder / "predictions.jsonl").write_text(gold.read_text())
    with pytest.raises(CmanError, match=r"does not match scores\.json"):
        record(run_folder, tmp_path / "record", tmp_path / "corpora")
    assert not (tmp_path / "record").exists()
