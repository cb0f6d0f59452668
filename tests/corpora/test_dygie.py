"""DyGIE++'s JSON lines: texts of sentences whose spans count from the start of the text, both ends inclusive."""

import json
from pathlib import Path

import pytest
from documents import annotations
from hypothesis import given

from cman.config.configuration import parse_configuration
from cman.corpora.document import Document, Entity, Relation, read_documents
from cman.corpora.dygie import fitting, read_file, write
from cman.corpora.prepare import prepare
from cman.errors import CmanError
from cman.layout import Layout

# As a line of SciERC, shortened.
TEXT = {
    "doc_key": "P99-1",
    "sentences": [["We", "use", "HMMs", "."], ["Speech", "tagging", "uses", "it", "."]],
    "ner": [[[2, 2, "Method"]], [[4, 5, "Task"], [7, 7, "Generic"]]],
    "relations": [[], [[7, 7, 4, 5, "USED-FOR"]]],
    "clusters": [[[2, 2], [7, 7]]],
}
SENTENCES = [
    Document("P99-1#1", ("We", "use", "HMMs", "."), (Entity("Method", 2, 3),)),
    Document("P99-1#2", ("Speech", "tagging", "uses", "it", "."), (Entity("Task", 0, 2), Entity("Generic", 3, 4)),
             (Relation("USED-FOR", 1, 0),)),
]  # fmt: skip


def read(folder: Path, *texts: object) -> tuple[list[Document], list[str]]:
    path, warnings = folder / "a.jsonl", list[str]()
    path.write_text("".join(json.dumps(text) + "\n\n" for text in texts), encoding="utf-8")
    return read_file(path, None, "en", warnings), warnings


def changed(**keys: object) -> dict[str, object]:
    return {**TEXT, **keys}


def test_each_sentence_is_a_document_with_its_own_spans(tmp_path):
    assert read(tmp_path, TEXT) == (SENTENCES, [])


def test_a_text_of_one_sentence_keeps_its_name_and_needs_no_annotation(tmp_path):
    assert read(tmp_path, {"doc_key": "a", "sentences": [["Hi"]]}) == ([Document("a", ("Hi",))], [])


def test_a_relation_written_twice_is_read_once_and_told(tmp_path):
    found, warnings = read(tmp_path, changed(relations=[[], [[7, 7, 4, 5, "USED-FOR"]] * 2]))
    assert found == SENTENCES and "line 1: sentence 2: the relation USED-FOR is written twice" in warnings[0]


REFUSED = {
    "line 1: found '3', wanted an object": 3,
    "line 1: field sentences: found None": {"doc_key": "a"},
    r"field ner: found \[\[\]\], wanted 2 lists": changed(ner=[[]]),
    r"field relations: found \[1, 2\], wanted 2 lists": changed(relations=[1, 2]),
    r"sentence 1: field ner: found \[4, 4, 'X'\], wanted tokens of its sentence, which are 0 to 3": changed(
        ner=[[[4, 4, "X"]], []]
    ),
    r"field ner: found \[2, 1, 'X'\]": changed(ner=[[[2, 1, "X"]], []]),
    r"field ner: found \[2, 'X'\], wanted \[START, END, LABEL\]": changed(ner=[[[2, "X"]], []]),
    r"field relations: found the span \[8, 8\], wanted one of the sentence's ner": changed(
        relations=[[], [[8, 8, 4, 5, "USED-FOR"]]]
    ),
    r"field ner: found \[2, 2, 7\], wanted \[START, END, LABEL\]": changed(ner=[[[2, 2, 7]], []], relations=[[], []]),
    r"field tokens: found \[\], wanted a list of at least 1": {"doc_key": "a", "sentences": [[]]},
    "field id: found null": {"sentences": [["Hi"]]},
}


def test_malformed_lines_are_refused_with_line_field_found_and_wanted(tmp_path):
    for message, text in REFUSED.items():
        with pytest.raises(CmanError, match=message):
            read(tmp_path, text)
    with pytest.raises(CmanError, match="line 3: field doc_key: found 'P99-1#1' a second time"):
        read(tmp_path, TEXT, TEXT)
    with pytest.raises(CmanError, match="found no sentence"):
        read(tmp_path)
    (tmp_path / "a.jsonl").write_text("{")
    with pytest.raises(CmanError, match="line 1: found invalid JSON"):
        read_file(tmp_path / "a.jsonl", None, "en", [])


@given(annotations())
def test_what_fits_is_the_same_when_it_is_read_again(tmp_path_factory, annotated):
    document = Document("1", tuple("abcdef"), *annotated)
    path = tmp_path_factory.mktemp("dygie") / "a.jsonl"
    documents, lost = fitting([document])
    write(path, documents)
    assert read_file(path, None, "en", []) == documents
    gone = len(document.relations) - len(documents[0].relations)
    assert lost["relations written twice or of the second entity of a span"] == gone


def test_a_corpus_of_this_format_is_prepared_like_any_other(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps(TEXT) + "\n")
    paths = dict.fromkeys(("train", "dev", "test"), str(tmp_path / "a.jsonl"))
    configuration = parse_configuration({"corpora": {"mine": {"format": "dygie", "paths": paths}}}, "test")
    prepare("mine", configuration.corpus("mine"), Layout(tmp_path))
    assert read_documents(tmp_path / "corpora/mine/main/train.jsonl") == SENTENCES
