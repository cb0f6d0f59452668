"""A file is complete under its name or not there, and what cannot be read is named with its place."""

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from full_disk import room_for

from cman.errors import CmanError
from cman.files import atomic_path, atomic_text, read_json, read_text, write_json, write_text
from cman.hashes import HASH_BLOCK, sha256


class HalfwayError(Exception):
    """Something that happens in the middle of writing."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---- atomic writing


def test_the_target_appears_only_when_the_block_ends(tmp_path):
    target = tmp_path / "a" / "b" / "out.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.parent == target.parent  # a rename is atomic only within one file system
    assert target.read_text() == "new"
    assert names(target.parent) == ["out.txt"]


@pytest.mark.parametrize("error", [HalfwayError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_no_file_and_comes_through(tmp_path, error):
    with pytest.raises(error), atomic_path(tmp_path / "out.txt") as temporary:
        temporary.write_text("half")
        raise error
    assert names(tmp_path) == []


def test_an_error_keeps_the_old_file(tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("old")
    with pytest.raises(HalfwayError), atomic_text(target) as stream:
        stream.write("half")
        raise HalfwayError
    assert target.read_text() == "old"
    assert names(tmp_path) == ["out.txt"]


def test_a_target_that_cannot_be_replaced_leaves_no_temporary_file(tmp_path):
    (tmp_path / "out.txt").mkdir()
    with pytest.raises(OSError, match=r"out\.txt"):
        write_text(tmp_path / "out.txt", "new")
    assert names(tmp_path) == ["out.txt"]


def test_a_block_that_removes_its_file_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "out.txt") as temporary:
        temporary.unlink()
    assert names(tmp_path) == []


def test_an_old_file_is_replaced(tmp_path):
    target = tmp_path / "out.txt"
    write_text(target, "a long first version")
    write_text(target, "second")
    assert target.read_text() == "second"


def test_a_private_file_that_a_library_puts_there_becomes_a_result_like_any_other(tmp_path):
    with atomic_path(tmp_path / "weights") as temporary:
        temporary.unlink()
        temporary.touch(mode=0o600)
    assert stat.S_IMODE((tmp_path / "weights").stat().st_mode) == 0o666 & ~umask_of_this_process()


def umask_of_this_process():
    umask = os.umask(0)
    os.umask(umask)
    return umask


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_result_has_the_mode_of_any_other_new_file(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "out.txt", "x")
        assert os.umask(umask) == umask  # and the process keeps its own
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.txt").stat().st_mode) == mode


def test_two_writers_of_one_file_do_not_mix(tmp_path):
    target = tmp_path / "out.txt"
    texts = [letter * 200_000 for letter in "abcd"]
    threads = [threading.Thread(target=write_text, args=(target, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_text() in texts
    assert names(tmp_path) == ["out.txt"]


def test_what_a_killed_writer_left_is_replaced_by_the_next(tmp_path):
    child = os.fork()
    if child == 0:
        with atomic_text(tmp_path / "out.txt") as stream:
            stream.write("half" * 100_000)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(names(tmp_path)) == 1 and names(tmp_path) != ["out.txt"]
    write_text(tmp_path / "out.txt", "whole")
    assert names(tmp_path) == ["out.txt"] and (tmp_path / "out.txt").read_text() == "whole"


def test_file_and_folder_are_on_the_disk_before_and_after_the_rename(tmp_path, monkeypatch):
    order, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: order.append(stat.S_ISDIR(os.fstat(file).st_mode)) or fsync(file))
    monkeypatch.setattr(os, "replace", lambda *names: order.append("rename") or replace(*names))
    write_text(tmp_path / "out.txt", "new")
    assert order == [False, "rename", True]


def test_a_link_is_followed_and_stays(tmp_path):
    (tmp_path / "there").mkdir()
    for name in ("old.txt", "missing.txt"):
        link = tmp_path / name
        link.symlink_to(Path("there") / name)
        write_text(link, "new")
        assert link.is_symlink() and (tmp_path / "there" / name).read_text() == "new"
    assert names(tmp_path / "there") == ["missing.txt", "old.txt"]


def test_a_pipe_and_a_device_are_written_through_and_stay(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_text(tmp_path / "pipe", "through")
    reader.join()
    assert received == ["through"] and stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    write_text(Path("/dev/null"), "gone")
    (tmp_path / "null").symlink_to("/dev/null")
    write_text(tmp_path / "null", "gone")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode) and (tmp_path / "null").is_symlink()
    assert names(tmp_path) == ["null", "pipe"]


def test_a_full_disk_and_a_full_device_are_told_with_the_name_of_the_file(tmp_path):
    with room_for(10_000), pytest.raises(OSError, match="too large") as error:
        write_text(tmp_path / "out.txt", "x" * 20_000)
    assert error.value.filename == str(tmp_path / "out.txt") and names(tmp_path) == []
    with pytest.raises(OSError, match="No space left") as error:
        write_text(Path("/dev/full"), "x")
    assert error.value.filename == "/dev/full"


def test_text_is_utf8_with_plain_line_ends_on_every_system(tmp_path):
    write_text(tmp_path / "out.txt", "Łódź\n東京\n")
    assert (tmp_path / "out.txt").read_bytes() == "Łódź\n東京\n".encode()


def test_json_keeps_the_order_of_keys_and_every_letter(tmp_path):
    write_json(tmp_path / "out.json", {"z": "Łódź", "a": [1.5, None]})
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert "Łódź" in text
    assert list(json.loads(text)) == ["z", "a"]
    assert read_json(tmp_path / "out.json") == {"z": "Łódź", "a": [1.5, None]}


def test_a_value_that_json_does_not_have_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "out.json", 1)
    with pytest.raises(TypeError):
        write_json(tmp_path / "out.json", {"path": {1, 2}})
    assert read_json(tmp_path / "out.json") == 1
    assert names(tmp_path) == ["out.json"]


# ---- reading


@pytest.mark.parametrize(
    ("content", "line", "byte"),
    [
        (b"\xff", 1, "0xff"),
        (b"one\ntwo\nthr\xe9e\n", 3, "0xe9"),
        (b"one\r\ntw\xe9", 2, "0xe9"),
        (b"one\n\xc3", 2, "0xc3"),  # the file ends within a letter
        ("é\nü\n".encode() + b"\x80", 3, "0x80"),
    ],
)
def test_a_byte_that_is_no_utf8_is_named_with_its_line(tmp_path, content, line, byte):
    path = tmp_path / "in.txt"
    path.write_bytes(content)
    with pytest.raises(CmanError, match=rf"in\.txt: line {line}: found the byte {byte}, wanted UTF-8"):
        read_text(path)


def test_text_is_read_as_it_stands(tmp_path):
    path = tmp_path / "in.txt"
    path.write_bytes("a\r\nb\u2028c\n".encode())
    assert read_text(path) == "a\r\nb\u2028c\n"


@pytest.mark.parametrize("read", [read_text, read_json])
def test_a_missing_file_and_a_folder_are_named_with_the_reason(tmp_path, read):
    with pytest.raises(CmanError, match=r"nothing\.json: cannot be read \(No such file"):
        read(tmp_path / "nothing.json")
    with pytest.raises(CmanError, match=r"cannot be read \(Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("content", "line"), [("", 1), ('{\n  "a": 1,\n}', 3), ('{"a": 1}\n{"b": 2}', 2), ("[1,\n", 2)]
)
def test_broken_json_is_named_with_its_line(tmp_path, content, line):
    path = tmp_path / "in.json"
    path.write_text(content)
    with pytest.raises(CmanError, match=rf"in\.json: line {line}: found invalid JSON"):
        read_json(path)


@pytest.mark.parametrize("content", ["[" * 100_000, "1" * 100_000])
def test_json_that_python_cannot_hold_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "in.json"
    path.write_text(content)
    with pytest.raises(CmanError, match=r"in\.json: .*JSON") as caught:
        read_json(path)
    assert len(str(caught.value)) < 500


# ---- hashing


@pytest.mark.parametrize("size", [0, 1, HASH_BLOCK - 1, HASH_BLOCK, 2 * HASH_BLOCK + 1])
def test_the_hash_is_sha256_of_all_bytes_whatever_the_size(tmp_path, size):
    content = b"x" * size
    (tmp_path / "in").write_bytes(content)
    assert sha256(tmp_path / "in") == hashlib.sha256(content).hexdigest()


def test_where_there_are_no_such_locks_as_on_windows_files_are_written_and_runs_are_locked(tmp_path):
    script = """
import errno, os, pathlib, socket, sys, tempfile, threading, uuid, csv, gzip, json, logging, hashlib, datetime
sys.platform = "win32"
sys.modules["fcntl"] = sys.modules["resource"] = None
from cman.files import write_text
from cman.lock import locked
from cman.manifest import list_files, verify_folder
folder = pathlib.Path(sys.argv[1])
write_text(folder / "a", "first")
write_text(folder / "a", "second")
list_files(folder, ["a"])
with locked(folder / "run", "trained"):
    try:
        with locked(folder / "run", "trained"):
            pass
    except Exception as error:
        print(error)
print((folder / "a").read_text(), verify_folder(folder), sorted(path.name for path in folder.iterdir()))
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True)
    assert done.stderr == ""
    assert "is being trained by process" in done.stdout
    assert done.stdout.endswith("second 1 ['a', 'manifest.sha256']\n")
