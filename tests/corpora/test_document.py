"""Documents survive a file, and a malformed one is refused with its file, line and field."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.document import ROOT, Document, Entity, Relation, parse_document, read_documents, write_documents
from cman.errors import CmanError

VALID = {
    "id": "1024",
    "tokens": ["Ada", "Vale", "left", "Orm"],
    "entities": [{"type": "Peop", "start": 0, "end": 2}, {"type": "Loc", "start": 3, "end": 4}],
    "relations": [{"type": "Live_In", "head": 0, "tail": 1}],
    "text": "Ada Vale left Orm",
    "offsets": [[0, 3], [4, 8], [9, 13], [14, 17]],
}

words = st.text(min_size=1, max_size=8)
scores = st.none() | st.floats(0, 1)


@st.composite
def documents(draw: st.DrawFn, identifier: str = "1") -> Document:
    tokens = tuple(draw(st.lists(words, min_size=1, max_size=12)))
    entities: list[Entity] = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(tokens) - 1))
        entities.append(Entity(draw(words), start, draw(st.integers(start + 1, len(tokens))), draw(scores)))
    places = st.integers(0, max(0, len(entities) - 1))
    relation = st.builds(Relation, words, places, places, scores)
    relations = draw(st.lists(relation, max_size=3)) if entities else []
    text = draw(st.none() | st.just("".join(tokens)))
    offsets = None
    if draw(st.booleans()):
        ends = [sum(map(len, tokens[: place + 1])) for place in range(len(tokens))]
        offsets = tuple((end - len(token), end) for token, end in zip(tokens, ends, strict=True))
    return Document(identifier, tokens, tuple(entities), tuple(relations), text, offsets)


@given(documents())
def test_a_document_survives_the_way_to_json_and_back(document: Document) -> None:
    line = json.dumps(document.to_json(), ensure_ascii=False)
    assert parse_document(json.loads(line), "here") == document


@given(st.lists(documents(), min_size=1, max_size=5))
def test_a_file_of_documents_survives_writing_and_reading(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Document]
) -> None:
    written = [Document(str(number), *list(vars(document).values())[1:]) for number, document in enumerate(drawn)]
    path = tmp_path_factory.mktemp("documents") / "split.jsonl"
    write_documents(path, written)
    assert read_documents(path) == written


def test_line_separators_inside_a_token_do_not_split_the_line(tmp_path: Path) -> None:
    document = Document("1", ("a\u2028b", "c\x85d", "e\nf"))
    write_documents(tmp_path / "split.jsonl", [document])
    assert read_documents(tmp_path / "split.jsonl") == [document]


def test_scores_are_written_and_what_is_not_known_is_not() -> None:
    document = Document(
        "1", ("Ada",), (Entity("Peop", 0, 1), Entity("Peop", 0, 1, 0.25)), (Relation("Kill", 0, 0, 0.0),)
    )
    assert document.to_json() == {
        "id": "1",
        "tokens": ["Ada"],
        "entities": [{"type": "Peop", "start": 0, "end": 1}, {"type": "Peop", "start": 0, "end": 1, "score": 0.25}],
        "relations": [{"type": "Kill", "head": 0, "tail": 0, "score": 0.0}],
    }


# Each row: where in VALID, what is put there, the field the message names, what it says it found and wanted.
WRONG_VALUES: list[tuple[list[str | int], Any, str, str, str]] = [
    (["id"], 1024, "id", "1024", "a string"),
    (["id"], "", "id", '""', "a non-empty string"),
    (["tokens"], "Ada", "tokens", '"Ada"', "a list"),
    (["tokens"], [], "tokens", "[]", "a list of at least 1"),
    (["tokens", 2], "", "tokens[2]", '""', "a non-empty string"),
    (["tokens", 2], None, "tokens[2]", "null", "a string"),
    (["entities"], None, "entities", "null", "a list"),
    (["entities", 1], [3, 4], "entities[1]", "[3, 4]", "an object"),
    (["entities", 1, "type"], "", "entities[1].type", '""', "a non-empty string"),
    (["entities", 1, "start"], -1, "entities[1].start", "-1", "a whole number from 0 on"),
    (["entities", 1, "start"], 4, "entities[1].start", "4", "an integer from 0 to 3"),
    (["entities", 1, "start"], True, "entities[1].start", "true", "a whole number"),
    (["entities", 1, "end"], 3, "entities[1].end", "3", "an integer from 4 to 4"),
    (["entities", 1, "end"], 4.0, "entities[1].end", "4.0", "a whole number"),
    (["entities", 1, "score"], 1.5, "entities[1].score", "1.5", "a number less than or equal to 1"),
    (["entities", 1, "score"], float("nan"), "entities[1].score", "NaN", "a number less than or equal to 1"),
    (["entities", 1, "score"], True, "entities[1].score", "true", "a number"),
    (["relations", 0], "Live_In", "relations[0]", '"Live_In"', "an object"),
    (["relations", 0, "type"], 7, "relations[0].type", "7", "a string"),
    (["relations", 0, "head"], 2, "relations[0].head", "2", "an integer from 0 to 1"),
    (["relations", 0, "tail"], -1, "relations[0].tail", "-1", "a whole number from 0 on"),
    (["relations", 0, "score"], "high", "relations[0].score", '"high"', "a number"),
    (["entities"], [], "relations[0]", '{"type": "Live_In", "head": 0, "tail": 1}', "no relation"),
    (["text"], 5, "text", "5", "a string"),
    (["offsets"], {}, "offsets", "{}", "a list"),
    (["offsets"], [[0, 3]], "offsets", "[[0, 3]]", "one [start, end] pair for each of the 4 tokens"),
    (["offsets", 1], [4], "offsets[1]", "[4]", "a list of at least 2"),
    (["offsets", 1], 4, "offsets[1]", "4", "a list"),
    (["offsets", 1, 1], 3, "offsets[1][1]", "3", "an integer from 4 to 17"),
    (["offsets", 3, 1], 18, "offsets[3][1]", "18", "an integer from 14 to 17"),
    (["offsets", 1], [5, 8], "offsets[1]", "[5, 8]", "the characters of the token 'Vale' in text"),
    (["offsets", 1], [2, 8], "offsets[1][0]", "2", "an integer from 3 to 17"),
    (["text"], "Eda Vale left Orm", "offsets[0]", "[0, 3]", "the characters of the token 'Ada' in text"),
    (["tokens", 2], "lift", "offsets[2]", "[9, 13]", "the characters of the token 'lift' in text"),
]


def test_a_wrong_value_is_named_with_its_field_and_what_was_wanted(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    for keys, value, field, written, expected in WRONG_VALUES:
        changed: Any = json.loads(json.dumps(VALID))
        target = changed
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = value
        path.write_text(json.dumps(VALID | {"id": "1"}) + "\n" + json.dumps(changed) + "\n", encoding="utf-8")
        message = f"{path}: line 2: field {field}: found {written}, wanted {expected}"
        with pytest.raises(CmanError, match=re.escape(message)):
            read_documents(path)


def test_offsets_without_a_text_have_the_lengths_of_the_tokens_and_a_root_has_no_characters() -> None:
    value = {"id": "1", "tokens": ["ROOT", "huis"], "entities": [{"type": ROOT, "start": 0, "end": 1}], "relations": []}
    assert parse_document({**value, "offsets": [[3, 3], [3, 7]]}, "x").offsets == ((3, 3), (3, 7))
    assert parse_document({**value, "text": "huis", "offsets": [[0, 0], [0, 4]]}, "x").text == "huis"
    for offsets in ([[3, 3], [3, 6]], [[3, 4], [4, 8]]):
        with pytest.raises(CmanError, match=r"field offsets\[.\]: .*wanted the characters of the token"):
            parse_document({**value, "offsets": offsets}, "x")
    with pytest.raises(CmanError, match="wanted the characters of the token 'ROOT'"):
        parse_document({**value, "entities": [], "offsets": [[3, 3], [3, 7]]}, "x")


def test_a_missing_key_and_an_unknown_key_are_refused() -> None:
    for group, field in (("", ""), ("entities", "entities[0]."), ("relations", "relations[0].")):
        changed: Any = json.loads(json.dumps(VALID))
        target = changed[group][0] if group else changed
        target["colour"] = "red"
        with pytest.raises(CmanError, match=re.escape(f"a.jsonl: line 7: field {field}colour: unknown key")):
            parse_document(changed, "a.jsonl: line 7")
        del target["colour"]
        missing = next(iter(target))
        del target[missing]
        with pytest.raises(CmanError, match=re.escape(f"a.jsonl: line 7: field {field}{missing}: is missing")):
            parse_document(changed, "a.jsonl: line 7")


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(CmanError) as caught:
        parse_document(VALID | {"tokens": "x" * 1000}, "a.jsonl: line 1")
    assert len(str(caught.value)) < 150


def test_a_file_that_holds_no_documents_is_named_with_the_line(tmp_path: Path) -> None:
    path, line = tmp_path / "train.jsonl", json.dumps(VALID).encode() + b"\n"
    with pytest.raises(CmanError, match=re.escape(f"{path}: cannot be read")):
        read_documents(path)
    for content, message in (
        (b"[1]\n", "line 1: field (all): found [1], wanted an object"),
        (line + b"\n{'id': 1}\n", "line 3: found invalid JSON"),
        (line * 2, "line 2: field id: '1024' already stands on line 1"),
        (b"", "found no document, wanted at least one"),
        (b"\n \n", "found no document, wanted at least one"),
        (line + b'{"id": "Malm\xf6"}\n', "line 2: found the byte 0xf6, wanted UTF-8 text"),
    ):
        path.write_bytes(content)
        with pytest.raises(CmanError, match=re.escape(f"{path}: {message}")):
            read_documents(path)


def test_a_failure_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    write_documents(path, [Document("1", ("old",))])

    def breaking() -> Any:
        yield Document("2", ("new",))
        raise RuntimeError("out of documents")

    with pytest.raises(RuntimeError):
        write_documents(path, breaking())
    assert read_documents(path) == [Document("1", ("old",))]
    assert list(tmp_path.iterdir()) == [path]
