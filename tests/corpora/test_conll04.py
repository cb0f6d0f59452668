"""Both packagings of CoNLL04: what is read, what is refused, and what the real files hold."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from cman.corpora.columns import read_columns
from cman.corpora.conll04 import read_spert
from cman.corpora.document import Document, Entity, Relation
from cman.errors import CmanError

SENTENCE = """#doc 7
0\tAda\tB-Peop\t['N']\t[0]
1\tVale\tI-Peop\t['Live_In', 'Work_For']\t[3, 5]
2\tof\tO\t['N']\t[2]
3\tOrm\tB-Loc\t['N']\t[3]
4\tleft\tO\t['N']\t[4]
5\tTKL\tB-Org\t['OrgBased_In']\t[3]
"""
PARSED = Document(
    "7",
    ("Ada", "Vale", "of", "Orm", "left", "TKL"),
    (Entity("Peop", 0, 2), Entity("Loc", 3, 4), Entity("Org", 5, 6)),
    (Relation("Live_In", 0, 1), Relation("Work_For", 0, 2), Relation("OrgBased_In", 2, 1)),
)


def read(folder: Path, content: str, warnings: list[str] | None = None) -> list[Document]:
    path = folder / "train.txt"
    path.write_text(content, encoding="utf-8", newline="")
    return read_columns(path, [] if warnings is None else warnings)


def refused(folder: Path, content: str, message: str) -> None:
    with pytest.raises(CmanError, match=re.escape(f"{folder / 'train.txt'}: {message}")):
        read(folder, content)


# ---- the bekou packaging


def test_a_sentence_is_read_with_its_relations_from_first_to_second_argument(tmp_path: Path) -> None:
    warnings: list[str] = []
    assert read(tmp_path, SENTENCE, warnings) == [PARSED]
    assert warnings == []


@pytest.mark.parametrize(
    "content", [SENTENCE.replace("\n", "\r\n"), "\n\n" + SENTENCE + "\n\n", SENTENCE.removesuffix("\n")]
)
def test_blank_lines_and_line_ends_do_not_matter(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == [PARSED]


def test_the_order_of_documents_is_kept(tmp_path: Path) -> None:
    assert [document.id for document in read(tmp_path, SENTENCE + SENTENCE.replace("#doc 7", "#doc 3"))] == ["7", "3"]


@pytest.mark.parametrize(
    ("old", "new", "entity", "token"),
    [("B-Loc", "I-Loc", Entity("Loc", 3, 4), 3), ("I-Peop", "I-Loc", Entity("Loc", 1, 2), 1)],
)
def test_a_stray_inside_tag_opens_an_entity_and_is_reported(
    tmp_path: Path, old: str, new: str, entity: Entity, token: int
) -> None:
    warnings: list[str] = []
    (document,) = read(tmp_path, SENTENCE.replace(old, new), warnings)
    assert entity in document.entities
    assert warnings == [f"document 7: stray I-Loc at token {token} read as the start of an entity"]


# Each row: a text of SENTENCE, what replaces it, and what the message says after the name of the file.
MALFORMED = [
    ("2\tof", "3\tof", "line 4: field index: found '3', wanted 2"),
    ("2\tof", "x\tof", "line 4: field index: found 'x', wanted 2"),
    ("2\tof", "2\t", "line 4: field token: found nothing, wanted a token"),
    ("2\tof\tO", "2\tof\tX-Loc", "line 4: field tag: found 'X-Loc', wanted O, B-type or I-type"),
    ("2\tof\tO", "2\tof\tB", "line 4: field tag: found 'B', wanted O, B-type or I-type"),
    ("2\tof\tO", "2\tof\tI-", "line 4: field tag: found 'I-', wanted O, B-type or I-type"),
    ("2\tof\tO", "2\tof\tO-Loc", "line 4: field tag: found 'O-Loc', wanted O, B-type or I-type"),
    ("2\tof\tO", "2\tof O", "line 4: found 4 columns, wanted 5 (index, token, tag, relations, heads)"),
    ("[2]", "[2]\t", "line 4: found 6 columns, wanted 5"),
    ("[3, 5]", "[3, 6]", "line 3: field heads: found 6, wanted an index from 0 to 5"),
    ("[3, 5]", "[-1, 5]", "line 3: field heads: found -1, wanted an index from 0 to 5"),
    ("[3, 5]", "[3]", "line 3: field heads: found 1 heads, wanted 2, one a relation label"),
    ("[3, 5]", "[3, 5, 5]", "line 3: field heads: found 3 heads, wanted 2"),
    ("[3, 5]", "[3, '5']", "line 3: field heads: found \"[3, '5']\", wanted a list of token indices such as [14]"),
    ("[3, 5]", "[3, True]", "line 3: field heads: found '[3, True]', wanted a list of token indices"),
    ("[3, 5]", "3", "line 3: field heads: found '3', wanted a list of token indices"),
    ("[2]", "[]", "line 4: field heads: found '[]', wanted a list of token indices"),
    ("['Live_In', 'Work_For']", "[Live_In]", "line 3: field relations: found '[Live_In]', wanted a list of labels"),
    ("['Live_In', 'Work_For']", "['Live_In'", "line 3: field relations: found \"['Live_In'\", wanted a list of labels"),
    ("['Live_In', 'Work_For']", "[1, 2]", "line 3: field relations: found '[1, 2]', wanted a list of labels"),
    ("['Live_In', 'Work_For']", "[]", "line 3: field relations: found '[]', wanted a list of labels such as ['Kill']"),
    (
        "[3, 5]",
        "[3, 4]",
        "line 3: field heads: found a Work_For relation at token 4 ('left'), wanted the last token of",
    ),
    ("[3, 5]", "[0, 5]", "line 3: field heads: found a Live_In relation at token 0 ('Ada'), wanted the last token of"),
    (
        "['N']\t[0]",
        "['Kill']\t[5]",
        "line 2: field relations: found a Kill relation at token 0 ('Ada'), wanted the last",
    ),
    ("#doc 7", "#doc", "line 1: field document id: found nothing, wanted '#doc ID'"),
    ("#doc 7\n", "", "line 1: found \"0\\tAda\\tB-Peop\\t['N']\\t[0]\", wanted '#doc ID' before the first token"),
    ("#doc 7", "#doc 6\n#doc 7", "line 1: document '6' has no token, wanted at least one row"),
]


def test_a_malformed_line_is_named_with_what_was_wanted(tmp_path: Path) -> None:
    for old, new, message in MALFORMED:
        assert SENTENCE.count(old) == 1
        refused(tmp_path, SENTENCE.replace(old, new), message)


def test_a_file_whose_documents_or_bytes_are_wrong_is_named(tmp_path: Path) -> None:
    refused(tmp_path, SENTENCE + "#doc 9\n", "line 8: document '9' has no token")
    refused(tmp_path, SENTENCE * 2, "line 8: field document id: found '7', which already stands on line 1")
    for content in ("", "\n\n"):
        refused(tmp_path, content, "found no sentence, wanted lines that begin with '#doc'")
    path = tmp_path / "train.txt"
    path.write_bytes(SENTENCE.encode().replace(b"Orm", b"\xc5rm"))
    with pytest.raises(CmanError, match=re.escape(f"{path}: line 5: found the byte 0xc5, wanted UTF-8 text")):
        read_columns(path, [])
    with pytest.raises(CmanError, match="cannot be read"):
        read_columns(tmp_path / "none.txt", [])


# ---- the spert packaging

ITEM: dict[str, Any] = {
    "tokens": list(PARSED.tokens),
    "entities": [vars(entity) | {"score": 1} for entity in PARSED.entities],
    "relations": [{"type": "Live_In", "head": 0, "tail": 1}],
    "orig_id": 7,
}


def write_spert(folder: Path, value: Any) -> Path:
    path = folder / "conll04.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_a_spert_document_is_read_under_its_original_number(tmp_path: Path) -> None:
    entities = [{"type": entity.type, "start": entity.start, "end": entity.end} for entity in PARSED.entities]
    path = write_spert(tmp_path, {"train": [ITEM | {"entities": entities}], "test": []})
    assert read_spert(path, "train") == [
        Document("7", PARSED.tokens, PARSED.entities, (Relation("Live_In", 0, 1),)),
    ]


WRONG_ITEMS = [
    ("Ada", "field orig_id: found None, wanted the number of the document"),
    ({"tokens": ["Ada"]}, "field orig_id: found None, wanted the number of the document"),
    (ITEM | {"tokens": []}, "field tokens: found [], wanted a list of at least 1"),
    (ITEM | {"tokens": ["Ada"]}, "field entities[0].end: found 2, wanted an integer from 1 to 1"),
    (ITEM | {"source": "AP"}, "field source: unknown key"),
    ({"orig_id": 8, "tokens": ["Ada"], "entities": []}, "field relations: is missing"),
]


def test_a_spert_file_without_the_split_or_with_a_malformed_document_is_named_with_its_place(tmp_path: Path) -> None:
    missing = "field train: found no documents, wanted a list of them under the key 'train'"
    for value, message in (
        *((value, missing) for value in ({}, {"train": []}, {"train": {}}, [ITEM], {"dev": [ITEM]})),
        *(({"train": [ITEM, item]}, f"train[1]: {message}") for item, message in WRONG_ITEMS),
    ):
        path = write_spert(tmp_path, value)
        with pytest.raises(CmanError, match=re.escape(f"{path}: {message}")):
            read_spert(path, "train")
    path.write_text('{"train":\n [}', encoding="utf-8")
    with pytest.raises(CmanError, match=re.escape(f"{path}: line 2: found invalid JSON")):
        read_spert(path, "train")


# ---- the real files

STRAY = {
    "train": [
        "document 4295: stray I-Loc at token 31 read as the start of an entity",
        "document 1395: stray I-Org at token 34 read as the start of an entity",
    ]
}


@pytest.fixture(scope="module")
def mirror() -> Path:
    folder = Path(os.environ.get("CMAN_MIRROR") or "/nonexistent") / "conll04"
    if not folder.is_dir():
        pytest.skip("CMAN_MIRROR names no folder with the real corpora")
    return folder


def real(mirror: Path, packaging: str, split: str) -> tuple[list[Document], list[str]]:
    warnings: list[str] = []
    if packaging == "bekou":
        return read_columns(mirror / "bekou" / f"{split}.txt", warnings), warnings
    return read_spert(mirror / "spert" / "conll04.json", split), warnings


def test_the_two_stray_tags_of_the_real_files_are_told(mirror: Path) -> None:
    for split in ("train", "dev", "test"):
        assert real(mirror, "bekou", split)[1] == STRAY.get(split, [])


def content(document: Document) -> tuple[str, list[tuple[str, int, str]], set[tuple[str, int, int]]]:
    """Return what does not depend on the tokenisation: the text without spaces, the entities, the relations.

    An entity is its type, the place of its first character and its text without a final full stop; only the full stop
    has to go, because one packaging counts the one that ends a sentence to the entity and the other does not.
    """
    joined = "".join(document.tokens)
    spans = []
    for entity in document.entities:
        first = len("".join(document.tokens[: entity.start]))
        spans.append((entity.type, first, "".join(document.tokens[entity.start : entity.end]).removesuffix(".")))
    relations = {(relation.type, spans[relation.head][1], spans[relation.tail][1]) for relation in document.relations}
    return joined, spans, relations


def both_tests(mirror: Path) -> list[tuple[Document, Document]]:
    first, second = ({document.id: document for document in real(mirror, name, "test")[0]} for name in PACKAGINGS)
    assert first.keys() == second.keys()
    return [(first[key], second[key]) for key in first]


PACKAGINGS = ("bekou", "spert")


def test_all_288_test_sentences_have_the_same_text_entities_and_relations_in_both_packagings(mirror: Path) -> None:
    pairs = both_tests(mirror)
    assert len(pairs) == 288
    for first, second in pairs:
        assert content(first) == content(second)


def test_the_packagings_cut_the_test_sentences_differently(mirror: Path) -> None:
    pairs = both_tests(mirror)
    assert sum(first.tokens != second.tokens for first, second in pairs) == 72
    assert sum(entity_texts(first) != entity_texts(second) for first, second in pairs) == 36


def entity_texts(document: Document) -> list[str]:
    return ["".join(document.tokens[entity.start : entity.end]) for entity in document.entities]
