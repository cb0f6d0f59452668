"""Word vectors in every format they come in, whole and damaged."""

import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.word_vectors import read_corpus_vectors, read_vectors, write_corpus_vectors

VECTORS = {"Ada": [1.0, -2.5], "the": [0.25, 0.0], "café": [3.0, 4.0], "unused": [9.0, 9.0]}
WANTED = {"Ada", "the", "café", "absent"}


def text(header: bool) -> bytes:
    lines = [f"{word} {' '.join(map(str, values))}" for word, values in VECTORS.items()]
    return "\n".join([f"{len(VECTORS)} 2"] * header + lines + [""]).encode()


def binary(newlines: bool = True) -> bytes:
    entries = [f"{word} ".encode() + struct.pack("<2f", *values) for word, values in VECTORS.items()]
    return f"{len(VECTORS)} 2\n".encode() + (b"\n" if newlines else b"").join(entries)


FORMATS = {"v.txt": text(True), "glove.txt": text(False), "v.bin": binary(), "tight.bin": binary(False)}


def write(path: Path, content: bytes, zipped: bool = False) -> Path:
    if not zipped:
        path.write_bytes(content)
        return path
    with zipfile.ZipFile(f"{path}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.name, content)
    return Path(f"{path}.zip")


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zip"])
@pytest.mark.parametrize("name", FORMATS)
def test_wanted_words_are_read_in_the_order_of_the_file(name, zipped, tmp_path):
    words, vectors = read_vectors(write(tmp_path / name, FORMATS[name], zipped), WANTED)
    assert words == ["Ada", "the", "café"]
    assert vectors.dtype == np.float32 and vectors.tolist() == [VECTORS[word] for word in words]


@pytest.mark.parametrize(
    "content",
    [b"Ada 1 -2.5 \r\nthe 0.25 0 \r\n", b"2 2\r\nAda 1 -2.5\r\nthe 0.25 0", b"Ada 1 -2.5\nthe 2.5e-1 0\n"],
    ids=["trailing spaces", "windows lines", "exponents"],
)
def test_small_liberties_of_text_files_are_understood(content, tmp_path):
    words, vectors = read_vectors(write(tmp_path / "v.txt", content), WANTED)
    assert words == ["Ada", "the"] and vectors.tolist() == [[1, -2.5], [0.25, 0]]


def test_words_with_spaces_are_read_as_one_word(tmp_path):
    words, vectors = read_vectors(write(tmp_path / "v.txt", b"Ada 1 2\n. . . 3 4\n"), {". . .", "."})
    assert words == [". . ."] and vectors.tolist() == [[3, 4]]


def test_the_first_of_several_vectors_of_a_word_counts(tmp_path):
    words, vectors = read_vectors(write(tmp_path / "v.txt", b"Ada 1 2\nAda 3 4\n"), WANTED)
    assert words == ["Ada"] and vectors.tolist() == [[1, 2]]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CmanError, match=r"none\.txt: cannot be read"):
        read_vectors(tmp_path / "none.txt", WANTED)


def test_a_binary_file_that_ends_too_early_is_refused_with_the_word(tmp_path):
    with pytest.raises(CmanError, match=r"ends within word 4 of 4.*truncated"):
        read_vectors(write(tmp_path / "v.bin", binary()[:-3]), WANTED)
    with pytest.raises(CmanError, match=r"ends within word 5 of 5.*truncated"):
        read_vectors(write(tmp_path / "w.bin", binary().replace(b"4 2", b"5 2", 1)), WANTED)


def test_a_text_file_with_fewer_words_than_its_header_says_is_refused(tmp_path):
    with pytest.raises(CmanError, match=r"v\.txt: "):
        read_vectors(write(tmp_path / "v.txt", text(True).replace(b"4 2", b"5 2", 1)), WANTED)


@pytest.mark.parametrize(
    ("line", "content"),
    [
        (2, b"Ada 1 2\nthe 1\n"),
        (2, b"Ada 1 2\nthe 1 x\n"),
        (3, b"2 2\nAda 1 2\nthe 1 nan\n"),
        (2, b"Ada 1 2\nthe 1 inf\n"),
        (2, b"Ada 1 2\ncaf\xe9 1 2\n"),
        (1, b"Ada\n"),
        (2, b"5 3\nAda 1 2\n"),
    ],
    ids=str,
)
def test_a_malformed_line_is_named(line, content, tmp_path):
    with pytest.raises(CmanError, match=rf"v\.txt: line {line}: "):
        read_vectors(write(tmp_path / "v.txt", content), WANTED)


