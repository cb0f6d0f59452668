"""Files of encoders and word vectors: given, copied from a mirror or downloaded, and the hash that they keep."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cman.config.configuration import parse_configuration
from cman.errors import CmanError, UsageError
from cman.fetch import download
from cman.fetch.inputs import fetch_inputs, input_files, verified
from cman.layout import Layout
from tests.features.tiny_elmo import write_elmo

CONTENT = b"Ada 1 2\nthe 3 4\n"
OTHER = b"Ada 9 9\nthe 3 4\n"
CORPUS = {"s": {"format": "conll04-sample"}}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        super().do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing on the terminal."""


class Server:
    """Serves a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, []
        handler = partial(type("Handler", (Quiet,), {"asked": self.asked}), directory=str(folder))
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{name}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("CMAN_MIRROR", raising=False)
    (tmp_path / "public").mkdir()
    running = Server(tmp_path / "public")
    thread = threading.Thread(target=running.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.http.shutdown()
    thread.join()
    running.http.server_close()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "results")


def configuration_with(**groups):
    return parse_configuration({"corpora": CORPUS, **groups}, "test")


def wiki(server: Server, **keys):
    return configuration_with(vectors={"wiki": {"url": server.url("v.txt"), **keys}})


def fetch_wiki(server: Server, layout: Layout, mirror: Path | None = None, **keys) -> Path:
    fetch_inputs(wiki(server, **keys), "wiki", None, layout, mirror)
    return layout.inputs("wiki") / "v.txt"


def test_the_hash_of_a_first_download_is_recorded_beside_it_as_sha256sum_writes_it(server, layout, caplog):
    caplog.set_level("INFO")
    (server.folder / "v.txt").write_bytes(CONTENT)
    path = fetch_wiki(server, layout)
    assert path.read_bytes() == CONTENT
    assert sorted(each.name for each in path.parent.iterdir()) == ["v.txt", "v.txt.sha256"]
    assert (path.parent / "v.txt.sha256").read_text() == f"{digest(CONTENT)}  v.txt\n"
    assert "first use" in caplog.text and str(path.parent / "v.txt.sha256") in caplog.text
    fetch_wiki(server, layout)
    assert server.asked == ["/v.txt"], "what is there is not downloaded again"


def test_a_later_download_must_have_the_recorded_hash(server, layout):
    (server.folder / "v.txt").write_bytes(CONTENT)
    path = fetch_wiki(server, layout)
    path.unlink()
    (server.folder / "v.txt").write_bytes(OTHER)
    with pytest.raises(CmanError, match=f"found SHA-256 {digest(OTHER)}, wanted {digest(CONTENT)}"):
        fetch_wiki(server, layout)
    assert [each.name for each in path.parent.iterdir()] == ["v.txt.sha256"], "nothing of the wrong file is left"
    (server.folder / "v.txt").write_bytes(CONTENT)
    assert fetch_wiki(server, layout).read_bytes() == CONTENT


def test_a_file_that_changed_since_its_first_use_is_not_used(server, layout):
    (server.folder / "v.txt").write_bytes(CONTENT)
    path = fetch_wiki(server, layout)
    (file,) = input_files(wiki(server), "wiki", layout)
    assert verified(file) == (path, digest(CONTENT))
    path.write_bytes(OTHER)
    with pytest.raises(CmanError, match=r"vectors\.wiki\.url: .*v\.txt\.sha256 recorded at its first use"):
        verified(file)


def test_a_hash_in_the_configuration_decides_and_is_not_recorded(server, layout):
    (server.folder / "v.txt").write_bytes(OTHER)
    with pytest.raises(CmanError, match=f"wanted {digest(CONTENT)}"):
        fetch_wiki(server, layout, sha256=digest(CONTENT))
    assert list(layout.inputs("wiki").iterdir()) == []
    (server.folder / "v.txt").write_bytes(CONTENT)
    path = fetch_wiki(server, layout, sha256=digest(CONTENT))
    assert [each.name for each in path.parent.iterdir()] == ["v.txt"]


def test_a_mirror_that_has_the_file_is_asked_first_and_its_copy_is_recorded_too(server, layout, tmp_path):
    (tmp_path / "mirror/features").mkdir(parents=True)
    (tmp_path / "mirror/features/v.txt").write_bytes(CONTENT)
    path = fetch_wiki(server, layout, mirror=tmp_path / "mirror")
    assert path.read_bytes() == CONTENT and server.asked == []
    assert (path.parent / "v.txt.sha256").is_file()


def test_a_file_that_a_user_put_there_counts_as_downloaded(server, layout):
    path = layout.inputs("wiki") / "v.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert fetch_wiki(server, layout) == path
    assert server.asked == [] and (path.parent / "v.txt.sha256").read_text().startswith(digest(CONTENT))


def test_what_a_killed_process_left_of_a_file_without_hash_is_not_continued(server, layout):
    (server.folder / "v.txt").write_bytes(CONTENT)
    folder = layout.inputs("wiki")
    folder.mkdir(parents=True)
    (folder / ".v.txt.any.part").write_bytes(b"another version")
    assert fetch_wiki(server, layout).read_bytes() == CONTENT


def test_an_address_without_the_file_is_named_and_nothing_is_left(server, layout):
    with pytest.raises(CmanError, match=r"features/v\.txt: cannot be downloaded from http.*CMAN_MIRROR"):
        fetch_wiki(server, layout)
    assert not layout.inputs("wiki").exists() or list(layout.inputs("wiki").iterdir()) == []


def test_a_record_of_something_else_is_refused(server, layout):
    (server.folder / "v.txt").write_bytes(CONTENT)
    record = fetch_wiki(server, layout).parent / "v.txt.sha256"
    for content in ("", "nonsense", f"{digest(CONTENT)}  other.txt\n"):
        record.write_text(content)
        with pytest.raises(CmanError, match=r"v\.txt\.sha256: line 1: found"):
            fetch_wiki(server, layout)


def test_a_download_that_is_missing_is_asked_for_by_its_command(server, layout):
    (file,) = input_files(wiki(server), "wiki", layout)
    with pytest.raises(CmanError, match=r"cannot be read .*the download of http://.*: `cman fetch`"):
        verified(file)
    assert not layout.inputs("wiki").exists()


def test_both_files_of_elmo_are_fetched_and_one_may_be_given(server, layout, tmp_path):
    write_elmo(server.folder)
    places = {"options": server.url("options.json"), "weights": server.url("weights.hdf5")}
    fetch_inputs(configuration_with(encoders={"minilm": {"path": "m"}, "elmo": places}), "elmo", None, layout, None)
    names = sorted(path.name for path in layout.inputs("elmo").iterdir())
    assert names == ["options.json", "options.json.sha256", "weights.hdf5", "weights.hdf5.sha256"]
    options, _ = write_elmo(tmp_path / "mine")
    mixed = configuration_with(encoders={"minilm": {"path": "m"}, "half": {**places, "options": str(options)}})
    assert [file.path for file in input_files(mixed, "half", layout)] == [
        options,
        layout.inputs("half") / "weights.hdf5",
    ]


def test_addresses_must_end_in_the_names_of_files_elmos_in_two(layout):
    for address in ("http://host", "https://host/", "https://host/folder/", "ftp://host/v.txt"):
        with pytest.raises(UsageError, match=r"vectors\.w\.url"):
            configuration_with(vectors={"w": {"url": address}})
    for keys in ({}, {"path": "v.txt", "url": "https://a/v.txt"}):
        with pytest.raises(UsageError, match="wanted exactly one of the keys 'path' and 'url'"):
            configuration_with(vectors={"w": keys})
    # A part of an address is decoded, and becomes a path, a wildcard of the workflow and a word of its commands.
    for name in ("%3Btouch%20x%3B.txt", "$(id).txt", "a%0Ab.txt", "{file}.txt", "-rf.txt", ".hidden", "a%27b.txt"):
        hostile = configuration_with(vectors={"w": {"url": f"https://host/{name}"}})
        with pytest.raises(UsageError, match=r"vectors\.w\.url: found the address .*wanted one that ends in"):
            input_files(hostile, "w", layout)
    sources = {"options": "http://a/one/elmo", "weights": "http://a/two/elmo"}
    with pytest.raises(UsageError, match=r"encoders\.elmo: found elmo for both files"):
        input_files(configuration_with(encoders={"minilm": {"path": "m"}, "elmo": sources}), "elmo", layout)


def test_an_unknown_name_and_an_unknown_file_are_named_with_those_that_there_are(server, layout):
    with pytest.raises(UsageError, match="found 'wikki', wanted one of minilm, wiki"):
        fetch_inputs(wiki(server), "wikki", None, layout, None)
    with pytest.raises(UsageError, match=r"no file 'w\.txt' of wiki, wanted one of v\.txt"):
        fetch_inputs(wiki(server), "wiki", "w.txt", layout, None)
    with pytest.raises(UsageError, match="has no files of its own"):
        fetch_inputs(wiki(server), "minilm", "config.json", layout, None)
