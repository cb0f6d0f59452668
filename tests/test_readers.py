"""The door of every reader: whatever a file holds, what comes out is a document or one sentence that names the file."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cman.corpora.ade import read_relations
from cman.corpora.brat_lines import read_annotations
from cman.corpora.columns import read_columns
from cman.corpora.document import read_documents
from cman.corpora.dygie import read_file as read_dygie
from cman.corpora.spert import read_file as read_spert
from cman.errors import CmanError, reads
from cman.features.elmo.weights import read_options, read_weights
from cman.report.results import read_run
from tests.features.tiny_elmo import write_elmo

MANY = "9" * 5000  # digits, more than Python turns into a number
DOCUMENT = {"id": "1", "tokens": ["Ada", "left"], "entities": [{"type": "P", "start": 0, "end": 1}], "relations": []}
TEXT = "Ada lives in London."


def test_a_message_has_at_most_500_characters_and_keeps_its_end():
    message = str(CmanError("file: found " + "x" * 10_000 + ", wanted a word"))
    assert len(message) == 500 and message.startswith("file: found xx") and message.endswith(", wanted a word")
    assert str(CmanError("short")) == "short"


def test_whatever_a_parser_raises_is_a_sentence_with_the_file(tmp_path):
    @reads("a word")
    def broken(path: Path, error: BaseException) -> None:
        raise error

    for error in (
        KeyError("x"),
        ZeroDivisionError("y\nz"),
        UnicodeError("z" * 9999),
        RecursionError(),
        OSError("gone"),
    ):
        with pytest.raises(CmanError, match=r"f: found what cannot be read \(\w+: .*wanted a word") as told:
            broken(tmp_path / "f", error)
        assert len(str(told.value)) <= 500 and "\n" not in str(told.value)
    with pytest.raises(CmanError, match=r"^own$"):
        broken(tmp_path / "f", CmanError("own"))
    with pytest.raises(KeyboardInterrupt):
        broken(tmp_path / "f", KeyboardInterrupt())


def test_numbers_that_python_cannot_read_are_refused(tmp_path):
    row = f"1|{TEXT}|lives|4|9|London|13|{MANY}"
    with pytest.raises(CmanError, match=r"a\.rel: line 1: field drug end: found '9999"):
        read_relations([row], "a.rel")
    (tmp_path / "a.ann").write_text(f"T1\tPeop 0 {MANY}\tAda\n")
    with pytest.raises(CmanError, match=r"a\.ann: line 1: field span: found"):
        read_annotations(tmp_path / "a.ann", TEXT)
    (tmp_path / "c.txt").write_text(f"#doc 1\n0\tAda\tB-P\t['N']\t[{MANY}]\n")
    with pytest.raises(CmanError, match=r"c\.txt: line 2: field heads"):
        read_columns(tmp_path / "c.txt", [])


def test_a_label_that_no_file_can_hold_is_refused(tmp_path):
    (tmp_path / "c.txt").write_text("#doc 1\n0\tROOT\tO\t['\\ud800']\t[1]\n1\thuis\tB-p\t['N']\t[1]\n")
    with pytest.raises(CmanError, match=r"line 2: field relations: .*wanted text without lone surrogates"):
        read_columns(tmp_path / "c.txt", [], root=True)


def test_a_provenance_without_a_setting_is_named(tmp_path):
    counts = {"true_positive": 0, "predicted": 0, "gold": 0}
    level = {name: {"all": counts, "types": {}} for name in ("strict", "boundaries", "relaxed")}
    names = ("corpus", "experiment", "split", "corpus_title", "title", "protocol", "inputs_title")
    provenance = {**dict.fromkeys(names, "main"), "sample": True, "seed": 1, "settings": {"training": {"epochs": 3}}}
    (tmp_path / "scores.json").write_text(json.dumps({"documents": 1, "entities": level, "relations": level}))
    (tmp_path / "provenance.json").write_text(json.dumps(provenance))
    with pytest.raises(CmanError, match=r"provenance\.json: field settings: found nothing under 'protocol'"):
        read_run(tmp_path)


# ---- mutations


def brat(path: Path) -> Any:
    return read_annotations(path, TEXT)


def dygie(path: Path) -> Any:
    return read_dygie(path, None, "en", [])


def spert(path: Path) -> Any:
    return read_spert(path, None, "en", [])


def columns(path: Path) -> Any:
    return read_columns(path, [])


def rel(path: Path) -> Any:
    return read_relations(path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1], str(path))


SEEDS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "documents": (read_documents, json.dumps({**DOCUMENT, "text": "Ada left", "offsets": [[0, 3], [4, 8]]}) + "\n"),
    "dygie": (dygie, json.dumps({"doc_key": "a", "sentences": [["Ada", "left"]], "ner": [[[0, 0, "P"]]]}) + "\n"),
    "spert": (spert, json.dumps([{**{key: value for key, value in DOCUMENT.items() if key != "id"}, "orig_id": 3}])),
    "columns": (columns, "#doc 1\n0\tAda\tB-P\t['L']\t[1]\n1\tRome\tB-L\t['N']\t[1]\n"),
    "brat": (brat, "T1\tPeop 0 3\tAda\nT2\tLoc 13 19\tLondon\nR1\tLive Arg1:T1 Arg2:T2\n"),
    "rel": (rel, "1|Ada lives in London.|lives|4|9|London|13|19\n"),
}
PIECES = [
    b"\x00",
    b"\xff",
    b"\n",
    b'"',
    b"\\ud800",
    b"[",
    b"]",
    b"{",
    b"}",
    b"-1",
    b"9" * 5000,
    b"1e999",
    b"NaN",
    b"\t",
]


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Content with up to three cuts, copies, flips or pieces put in."""
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.randint(0, 8))
        kind = chance.randrange(5)
        put = [
            b"",
            content[start:end] * 2,
            chance.choice(PIECES),
            bytes([chance.randrange(256)]),
            b"[" * chance.randint(1, 3000),
        ]
        content = content[:start] + put[kind] + content[end:]
    return content


def fuzz(reader: Callable[[Path], Any], content: bytes, path: Path, times: int, seed: int) -> None:
    """Read mutations of a file; nothing but CmanError may come out, and no message of more than 500 characters."""
    for number in range(times):
        path.write_bytes(mutated(content, random.Random(f"{seed}.{number}")))
        try:
            reader(path)
        except CmanError as error:
            assert len(str(error)) <= 500 and str(path) in str(error), (seed, number, error)
        except Exception as error:
            raise AssertionError(f"{path}: seed {seed}, mutation {number}: {error!r}") from error


@pytest.mark.parametrize("name", SEEDS)
def test_mutations_of_a_file_are_read_or_refused(name, tmp_path, mutations):
    reader, content = SEEDS[name]
    reader_path = tmp_path / "file.txt"
    reader_path.write_text(content)
    reader(reader_path)
    fuzz(reader, content.encode(), reader_path, mutations, 1)


def test_mutations_of_elmos_files_are_read_or_refused(tmp_path, mutations):
    options, weights = write_elmo(tmp_path)
    known = read_options(options)
    fuzz(read_options, options.read_bytes(), tmp_path / "mutated.json", mutations, 2)

    def reader(path: Path) -> Any:
        return read_weights(path, known, options)

    fuzz(reader, weights.read_bytes(), tmp_path / "mutated.hdf5", mutations, 3)
