"""Raw files: which copy is taken, that its hash decides, and that a download survives what networks do."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cman.errors import CmanError, UsageError
from cman.fetch import download
from cman.fetch.download import ATTEMPTS, Remote, fetch

CONTENT = bytes(range(256)) * 1024  # several blocks of a download
OTHER = CONTENT[::-1]
NAME = "conll04/bekou/train.txt"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers request after request as `plan` says; the last entry answers all that follow."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.plan = ["ranges"]
        self.ranges: list[str | None] = []  # the Range header of each request

    @property
    def remote(self) -> Remote:
        return Remote(NAME, digest(CONTENT), f"http://127.0.0.1:{self.server_port}/train.txt")


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        number = len(self.server.ranges)
        given = self.headers.get("Range")
        self.server.ranges.append(given)
        answer = self.server.plan[min(number, len(self.server.plan) - 1)]
        if answer.isdigit():
            self.send_error(int(answer))
        elif answer == "silence":
            self.close_connection = True
        elif answer == "noise":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
            self.close_connection = True
        elif answer == "cut chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n" % len(CONTENT) + CONTENT[: len(CONTENT) // 2])
            self.close_connection = True
        else:
            self._content(answer, given)

    def _content(self, answer: str, given: str | None) -> None:
        start = int(given.removeprefix("bytes=").removesuffix("-")) if given and answer != "whole" else 0
        if start and start >= len(self.server.content):
            self.send_error(416)
            return
        rest = self.server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            whole = len(self.server.content)
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: len(rest) // 2] if answer == "cut" else rest)
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing on the terminal."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No pause between attempts, no proxy between us and the local server; their lengths are kept."""
    pauses: list[float] = []
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setattr(download.time, "sleep", pauses.append)
    monkeypatch.setenv("no_proxy", "*")
    return pauses


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "results" / "raw" / "train.txt"


def copy_at(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def left_beside(target: Path) -> list[str]:
    """The names of everything in the target's folder."""
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


def refused(remote: Remote, target: Path, given: Path | None = None, mirror: Path | None = None) -> str:
    with pytest.raises(CmanError) as caught:
        fetch(remote, target, given, mirror)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---- which copy is taken


def test_a_given_path_is_taken_before_the_mirror_and_the_mirror_before_the_address(server, tmp_path, target):
    given, mirror = copy_at(tmp_path / "mine.txt"), tmp_path / "mirror"
    copy_at(mirror / NAME, OTHER)
    fetch(server.remote, target, given, mirror)
    assert target.read_bytes() == given.read_bytes() == CONTENT
    assert not target.is_symlink() and target.stat().st_ino != given.stat().st_ino, "the target is a file of its own"
    copy_at(mirror / NAME)
    fetch(server.remote, target, None, mirror)
    assert server.ranges == [] and left_beside(target) == ["train.txt"]
    (mirror / NAME).unlink()
    fetch(server.remote, target, None, mirror)
    assert server.ranges == [None] and target.read_bytes() == CONTENT


def test_a_given_path_or_a_mirror_that_is_not_there_is_refused_and_nothing_else_is_tried(server, tmp_path, target):
    copy_at(tmp_path / "mirror" / NAME)
    for given, mirror, message in (
        (tmp_path / "nowhere.txt", tmp_path / "mirror", r"conll04/bekou/train\.txt.*nowhere\.txt"),
        (None, tmp_path / "nowhere", r"mirror: found no folder .*nowhere"),
    ):
        with pytest.raises(UsageError, match=message):
            fetch(server.remote, target, given, mirror)
        assert server.ranges == [] and not target.exists()


# ---- a wrong copy


@pytest.mark.parametrize("origin", ["given", "mirror", "address"])
def test_a_wrong_hash_is_reported_with_both_hashes_and_leaves_nothing(server, tmp_path, target, origin):
    copy_at(tmp_path / "mirror" / NAME, OTHER)
    given = copy_at(tmp_path / "mine.txt", OTHER) if origin == "given" else None
    mirror = tmp_path / "mirror" if origin == "mirror" else None
    server.content = OTHER
    message = refused(server.remote, target, given, mirror)
    assert digest(CONTENT) in message
    assert digest(OTHER) in message
    assert {"given": str(given), "mirror": str(mirror), "address": server.remote.address}[origin] in message
    assert left_beside(target) == []


def test_a_wrong_mirror_copy_does_not_fall_back_to_the_address_and_is_not_deleted(server, tmp_path, target):
    for wrong in (OTHER, b"", CONTENT[:-1], CONTENT + b"\n"):
        copy = copy_at(tmp_path / "mirror" / NAME, wrong)
        refused(server.remote, target, None, tmp_path / "mirror")
        assert server.ranges == [] and copy.read_bytes() == wrong and left_beside(target) == []


def test_wrong_bytes_are_asked_for_once_and_the_next_call_begins_anew(server, target):
    server.content = OTHER
    refused(server.remote, target)
    server.content = CONTENT
    fetch(server.remote, target, None, None)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, None]


