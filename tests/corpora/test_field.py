"""Corpora as people bring them: marks, line ends, folders, roles, keys and duplicates that other tools leave."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("spacy", reason="the extra `text` is not installed")

from typer.testing import CliRunner

from cman.cli.app import app
from cman.config.configuration import parse_configuration
from cman.corpora.check import check, verdict
from cman.corpora.document import Document, Entity, Relation, read_documents, text_of
from cman.corpora.prepare import prepare
from cman.corpora.splits import read_splits
from cman.errors import CmanError
from cman.layout import SPLITS, Layout

ADA = {
    "id": "1",
    "tokens": ["Ada", "works", "at", "Acme"],
    "entities": [{"type": "Per", "start": 0, "end": 1}, {"type": "Org", "start": 3, "end": 4}],
    "relations": [{"type": "Works", "head": 0, "tail": 1}],
}
FOUND = Document("1", ("Ada", "works", "at", "Acme"), (Entity("Per", 0, 1), Entity("Org", 3, 4)),
                 (Relation("Works", 0, 1),))  # fmt: skip
TEXT, SPANS = "Ada works at Acme.", "T1\tPer 0 3\tAda\nT2\tOrg 13 17\tAcme\n"
RELATION = "R1\tWorks Arg1:T1 Arg2:T2\n"


def corpus(format: str, paths: dict[str, Path], **keys: Any) -> Any:
    given = {"format": format, "paths": {split: str(path) for split, path in paths.items()}, **keys}
    return parse_configuration({"corpora": {"mine": given}}, "test").corpus("mine")


def brat(folder: Path, files: dict[str, str], **keys: Any) -> tuple[dict[str, list[Document]], str]:
    """Return the splits of a corpus of three equal folders, and the warnings."""
    for split in SPLITS:
        for name, content in files.items():
            path = folder / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
    return read(corpus("brat", {split: folder / split for split in SPLITS}, **keys))


def read(of: Any) -> tuple[dict[str, list[Document]], str]:
    warnings: list[str] = []
    return read_splits("mine", of, Path(), warnings), "\n".join(warnings)


def jsonl(folder: Path, lines: list[dict[str, Any]], **keys: Any) -> Any:
    path = folder / "all.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return corpus("jsonl", {"train": path}, **keys)


def numbered(count: int) -> list[dict[str, Any]]:
    return [{**ADA, "id": str(number)} for number in range(count)]


CONTENTS = {
    "jsonl": json.dumps(ADA) + "\r\n",
    "spert": json.dumps([{**ADA, "orig_id": 1, "id": None}]).replace(', "id": null', "").replace('"id": "1", ', ""),
    "dygie": json.dumps(
        {"doc_key": "1", "sentences": [ADA["tokens"]], "ner": [[[0, 0, "Per"], [3, 3, "Org"]]],
         "relations": [[[0, 0, 3, 3, "Works"]]]}
    ) + "\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", CONTENTS)
def test_a_byte_order_mark_is_no_part_of_a_corpus_and_wide_text_is_refused(tmp_path, name):
    path = tmp_path / "a"
    path.write_text(CONTENTS[name].replace('"id": null', '"x": 1'), encoding="utf-8-sig")
    given = corpus(name, dict.fromkeys(SPLITS, path))
    assert read(given)[0]["train"] == [FOUND]
    for encoding in ("utf-16", "utf-32"):
        path.write_text(CONTENTS[name], encoding=encoding)
        with pytest.raises(CmanError, match=f"byte order mark of {encoding.upper()}, wanted UTF-8"):
            read(given)


ROWS = {
    "conll04": "#doc 1\n0\tAda\tB-Per\t['N']\t[0]\n#doc 2\n0\tAcme\tB-Org\t['N']\t[0]\n",
    "conll2003": "Ada B-Per\n\nAcme B-Org\n",
    "jsonl": "".join(json.dumps({**ADA, "id": name}) + "\n" for name in "ab"),
    "dygie": "".join(
        json.dumps({"doc_key": name, "sentences": [["Ada"]], "ner": [[[0, 0, "Per"]]]}) + "\n" for name in "ab"
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_lines_end_as_any_system_ends_them_and_files_with_marks_may_have_been_put_together(tmp_path, name):
    path = tmp_path / "a"
    path.write_text(ROWS[name])
    expected, _ = read(corpus(name, dict.fromkeys(SPLITS, path)))
    assert len(expected["train"]) == 2
    second = ROWS[name].index("\n", len(ROWS[name]) // 3) + 1
    marked = f"\ufeff{ROWS[name][:second]}\ufeff{ROWS[name][second:]}"
    for content in (ROWS[name].replace("\n", "\r"), ROWS[name].replace("\n", "\r\n"), marked):
        path.write_bytes(content.encode())
        assert read(corpus(name, dict.fromkeys(SPLITS, path)))[0] == expected
    path.write_bytes(ROWS[name].encode("utf-16-le"))
    with pytest.raises(CmanError, match="line 1: found a zero byte, wanted UTF-8 text"):
        read(corpus(name, dict.fromkeys(SPLITS, path)))


def test_annotations_of_brat_may_end_their_lines_with_cr(tmp_path):
    splits, _ = brat(tmp_path, {"a.txt": TEXT, "a.ann": (SPANS + RELATION).replace("\n", "\r")})
    assert splits["train"][0].relations == FOUND.relations


def test_hidden_copies_below_a_brat_folder_are_not_read(tmp_path):
    files = {f"{below}a.{end}": text for below in ("", ".ipynb_checkpoints/", "__MACOSX/")
             for end, text in (("txt", TEXT), ("ann", SPANS))}  # fmt: skip
    assert [each.id for each in brat(tmp_path, files)[0]["train"]] == ["a-1"]


def test_text_without_offsets_is_that_of_the_tokens_or_refused(tmp_path):
    given = jsonl(tmp_path, [{**ADA, "id": str(number), "text": "Ada  works at Acme"} for number in range(9)])
    assert text_of(read(given)[0]["train"][0])[1] == [(0, 3), (5, 10), (11, 13), (14, 18)]
    with pytest.raises(CmanError, match=r'line 1: field text: found "Bob works", wanted the tokens and nothing but'):
        read(jsonl(tmp_path, [{**ADA, "text": "Bob works"}]))


def test_spert_may_have_a_document_a_line(tmp_path):
    path = tmp_path / "a.json"
    lines = [{**{key: ADA[key] for key in ADA if key != "id"}, "orig_id": number} for number in (7, 8)]
    for count in (1, 2):
        path.write_text("".join(json.dumps(line) + "\n" for line in lines[:count]))
        assert [each.id for each in read(corpus("spert", dict.fromkeys(SPLITS, path)))[0]["dev"]] == ["7", "8"][:count]


def test_five_columns_of_ones_own_have_all_three_splits(tmp_path):
    with pytest.raises(CmanError, match=r"'corpora\.mine': paths: found train, wanted all of train, dev and test"):
        corpus("conll04", {"train": tmp_path / "a"})


COUNTINGS = {
    "line ends CRLF are counted as one": ("Ada is.\r\nAcme is.", 0, 8),
    "line ends LF are counted as two": ("Ada is.\nAcme is.", 0, 9),
    "UTF-16 units are counted": ("Ada \U0001f600 is. Acme is.", 0, 11),
    "UTF-8 bytes are counted": ("Ada \u00e9\u00e9 is. Acme is.", 0, 13),
    "a byte order mark is counted": ("\ufeffAda is. Acme is.", 1, 9),
    "line ends CRLF are counted as one and UTF-16 units are counted": ("Ada \U0001f600\U0001f600.\r\nAcme is.", 0, 10),
}


@pytest.mark.parametrize("name", COUNTINGS)
def test_offsets_of_brat_in_another_counting_are_recognised_by_the_words_and_told(tmp_path, name):
    text, ada, acme = COUNTINGS[name]
    ann = f"T1\tPer {ada} {ada + 3}\tAda\nT2\tOrg {acme} {acme + 4}\tAcme\n"
    splits, said = brat(tmp_path, {"a.txt": text, "a.ann": ann})
    found = [document.tokens[each.start : each.end] for document in splits["test"] for each in document.entities]
    assert found == [("Ada",), ("Acme",)]
    assert f"spans all match if {name}, read so (a)" in said


def test_offsets_that_no_counting_explains_are_refused_as_they_stand(tmp_path):
    with pytest.raises(CmanError, match=r"a\.ann: line 2: field text: found 'Acme', wanted 'cme\.'"):
        brat(tmp_path, {"a.txt": TEXT, "a.ann": SPANS.replace("13 17", "14 18")})


def test_folders_below_a_brat_folder_and_upper_case_suffixes_are_read_and_strange_files_named(tmp_path):
    files = {"a.TXT": TEXT, "a.ann": SPANS, "sub/b.txt": TEXT, "sub/b.ANN": SPANS, "annotation.conf": "[entities]",
             "notes.docx": "x", ".hidden": "x", "empty.txt": "", "empty.ann": ""}  # fmt: skip
    splits, said = brat(tmp_path, files)
    assert [each.id for each in splits["train"]] == ["a-1", "sub/b-1"]
    assert "read folders below it, too: sub" in said and "1 files are not read: notes.docx" in said


def test_a_split_that_stands_inside_of_another_is_no_part_of_it(tmp_path):
    for folder in (tmp_path, tmp_path / "dev", tmp_path / "test"):
        folder.mkdir(exist_ok=True)
        (folder / "a.txt").write_text(TEXT)
        (folder / "a.ann").write_text(SPANS)
    splits, _ = read(corpus("brat", {"train": tmp_path, "dev": tmp_path / "dev", "test": tmp_path / "test"}))
    assert {split: len(documents) for split, documents in splits.items()} == dict.fromkeys(SPLITS, 1)


def test_roles_of_brat_relations_may_have_names_and_stand_in_any_order(tmp_path):
    relations = "R1\tWorks Employee:T1 Employer:T2\nR2\tIn Arg2:T1 Arg1:T2\nR3\tOwns Employer:T2\tEmployee:T1\n"
    other = "R1\tWorks Employer:T2 Employee:T1\n"
    files = {"a.txt": TEXT, "a.ann": SPANS + relations, "b.txt": TEXT, "b.ann": SPANS + other}
    splits, said = brat(tmp_path / "first", files)
    assert splits["train"][0].relations == (Relation("Works", 0, 1), Relation("In", 1, 0), Relation("Owns", 1, 0))
    assert splits["dev"][1].relations == (Relation("Works", 0, 1),)
    assert "Works: Employee is the head and Employer the tail, as in its first line" in said
    conf = "[entities]\nPer\nOrg\n[relations]\nWorks\tEmployer:Org, Employee:Per\n"
    splits, said = brat(tmp_path / "conf", {**files, "annotation.conf": conf})
    assert splits["train"][0].relations[0] == Relation("Works", 1, 0) and "Works:" not in said
    with pytest.raises(CmanError, match=r"a\.ann: line 3: field relation: found the role 'Arg1' twice"):
        brat(tmp_path / "twice", {"a.txt": TEXT, "a.ann": SPANS + "R1\tWorks Arg1:T1 Arg1:T2\n"})


def test_further_keys_of_spert_are_counted_and_missing_relations_are_none(tmp_path):
    bare = {"tokens": ADA["tokens"], "entities": [{**ADA["entities"][0], "head": 0}], "ltokens": ["A"], "org_id": 3}
    path = tmp_path / "a.json"
    path.write_text(json.dumps([bare, {**bare, "relations": None}]))
    splits, said = read(corpus("spert", dict.fromkeys(SPLITS, path)))
    assert [(each.id, each.entities, each.relations) for each in splits["test"]] == [
        ("0", FOUND.entities[:1], ()),
        ("1", FOUND.entities[:1], ()),
    ]
    assert "keys that are not read: entities.head (2), ltokens (2), org_id (2)" in said


def test_an_entity_that_is_written_twice_is_one_with_the_relations_of_both_before_any_policy(tmp_path):
    entities = [*ADA["entities"], ADA["entities"][0], {"type": "Org", "start": 1, "end": 2}]
    links = [*ADA["relations"], {"type": "Works", "head": 2, "tail": 1}, {"type": "Works", "head": 2, "tail": 3}]
    twice = {**ADA, "entities": entities, "relations": links}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(twice))
    given = corpus("jsonl", dict.fromkeys(SPLITS, path), overlap="drop_sentences")
    prepare("mine", given, Layout(tmp_path / "results"))
    (found,) = read_documents(tmp_path / "results/corpora/mine/main/train.jsonl")
    assert found.entities == (*FOUND.entities, Entity("Org", 1, 2))
    assert found.relations == (Relation("Works", 0, 1), Relation("Works", 0, 2))


def test_a_corpus_without_dev_or_test_is_divided_always_alike_and_says_so(tmp_path):
    given = jsonl(tmp_path, numbered(20), test={"share": 0.25})
    splits, said = read(given)
    assert {split: len(documents) for split, documents in splits.items()} == {"train": 13, "dev": 2, "test": 5}
    assert "no test: 5 of the 20" in said and "no dev: 2 of the 15" in said
    assert read(given)[0] == splits
    assert {each.id for part in splits.values() for each in part} == {str(number) for number in range(20)}
    with pytest.raises(CmanError, match="no test and one text in train"):
        read(jsonl(tmp_path, numbered(1)))


def test_a_corpus_of_ones_own_is_divided_into_as_many_folds_as_it_says(tmp_path):
    given, layout = jsonl(tmp_path, numbered(20), folds=5), Layout(tmp_path / "results")
    assert given.divisions == given.divisions_run == tuple(f"fold{number}" for number in range(5))
    prepare("mine", given, layout)
    tested = [
        each.id for fold in given.divisions for each in read_documents(layout.documents("mine", fold) / "test.jsonl")
    ]
    assert sorted(tested, key=int) == [str(number) for number in range(20)]
    assert not layout.documents("mine", "fold5").exists()
    rows, notes, reason = check("mine", given, layout)
    assert reason is None and "counts are of the first of 5 folds" in notes and rows[1] == ["sentences", "14", "2", "4"]
    with pytest.raises(CmanError, match=r"folds: found 5 and paths\.dev, wanted train alone"):
        corpus("jsonl", {"train": tmp_path / "a", "dev": tmp_path / "b"}, folds=5)


def test_sentences_of_one_text_stay_together_when_a_corpus_is_divided(tmp_path):
    files = {f"{name}.{end}": content * times for name in "abcdef" for end, content, times in
             (("txt", f"{TEXT} ", 3), ("ann", "", 1))}  # fmt: skip
    brat(tmp_path, files)
    splits, _ = read(corpus("brat", {"train": tmp_path / "train"}))
    texts = [{each.id.rpartition("-")[0] for each in documents} for documents in splits.values()]
    assert sum(map(len, texts)) == len(set.union(*texts)) == 6

    # Of DyGIE++'s texts, a name may end like a number of its own, and a text of one sentence has none.
    path = tmp_path / "texts.json"
    text = {"sentences": [["Ada", "works"]] * 3, "ner": [[[0, 0, "Per"]], [], [[4, 4, "Per"]]]}
    alone = {"sentences": text["sentences"][:1], "ner": text["ner"][:1]}
    lines = [{"doc_key": f"P99-{number}", **(text if number % 2 else alone)} for number in range(12)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    splits, _ = read(corpus("dygie", {"train": path}))
    texts = [{each.id.partition("#")[0] for each in documents} for documents in splits.values()]
    assert sum(map(len, texts)) == len(set.union(*texts)) == 12 and all(texts)


def test_the_check_has_labels_called_all_beside_the_totals_and_ends_with_a_verdict(tmp_path):
    entities = [{"type": "all", "start": 0, "end": 1}, {"type": "c\nd", "start": 3, "end": 4}]
    line = {**ADA, "entities": entities, "relations": [{"type": "all", "head": 0, "tail": 1}]}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**line, "tokens": ["Ada", "works", "at", "(Acme)"]}))
    rows, notes, reason = check("mine", corpus("jsonl", dict.fromkeys(SPLITS, path)), Layout(tmp_path))
    assert ["entities", "2", "2", "2"] in rows and ["  all", "1", "1", "1"] in rows and ["  c d", "1", "1", "1"] in rows
    assert reason is None
    assert verdict("mine", notes) == (
        "mine: can be trained; but first see: types with fewer than 50 examples, test repeats train or dev, raw text "
        "gets other tokens"
    )
    assert any("3 of 3 sentences get other tokens from raw text in en" in note and "Acme" in note for note in notes)


def test_a_language_that_no_tokeniser_knows_is_refused_by_the_check(tmp_path):
    _, _, reason = check("mine", jsonl(tmp_path, numbered(20), language="qq"), Layout(tmp_path))
    assert "language: found 'qq'" in str(reason)


def test_tokens_of_the_language_take_the_place_of_a_corpus_own_with_the_entities_on_them(tmp_path):
    line = {**ADA, "tokens": ["Ada", "works", "at", "(Acme)"]}
    given = jsonl(tmp_path, [{**line, "id": str(number)} for number in range(9)], tokens="language")
    splits, _ = read(given)
    assert splits["train"][0].tokens == ("Ada", "works", "at", "(", "Acme", ")")
    assert splits["train"][0].entities == (Entity("Per", 0, 1), Entity("Org", 3, 6))
    assert splits["train"][0].relations == (Relation("Works", 0, 1),)


def test_a_type_whose_last_example_an_overlap_policy_takes_is_told_with_the_policy(tmp_path):
    ann = "T1\tOrg 0 17\tAcme Corp of Rome\nT2\tLoc 13 17\tRome\n"
    files = {"a.txt": "Acme Corp of Rome hired Ada.", "a.ann": ann}
    brat(tmp_path, files)
    paths = {split: tmp_path / split for split in SPLITS}
    _, _, reason = check("mine", corpus("brat", paths), Layout(tmp_path))
    assert "'Loc'" in str(reason) and "overlap: keep_longest took its last example from train" in str(reason)
    _, notes, reason = check("mine", corpus("brat", paths, unseen_types="keep"), Layout(tmp_path))
    assert reason is None and any("always missed: 'Loc' (1 of test)" in note for note in notes)


def test_one_file_is_divided_into_three_always_alike(tmp_path):
    jsonl(tmp_path, numbered(20))
    for folder in ("first", "second"):
        arguments = ["split", "--from", "jsonl", "--input", tmp_path / "all.jsonl", "--output", tmp_path / folder]
        result = CliRunner().invoke(app, [*map(str, arguments), "--test", "0.25", "--dev", "0.1"])
        assert result.exit_code == 0 and "13 train, 2 dev, 5 test" in result.output
    for split in SPLITS:
        path = Path("first") / f"{split}.jsonl"
        assert (tmp_path / path).read_bytes() == (tmp_path / "second" / path.name).read_bytes()
    result = CliRunner().invoke(app, [*map(str, arguments), "--test", "0.9", "--dev", "0.2"])
    assert result.exit_code == 2 and "wanted less than 1 together" in result.output
