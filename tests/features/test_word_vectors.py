"""Word vectors in every format they come in, whole and damaged."""

import io
import json
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packing import packed

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.vectors import formats as vector_formats
from cman.features.vectors.formats import Passed, binary_vectors
from cman.features.vectors.words import are_current, coverage, read_corpus_vectors, read_vectors, write_corpus_vectors
from cman.features.vocabulary import Vocabulary

VECTORS = {"Ada": [1.0, -2.5], "the": [0.25, 0.0], "café": [3.0, 4.0], "unused": [9.0, 9.0]}
tokens = st.text(st.characters(exclude_categories=("Cs", "Z", "C")), min_size=1, max_size=8)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
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


@pytest.mark.parametrize("ending", ["", ".zip", ".gz", ".7z"])
def test_wanted_words_are_read_in_the_order_of_the_file_whatever_it_is_packed_in(ending, tmp_path):
    for name, content in FORMATS.items():
        words, vectors = read_vectors(packed(tmp_path / f"{name}{ending}", name, content), WANTED)
        assert words == ["Ada", "the", "café"]
        assert vectors.dtype == np.float32 and vectors.tolist() == [VECTORS[word] for word in words]


def test_the_name_inside_says_whether_vectors_are_binary(tmp_path):
    for name in ("any.7z", "any.zip"):
        assert read_vectors(packed(tmp_path / name, "v.bin", b"1 1\nAda " + bytes(4)), {"Ada"})[1].tolist() == [[0.0]]


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


@pytest.mark.parametrize("name", ["v.txt", "v.bin"])
def test_words_that_are_no_utf8_are_passed_over_and_counted(name, tmp_path):
    content = FORMATS[name].replace("café".encode(), b"caf\xe9")
    passed = Passed()
    words, _ = read_vectors(write(tmp_path / name, content), WANTED, passed)
    assert words == ["Ada", "the"] and (passed.entries, passed.undecodable) == (4, 1)


def test_values_of_words_that_nobody_wants_are_not_looked_at(tmp_path):
    assert read_vectors(write(tmp_path / "v.txt", b"Ada 1 2\nzebra x y\n"), WANTED)[0] == ["Ada"]


@given(
    st.dictionaries(tokens, st.lists(floats, min_size=3, max_size=3), min_size=1, max_size=8),
    st.integers(1, 40),
    st.booleans(),
)
def test_a_binary_file_reads_the_same_however_its_blocks_fall(entries, block, newlines):
    content = f"{len(entries)} 3\n".encode() + (b"\n" if newlines else b"").join(
        word.encode() + b" " + struct.pack("<3f", *values) for word, values in entries.items()
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_formats, "READ", block)
        stream = io.BufferedReader(io.BytesIO(content), 1)
        read = dict(binary_vectors(stream, Path("v.bin"), lambda word: True, Passed()))
    assert {word: vector.tolist() for word, vector in read.items()} == entries


def test_a_binary_file_that_goes_on_behind_its_last_word_is_refused(tmp_path):
    for extra in (b"more 1234", b"\nmore"):
        with pytest.raises(CmanError, match="found more behind the 4 words"):
            read_vectors(write(tmp_path / "v.bin", binary() + extra), WANTED)
    assert read_vectors(write(tmp_path / "v.bin", binary() + b"\n"), WANTED)[0] == ["Ada", "the", "café"]


@pytest.mark.parametrize("first", ["4 0", "4 99999999999", "99999999999999999999 2"])
def test_impossible_sizes_of_a_binary_file_are_refused(first, tmp_path):
    with pytest.raises(CmanError, match=r"v\.bin: line 1: found"):
        read_vectors(write(tmp_path / "v.bin", first.encode() + binary()[3:]), WANTED)


