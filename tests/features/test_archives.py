"""Streams out of archives: the same bytes as the plain file, bounded, and no damaged or strange archive accepted."""

import io
import random
import re
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import py7zr
import pytest

from cman.errors import CmanError
from cman.features.vectors.words import read_vectors
from cman.fetch import archives
from cman.fetch.archives import opened
from tests.features.packing import packed

LINES = b"".join(b"w%d %.9g %.9g\n" % (number, number / 7, number / 3) for number in range(3000))
KINDS = ["v.txt", "v.txt.zip", "v.txt.gz", "v.txt.7z"]
ARCHIVES = KINDS[1:]


def content(path: Path) -> bytes:
    with opened(path) as (stream, _):
        return stream.read()


def unpackers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("unpack")]


@pytest.mark.parametrize("name", KINDS)
def test_an_archive_gives_the_bytes_and_the_name_of_its_file(name, tmp_path):
    # More than the queue of a .7z holds, and nothing that packs to nothing.
    whole = random.Random(0).randbytes(6 << 20)
    path = packed(tmp_path / name, "v.txt", whole, stored=True)
    with opened(path) as (stream, inner):
        assert inner == "v.txt"
        assert stream.read(7) == whole[:7] and stream.readline() + stream.read() == whole[7:]
    assert unpackers() == []
    assert [each.name for each in tmp_path.iterdir()] == [name], "nothing is unpacked to disk"


@pytest.mark.parametrize("name", KINDS)
def test_vectors_are_the_same_out_of_every_archive(name, tmp_path):
    words, vectors = read_vectors(packed(tmp_path / name, "v.txt", LINES), {"w7", "w2999"})
    assert words == ["w7", "w2999"] and vectors.tolist() == [
        [1.0, np.float32(7 / 3)],
        [np.float32(2999 / 7), np.float32(2999 / 3)],
    ]


@pytest.mark.parametrize("name", ["v.bin.gz", "V.BIN.GZ".lower(), "any.7z", "any.zip"])
def test_the_name_inside_says_whether_vectors_are_binary(name, tmp_path):
    binary = b"1 1\nAda " + bytes(4)
    assert read_vectors(packed(tmp_path / name, "v.bin", binary), {"Ada"})[1].tolist() == [[0.0]]


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_reader_that_stops_early_leaves_nothing_running(name, tmp_path):
    path = packed(tmp_path / name, "v.txt", random.Random(1).randbytes(6 << 20), stored=True)
    with pytest.raises(KeyError), opened(path) as (stream, _):
        assert len(stream.read(5)) == 5
        raise KeyError
    assert unpackers() == []


@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_archives_are_refused_by_name(name, tmp_path):
    path = packed(tmp_path / name, "v.txt", LINES)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[200:230] = bytes(byte ^ 0xFF for byte in damaged[200:230])
    for part in (whole[: len(whole) // 2], b"no archive", b"", bytes(damaged)):
        path.write_bytes(part)
        with pytest.raises(CmanError, match=re.escape(str(path))) as caught:
            read_vectors(path, {"w2999"})
        assert "wanted" in str(caught.value)
    assert unpackers() == []


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_missing_archive_and_a_folder_in_its_place_are_named(name, tmp_path):
    with pytest.raises(CmanError, match=re.escape(f"{tmp_path / name}: cannot be read")):
        content(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(CmanError, match=re.escape(str(tmp_path / name))):
        content(tmp_path / name)


@pytest.mark.parametrize("names", [[], ["a.txt", "b.txt"], ["v.txt", "__MACOSX/v.txt"]], ids=str)
@pytest.mark.parametrize("kind", ["zip", "7z"])
def test_an_archive_must_hold_exactly_one_file(kind, names, tmp_path):
    path = tmp_path / f"v.{kind}"
    with zipfile.ZipFile(path, "w") if kind == "zip" else py7zr.SevenZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(*((name, LINES) if kind == "zip" else (LINES, name)))
    with pytest.raises(CmanError, match=f"found {len(names)} files in the archive, wanted exactly one"):
        content(path)


def test_folders_in_an_archive_do_not_count_and_where_a_member_would_go_does_not_matter(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("vectors/", "")
        archive.writestr("../../vectors/v.txt", LINES)
    assert content(tmp_path / "v.zip") == LINES
    assert [path.name for path in tmp_path.iterdir()] == ["v.zip"]


def test_an_encrypted_7z_is_refused(tmp_path):
    for hidden in (False, True):
        with py7zr.SevenZipFile(tmp_path / "v.7z", "w", password="x", header_encryption=hidden) as archive:
            archive.writestr(LINES, "v.txt")
        with pytest.raises(CmanError, match=r"v\.7z: the archive cannot be read .*without a password"):
            content(tmp_path / "v.7z")


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_unpacks_to_far_more_than_vectors_do_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 1 << 20)
    path = packed(tmp_path / name, "v.txt", b"a 1 2\n" * (1 << 20))
    assert path.stat().st_size * archives.LARGEST_RATIO < 6 << 20
    with pytest.raises(CmanError, match=r"found more than \d+ bytes in the archive"):
        content(path)
    assert unpackers() == []
    monkeypatch.setattr(archives, "LARGEST_RATIO", 100_000)
    assert len(content(path)) == 6 << 20
    monkeypatch.setattr(archives, "LARGEST", 2 << 20)
    with pytest.raises(CmanError, match=f"found more than {2 << 20} bytes"):
        content(path)


def test_without_py7zr_a_7z_says_what_to_install(tmp_path, monkeypatch):
    packed(tmp_path / "v.7z", "v.txt", LINES)
    monkeypatch.delitem(sys.modules, "cman.fetch.seven_zip", raising=False)
    monkeypatch.setitem(sys.modules, "py7zr", None)
    with pytest.raises(CmanError, match=r"v\.7z: reading a \.7z needs the package py7zr"):
        content(tmp_path / "v.7z")


def test_a_stream_can_be_read_to_its_end_more_than_once(tmp_path):
    with opened(packed(tmp_path / "v.7z", "v.txt", b"abc")) as (stream, _):
        assert (stream.read(), stream.read(), stream.read(1)) == (b"abc", b"", b"")
        assert isinstance(stream, io.BufferedReader)