def test_a_file_that_stood_under_the_targets_name_survives_a_failure(server, tmp_path, target):
    copy_at(target, b"from an earlier run")
    refused(server.remote, target, copy_at(tmp_path / "mine.txt", OTHER), None)
    server.plan = ["404"]
    refused(server.remote, target)
    assert target.read_bytes() == b"from an earlier run"
    assert left_beside(target) == ["train.txt"]


# ---- downloads


def test_an_interrupted_download_continues_where_it_stopped_and_appears_whole(server, target):
    server.plan = ["cut", "cut", "cut", "ranges"]
    fetch(server.remote, target, None, None)
    half, quarter, eighth = (len(CONTENT) // part for part in (2, 4, 8))
    starts = [half, half + quarter, half + quarter + eighth]
    assert server.ranges == [None, *(f"bytes={start}-" for start in starts)]
    assert target.read_bytes() == CONTENT and left_beside(target) == ["train.txt"]


def test_the_next_call_continues_what_an_earlier_one_left(server, target, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.plan = ["cut", "ranges"]
    refused(server.remote, target)
    assert not target.exists()
    fetch(server.remote, target, None, None)
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]
    assert target.read_bytes() == CONTENT
    assert left_beside(target) == ["train.txt"]


def test_a_server_that_ignores_ranges_gives_the_same_bytes(server, target):
    server.plan = ["cut", "whole"]
    fetch(server.remote, target, None, None)
    assert server.ranges[1] is not None
    assert target.read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_kept_when_the_server_has_no_more(server, target, monkeypatch):
    # As after a process that was killed between the last byte and the renaming.
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    server.plan = ["cut", "416"]
    refused(server.remote, target)
    (part,) = target.parent.iterdir()
    part.write_bytes(CONTENT)
    fetch(server.remote, target, None, None)
    assert target.read_bytes() == CONTENT
    assert left_beside(target) == ["train.txt"]


def test_a_part_with_other_bytes_is_deleted_so_that_the_next_call_succeeds(server, target, monkeypatch):
    monkeypatch.setattr(download, "ATTEMPTS", 1)
    for stale in (OTHER[:1000], CONTENT + OTHER):
        server.plan, server.ranges = ["cut", "ranges"], []
        refused(server.remote, target)
        (part,) = target.parent.iterdir()
        part.write_bytes(stale)
        refused(server.remote, target)
        assert left_beside(target) == []
        fetch(server.remote, target, None, None)
        assert target.read_bytes() == CONTENT
        target.unlink()


def test_a_busy_server_is_asked_again_after_growing_pauses(server, target, pauses, monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 1.0)
    server.plan = ["503", "503", "ranges"]
    fetch(server.remote, target, None, None)
    assert len(server.ranges) == 3
    assert pauses == [1.0, 2.0]
    assert target.read_bytes() == CONTENT


def test_an_answer_that_breaks_off_is_asked_for_again(server, target):
    for answer in ("silence", "noise", "cut chunks"):
        server.plan, server.ranges = [answer, "ranges"], []
        fetch(server.remote, target, None, None)
        assert len(server.ranges) == 2 and target.read_bytes() == CONTENT
        target.unlink()


def test_a_server_that_never_works_is_given_up_after_the_last_attempt(server, target):
    for answer in ("503", "416", "silence", "noise", "cut chunks"):
        server.plan, server.ranges = [answer], []
        assert server.remote.address in refused(server.remote, target)
        assert len(server.ranges) == ATTEMPTS and not target.exists()
        for part in target.parent.iterdir():
            part.unlink()


def test_a_file_that_is_not_there_is_asked_for_once(server, target, pauses):
    server.plan = ["404"]
    message = refused(server.remote, target)
    assert len(server.ranges) == 1
    assert pauses == []
    assert "Not Found" in message
    assert left_beside(target) == []


def test_without_a_connection_one_sentence_says_the_address_and_what_to_do(target, pauses):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: a connection is refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/train.txt"
        message = refused(Remote(NAME, digest(CONTENT), url), target)
    assert message.startswith(f"{NAME}: cannot be downloaded from {url} (")
    for way in ("CMAN_MIRROR", "mirror:", "paths:"):
        assert way in message
    assert len(pauses) == ATTEMPTS - 1
    assert left_beside(target) == []