@pytest.mark.parametrize("content", [b"", b"Ada 1 2\n", b"x y\n", b"3\n"], ids=str)
def test_a_binary_file_without_its_first_line_is_refused(content, tmp_path):
    with pytest.raises(CmanError, match="line 1"):
        read_vectors(write(tmp_path / "v.bin", content), WANTED)


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=str)
def test_values_of_a_binary_file_must_be_finite(value, tmp_path):
    content = b"1 2\nAda " + struct.pack("<2f", 1.0, value)
    with pytest.raises(CmanError, match=r"v\.bin: "):
        read_vectors(write(tmp_path / "v.bin", content), WANTED)


@pytest.mark.parametrize("first", ["3 ²", "² 3"])
def test_a_first_line_of_odd_digits_is_refused_in_a_sentence(first, tmp_path):
    with pytest.raises(CmanError, match="line"):
        read_vectors(write(tmp_path / "v.txt", f"{first}\nAda x y\n".encode()), WANTED)


@pytest.mark.parametrize("names", [[], ["a.txt", "b.txt"], ["v.txt", "__MACOSX/v.txt"]], ids=str)
def test_an_archive_must_hold_exactly_one_file(names, tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        for name in names:
            archive.writestr(name, text(False))
    with pytest.raises(CmanError, match=f"found {len(names)} files in the archive, wanted exactly one"):
        read_vectors(tmp_path / "v.zip", WANTED)


def test_folders_in_an_archive_do_not_count(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("vectors/", "")
        archive.writestr("vectors/v.txt", text(False))
    assert read_vectors(tmp_path / "v.zip", WANTED)[0] == ["Ada", "the", "café"]


def test_damaged_archives_are_refused(tmp_path):
    lines = b"".join(b"w%d %f %f\n" % (number, number / 7, number / 3) for number in range(3000))
    path = write(tmp_path / "v.txt", lines, zipped=True)
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[200:230] = bytes(byte ^ 0xFF for byte in damaged[200:230])
    for content in (whole[: len(whole) // 2], b"no archive", bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(CmanError, match=re.escape(str(path))):
            read_vectors(path, {"w2999"})


def test_a_file_with_none_of_the_words_is_refused(tmp_path):
    with pytest.raises(CmanError, match="found none of the 1 words"):
        read_vectors(write(tmp_path / "v.txt", text(True)), {"Zebra"})
    with pytest.raises(CmanError, match="found none"):
        read_vectors(write(tmp_path / "empty.txt", b""), {"Ada"})


def test_a_corpus_keeps_the_vectors_of_all_forms_under_which_its_tokens_are_looked_up(tmp_path):
    documents = [Document("a", ("ada", "The", "1999", "absent", "The"))]
    source = write(tmp_path / "v.txt", b"Ada 1 2\nthe 3 4\n0000 5 6\n1999 7 8\nother 9 9\n")
    coverage = write_corpus_vectors(documents, source, tmp_path / "out")
    assert coverage == {"forms": 4, "covered": 3}
    words, vectors = read_corpus_vectors(tmp_path / "out")
    assert words == ["Ada", "the", "0000", "1999"]
    assert vectors.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]] and vectors.dtype == np.float32


def test_vectors_and_words_that_do_not_belong_together_are_refused(tmp_path):
    source = write(tmp_path / "v.txt", text(False))
    write_corpus_vectors([Document("a", ("Ada", "the"))], source, tmp_path)
    np.save(tmp_path / "vectors.npy", np.zeros((1, 2)))
    with pytest.raises(CmanError, match=r"words\.json has 2 words, vectors\.npy 1 rows"):
        read_corpus_vectors(tmp_path)


def test_missing_files_of_corpus_vectors_are_refused_in_a_sentence(tmp_path):
    source = write(tmp_path / "v.txt", text(False))
    write_corpus_vectors([Document("a", ("Ada",))], source, tmp_path)
    (tmp_path / "vectors.npy").unlink()
    with pytest.raises(CmanError, match=r"vectors\.npy"):
        read_corpus_vectors(tmp_path)
