"""Word vectors in every format they come in, whole and damaged."""

import io
import json
import re
import struct
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
NEEDED = {"Ada", "the", "café", "absent"}


def text(header: bool) -> bytes:
    lines = [f"{word} {' '.join(map(str, values))}" for word, values in VECTORS.items()]
    return "\n".join([f"{len(VECTORS)} 2"] * header + lines + [""]).encode()


def binary(newlines: bool = True) -> bytes:
    entries = [f"{word} ".encode() + struct.pack("<2f", *values) for word, values in VECTORS.items()]
    return f"{len(VECTORS)} 2\n".encode() + (b"\n" if newlines else b"").join(entries)


FORMATS = {"v.txt": text(True), "glove.txt": text(False), "v.bin": binary(), "tight.bin": binary(False)}


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("ending", ["", ".zip", ".gz", ".7z"])
def test_needed_words_are_read_in_the_order_of_the_file_whatever_it_is_packed_in(ending, tmp_path):
    for name, content in FORMATS.items():
        words, vectors = read_vectors(packed(tmp_path / f"{name}{ending}", name, content), NEEDED)
        assert words == ["Ada", "the", "café"]
        assert vectors.dtype == np.float32 and vectors.tolist() == [VECTORS[word] for word in words]


def test_the_name_inside_says_whether_vectors_are_binary(tmp_path):
    for name in ("any.7z", "any.zip"):
        assert read_vectors(packed(tmp_path / name, "v.bin", b"1 1\nAda " + bytes(4)), {"Ada"})[1].tolist() == [[0.0]]


def test_small_liberties_of_text_files_are_understood(tmp_path):
    for content in (
        b"Ada 1 -2.5 \r\nthe 0.25 0 \r\n",  # trailing spaces
        b"2 2\r\nAda 1 -2.5\r\nthe 0.25 0",
        b"Ada 1 -2.5\nthe 2.5e-1 0\n",
        b"Ada 1 -2.5\nthe 0.25 0\nAda 3 4\n",  # the first vector of a word counts
        b"Ada 1 -2.5\nzebra x y\nthe 0.25 0\n",  # values of words that nobody needs are not looked at
    ):
        words, vectors = read_vectors(write(tmp_path / "v.txt", content), NEEDED)
        assert words == ["Ada", "the"] and vectors.tolist() == [[1, -2.5], [0.25, 0]]


def test_words_with_spaces_are_read_as_one_word(tmp_path):
    words, vectors = read_vectors(write(tmp_path / "v.txt", b"Ada 1 2\n. . . 3 4\n"), {". . .", "."})
    assert words == [". . ."] and vectors.tolist() == [[3, 4]]


GOOD = b"Ada 1 2\n"
# The file, what stands in it, and the message.
REFUSED = [
    ("v.bin", binary()[:-3], "ends within word 4 of 4.*truncated"),
    ("v.bin", binary().replace(b"4 2", b"5 2", 1), "ends within word 5 of 5.*truncated"),
    ("v.txt", text(True).replace(b"4 2", b"5 2", 1), "found 4 words, wanted the 5 that line 1 announces"),
    ("v.txt", GOOD + b"the 1\n", "line 2: "),
    ("v.txt", GOOD + b"the 1 x\n", "line 2: "),
    ("v.txt", b"2 2\nAda 1 2\nthe 1 nan\n", "line 3: "),
    ("v.txt", GOOD + b"the 1 inf\n", "line 2: "),
    ("v.txt", b"Ada\n", "line 1: "),
    ("v.txt", b"5 3\nAda 1 2\n", "line 2: "),
    ("v.txt", "3 ²\nAda x y\n".encode(), "found none of the 4 words"),  # no numbers of words and values
    ("v.txt", "² 3\nAda x y\n".encode(), "found none of the 4 words"),
    *(("v.bin", content, "line 1") for content in (b"", GOOD, b"x y\n", b"3\n")),
    *(("v.bin", b"1 2\nAda " + struct.pack("<2f", 1.0, value), "a value that is not finite")
      for value in (float("nan"), float("inf"))),
    *(("v.bin", binary() + more, "found more behind the 4 words") for more in (b"more 1234", b"\nmore")),
    *(("v.bin", first + binary()[3:], "line 1: found")
      for first in (b"4 0", b"4 99999999999", b"99999999999999999999 2")),
    ("v.txt", b"a" * (2 << 20), "line 1: found more than 1048576 bytes"),
    ("v.bin", b"4 2\n" + b"a" * (2 << 20), "word 1 of 4: found no space behind it within 4096 bytes"),
    ("v.txt", b"Zebra 1 2\n", "found none of the 4 words"),
    ("v.txt", b"", "found none"),
]  # fmt: skip


def test_a_malformed_or_truncated_file_is_refused_with_its_line_or_word(tmp_path):
    for name, content, message in REFUSED:
        with pytest.raises(CmanError, match=rf"{re.escape(name)}: .*{message}"):
            read_vectors(write(tmp_path / name, content), NEEDED)
    with pytest.raises(CmanError, match=r"none\.txt: cannot be read"):
        read_vectors(tmp_path / "none.txt", NEEDED)
    assert read_vectors(write(tmp_path / "v.bin", binary() + b"\n"), NEEDED)[0] == ["Ada", "the", "café"]


@pytest.mark.parametrize("name", ["v.txt", "v.bin"])
def test_words_that_are_no_utf8_are_passed_over_and_counted(name, tmp_path):
    content = FORMATS[name].replace("café".encode(), b"caf\xe9")
    passed = Passed()
    words, _ = read_vectors(write(tmp_path / name, content), NEEDED, passed)
    assert words == ["Ada", "the"] and (passed.entries, passed.undecodable) == (4, 1)


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


@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz", "v.bin.7z", "v.bin.zip"])
def test_a_truncated_binary_file_leaves_nothing_behind(name, tmp_path):
    source = packed(tmp_path / name, "v.bin", binary()[:-3])
    with pytest.raises(CmanError, match=rf"{re.escape(name)}: ends within word 4 of 4.*truncated, get it again"):
        write_corpus_vectors([Document("a", ("Ada",))], source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


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
    covered = write_corpus_vectors(documents, source, tmp_path / "out")
    assert covered == {
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
    assert json.loads((tmp_path / "out/words.json").read_text())["coverage"] == covered


@given(st.lists(tokens, min_size=1, max_size=20), st.sets(tokens, max_size=10))
def test_coverage_adds_up_and_a_vocabulary_agrees_with_it(corpus, known):
    documents = [Document("a", tuple(corpus))]
    covered = coverage(documents, known)
    assert covered["forms"] == len(set(corpus)) == sum(covered[way] for way in ("exact", "number", "case", "unknown"))
    vocabulary = Vocabulary.of(documents, sorted(known))
    assert covered["unknown_tokens"] == sum(vocabulary.word_id(token) == 0 for token in corpus)


def test_files_of_corpus_vectors_that_are_missing_or_do_not_belong_together_are_refused(tmp_path):
    write_corpus_vectors([Document("a", ("Ada", "the"))], write(tmp_path / "v.txt", text(False)), tmp_path)
    np.save(tmp_path / "vectors.npy", np.zeros((1, 2)))
    with pytest.raises(CmanError, match=r"vectors\.npy: found SHA-256 "):
        read_corpus_vectors(tmp_path)
    (tmp_path / "manifest.sha256").unlink()  # as files of before there was one
    with pytest.raises(CmanError, match=r"vectors\.npy: found float64 of the shape \(1, 2\), wanted float32 with 2"):
        read_corpus_vectors(tmp_path)
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
