"""The door of every reader: whatever a file holds, what comes out is a document or one sentence that names the file."""

import json
from pathlib import Path

import pytest

from cman.corpora.ade import read_relations
from cman.corpora.brat_lines import read_annotations
from cman.corpora.columns import read_columns
from cman.errors import CmanError, reads
from cman.report.results import read_run

MANY = "9" * 5000  # digits, more than Python turns into a number
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