def test_a_line_or_a_word_without_end_is_refused_without_reading_it_whole(tmp_path):
    with pytest.raises(CmanError, match=r"v\.txt: line 1: found more than 1048576 bytes"):
        read_vectors(write(tmp_path / "v.txt", b"a" * (2 << 20)), WANTED)
    with pytest.raises(CmanError, match=r"v\.bin: word 1 of 4: found no space behind it within 4096 bytes"):
        read_vectors(write(tmp_path / "v.bin", b"4 2\n" + b"a" * (2 << 20)), WANTED)


@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz", "v.bin.7z", "v.bin.zip"])
def test_a_truncated_binary_file_leaves_nothing_behind(name, tmp_path):
    source = packed(tmp_path / name, "v.bin", binary()[:-3])
    with pytest.raises(CmanError, match=rf"{re.escape(name)}: ends within word 4 of 4.*truncated, get it again"):
        write_corpus_vectors([Document("a", ("Ada",))], source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_with_none_of_the_words_is_refused(tmp_path):
    with pytest.raises(CmanError, match="found none of the 1 words"):
        read_vectors(write(tmp_path / "v.txt", text(True)), {"Zebra"})
    with pytest.raises(CmanError, match="found none"):
        read_vectors(write(tmp_path / "empty.txt", b""), {"Ada"})


def test_a_corpus_keeps_the_vectors_of_all_forms_under_which_its_tokens_are_looked_up(tmp_path):
    documents = [Document("a", ("ada", "The", "1999", "absent", "The"))]
    source = write(tmp_path / "v.txt", b"Ada 1 2\nthe 3 4\n0 5 6\n1999 7 8\nother 9 9\n")
    write_corpus_vectors(documents, source, tmp_path / "out")
    words, vectors = read_corpus_vectors(tmp_path / "out")
    assert words == ["Ada", "the", "0", "1999"]
    assert vectors.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]] and vectors.dtype == np.float32


def test_coverage_counts_the_way_in_which_each_form_finds_its_vector(tmp_path):
    documents = [Document("a", ("ada", "The", "1999", "42", "absent", "The")), Document("b", ("absent", "the", "7"))]
    source = write(tmp_path / "v.txt", b"Ada 1 2\nthe 3 4\n0 5 6\n1999 7 8\nother 9 9\ncaf\xe9 1 1\n")
    found = write_corpus_vectors(documents, source, tmp_path / "out")
    assert found == {
        "forms": 7,
        "exact": 2,  # 1999, the
        "number": 2,  # 42, 7
        "case": 2,  # ada, The
        "unknown": 1,
        "tokens": 9,
        "unknown_tokens": 2,
        "file_words": 6,
        "file_not_utf8": 1,
    }
    assert json.loads((tmp_path / "out/words.json").read_text())["coverage"] == found


@given(st.lists(tokens, min_size=1, max_size=20), st.sets(tokens, max_size=10))
def test_coverage_adds_up_and_a_vocabulary_agrees_with_it(corpus, known):
    documents = [Document("a", tuple(corpus))]
    found = coverage(documents, known)
    assert found["forms"] == len(set(corpus)) == sum(found[way] for way in ("exact", "number", "case", "unknown"))
    vocabulary = Vocabulary.of(documents, sorted(known))
    assert found["unknown_tokens"] == sum(vocabulary.word_id(token) == 0 for token in corpus)


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


def test_vectors_of_the_same_file_and_tokens_are_current_and_of_any_other_not(tmp_path):
    documents = [Document("a", ("Ada", "the"))]
    source = write(tmp_path / "v.txt", text(False))
    folder = tmp_path / "out"
    assert not are_current(documents, "f" * 64, folder)
    write_corpus_vectors(documents, source, folder, "f" * 64)
    assert are_current(documents, "f" * 64, folder)
    assert not are_current(documents, "e" * 64, folder)
    assert not are_current([Document("a", ("Ada", "The"))], "f" * 64, folder)
    (folder / "vectors.npy").write_bytes(b"cut")
    assert not are_current(documents, "f" * 64, folder)
