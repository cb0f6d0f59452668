"""An archive from elsewhere is read in place or refused in a sentence, and nothing is unpacked to disk."""

import io
import random
import re
import sys
import threading
import zipfile
from pathlib import Path

import py7zr
import pytest
from packing import packed

from cman.errors import CmanError
from cman.fetch import archives
from cman.fetch.archives import member_lines, opened

LINES = b"".join(b"w%d %.9g %.9g\n" % (number, number / 7, number / 3) for number in range(3000))
ARCHIVES = ["v.txt.zip", "v.txt.gz", "v.txt.7z"]
INSIDE = "DRUG-AE.rel"


def content(path: Path) -> bytes:
    with opened(path) as (stream, _):
        return stream.read()


def refused(path: Path, message: str, member: str | None = None) -> None:
    """Check the sentence that refuses an archive, and that nothing is left of the attempt."""
    before = sorted(path.parent.iterdir())
    with pytest.raises(CmanError, match=message) as caught:
        list(member_lines(path, member)) if member is not None else content(path)
    assert str(caught.value).startswith(f"{path}: ") and sorted(path.parent.iterdir()) == before
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("unpack")] == []


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") if path.suffix == ".zip" else py7zr.SevenZipFile(path, "w") as written:
        for name, inside in members.items():
            written.writestr(*((name, inside) if path.suffix == ".zip" else (inside, name)))
    return path


@pytest.mark.parametrize("name", ["v.txt", *ARCHIVES])
def test_an_archive_gives_the_bytes_and_the_name_of_its_file(name, tmp_path):
    # More than the queue of a .7z holds, and nothing that packs to nothing.
    expected = random.Random(0).randbytes(6 << 20)
    path = packed(tmp_path / name, "v.txt", expected, stored=True)
    with opened(path) as (stream, inner):
        assert inner == "v.txt"
        assert stream.read(7) == expected[:7] and stream.readline() + stream.read() == expected[7:]
        assert (stream.read(), isinstance(stream, io.BufferedReader)) == (b"", True), "its end can be read again"
    with pytest.raises(KeyError), opened(path) as (stream, _):
        assert len(stream.read(5)) == 5
        raise KeyError
    assert not any(thread.name.startswith("unpack") for thread in threading.enumerate()), "a reader may stop early"
    assert [each.name for each in tmp_path.iterdir()] == [name], "nothing is unpacked to disk"


def test_the_lines_of_a_member_come_without_their_ends_from_whatever_folder(tmp_path):
    members = {f"a..b/{INSIDE}": b"one\r\ntwo\n\nfour", "README": b"x"}  # two dots within a name are no way out
    with zipfile.ZipFile(archive(tmp_path / "c.zip", members), "a") as written:
        written.writestr("folder/", "")
    for path in (tmp_path / "c.zip", archive(tmp_path / "c.7z", members)):
        assert list(member_lines(path, INSIDE)) == ["one", "two", "", "four"]
    refused(archive(tmp_path / "bytes.zip", {INSIDE: b"one\ntwo \xff\n"}), "line 2: found the byte 0xff", INSIDE)


def test_exactly_one_file_must_be_the_wanted_one(tmp_path):
    for kind in ("zip", "7z"):
        for names in ([], ["a.txt", "b.txt"], ["v.txt", "__MACOSX/v.txt"]):
            path = archive(tmp_path / f"{len(names)}{len(''.join(names))}.{kind}", dict.fromkeys(names, LINES))
            refused(path, f"found {len(names)} files in the archive, wanted exactly one")
        for names in (["other.txt"], [f"a/{INSIDE}", f"b/{INSIDE}"]):
            path = archive(tmp_path / f"{len(names)}.{kind}", dict.fromkeys(names, LINES))
            refused(path, f"found {len(names) // 2 * 2} files with the name {INSIDE}", INSIDE)


def test_a_file_that_reaches_outside_refuses_the_whole_archive(tmp_path):
    for name in ("../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil", "\\\\host\\evil"):
        path = archive(tmp_path / "c.zip", {INSIDE: b"fine", name: b"x"})
        refused(path, f"found the file {re.escape(repr(name))}, wanted files that stay inside", INSIDE)


@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_and_missing_archives_are_refused_by_name(name, tmp_path):
    path = tmp_path / name
    refused(path, "cannot be read .*wanted a readable file")
    whole = packed(path, "v.txt", LINES).read_bytes()
    damaged = bytearray(whole)
    damaged[200:230] = bytes(byte ^ 0xFF for byte in damaged[200:230])
    empty = [] if name.endswith(".gz") else [b""]  # which is a whole .gz of nothing
    for part in (whole[: len(whole) // 2], whole[:-30], b"<html>not found</html>", *empty, bytes(damaged)):
        path.write_bytes(part)
        refused(path, "wanted")
    path.unlink()
    path.mkdir()
    refused(path, "wanted")


def test_an_encrypted_archive_is_refused(tmp_path):
    for hidden in (False, True):
        with py7zr.SevenZipFile(tmp_path / "v.7z", "w", password="x", header_encryption=hidden) as written:
            written.writestr(LINES, "v.txt")
        refused(tmp_path / "v.7z", r"v\.7z: the archive cannot be read .*without a password")
    locked = bytearray(archive(tmp_path / "v.zip", {"v.txt": LINES}).read_bytes())
    for signature, index in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag bits of both headers
        locked[locked.index(signature) + index] |= 1
    (tmp_path / "v.zip").write_bytes(locked)
    refused(tmp_path / "v.zip", r"v\.zip: the archive cannot be read .*without a password")


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_holds_far_more_than_its_own_size_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 1 << 20)
    path = packed(tmp_path / name, "v.txt", b"a 1 2\n" * (1 << 20))
    assert path.stat().st_size * archives.LARGEST_RATIO < 6 << 20
    refused(path, r"found more than \d+ bytes in the archive")
    monkeypatch.setattr(archives, "LARGEST_RATIO", 100_000)
    assert len(content(path)) == 6 << 20
    monkeypatch.setattr(archives, "LARGEST", 2 << 20)
    refused(path, f"found more than {2 << 20} bytes")


def test_what_nobody_reads_counts_for_the_bound_too(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SMALL", 1 << 20)
    path = tmp_path / "c.zip"
    for size, fits in ((1 << 20, False), ((1 << 20) - 4, True)):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as written:
            written.writestr(INSIDE, b"fine")
            written.writestr("other.txt", bytes(size))
        if fits:
            assert list(member_lines(path, INSIDE)) == ["fine"]
        else:
            refused(path, f"found more than {1 << 20} bytes in the archive", INSIDE)


def test_without_py7zr_a_7z_says_what_to_install(tmp_path, monkeypatch):
    packed(tmp_path / "v.7z", "v.txt", LINES)
    monkeypatch.delitem(sys.modules, "cman.fetch.seven_zip", raising=False)
    monkeypatch.setitem(sys.modules, "py7zr", None)
    refused(tmp_path / "v.7z", r"v\.7z: reading a \.7z needs the package py7zr")
