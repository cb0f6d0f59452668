"""An archive from elsewhere is read in place or refused as a whole, in one sentence, and nothing is unpacked."""

import zipfile
from pathlib import Path

import pytest

from cman.errors import CmanError
from cman.fetch.zip import ALWAYS_ALLOWED, member_lines

NAME = "DRUG-AE.rel"


def archive(folder: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "corpus.zip"
    with zipfile.ZipFile(path, "w", compression) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return path


def refused(path: Path) -> str:
    before = sorted(path.parent.iterdir())
    with pytest.raises(CmanError) as error:
        list(member_lines(path, NAME))
    assert sorted(path.parent.iterdir()) == before  # nothing is left behind
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value)


def test_the_lines_of_the_member_come_without_their_ends_from_whatever_folder(tmp_path):
    path = archive(tmp_path, {"Some-Folder/": b"", f"Some-Folder/{NAME}": b"one\r\ntwo\n\nfour", "README": b"x"})
    assert list(member_lines(path, NAME)) == ["one", "two", "", "four"]


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "..\\evil", "C:\\evil", "\\\\host\\evil"])
def test_a_member_that_reaches_outside_refuses_the_whole_archive(tmp_path, name):
    message = refused(archive(tmp_path, {NAME: b"fine", name: b"x"}))
    assert repr(name) in message and "stay inside of their folder" in message


def test_two_dots_within_a_name_are_no_way_out(tmp_path):
    assert list(member_lines(archive(tmp_path, {NAME: b"fine", "a..b/c..": b"x"}), NAME)) == ["fine"]


@pytest.mark.parametrize("bomb", [NAME, "other.txt"])
def test_an_archive_that_would_expand_beyond_the_bound_is_refused_before_it_is_read(tmp_path, bomb):
    path = archive(tmp_path, {NAME: b"fine", bomb: bytes(ALWAYS_ALLOWED + 1)} if bomb != NAME else {
        NAME: bytes(ALWAYS_ALLOWED + 1)})  # fmt: skip
    message = refused(path)
    assert f"wanted at most {ALWAYS_ALLOWED:,}" in message and "bytes of content" in message


def test_an_archive_just_within_the_bound_is_read(tmp_path):
    path = archive(tmp_path, {NAME: b"fine", "other.txt": bytes(ALWAYS_ALLOWED - 4)})
    assert list(member_lines(path, NAME)) == ["fine"]


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "corpus.zip").write_bytes(b"<html>not found</html>")
    assert "damaged zip archive" in refused(tmp_path / "corpus.zip")


def test_a_truncated_archive_is_refused(tmp_path):
    path = archive(tmp_path, {NAME: bytes(range(256)) * 40})
    path.write_bytes(path.read_bytes()[:-30])
    assert "damaged zip archive" in refused(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_changed_bytes_inside_of_a_member_are_noticed(tmp_path, compression):
    path = archive(tmp_path, {NAME: b"".join(b"line %d of many\n" % number for number in range(500))}, compression)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    assert "damaged zip archive" in refused(path)


@pytest.mark.parametrize("members", [{"other.txt": b"x"}, {f"a/{NAME}": b"x", f"b/{NAME}": b"y"}])
def test_the_member_must_be_there_exactly_once(tmp_path, members):
    assert f"{len(members) - ('other.txt' in members)} members with the name {NAME}" in refused(
        archive(tmp_path, members)
    )


def test_bytes_that_are_not_text_are_named_with_their_line(tmp_path):
    message = refused(archive(tmp_path, {NAME: b"one\ntwo \xff\n"}))
    assert f"{NAME}: line 2: found the byte 0xff, wanted UTF-8" in message


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(CmanError, match="cannot be read"):
        list(member_lines(tmp_path / "none.zip", NAME))


def test_a_member_behind_a_password_is_refused(tmp_path):
    path = archive(tmp_path, {NAME: b"fine"}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag bits of both headers
        content[content.index(signature) + place] |= 1
    path.write_bytes(content)
    assert "cannot be unpacked" in refused(path)
