"""Files as annotation tools and other projects export them, by hand: read, told from one another, and written back."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("spacy", reason="the extra `text` is not installed")

import spacy

from cman.config.configuration import parse_configuration
from cman.corpora.convert import convert_file
from cman.corpora.document import Document, Entity, Relation, read_documents, write_documents
from cman.corpora.formats import module_name
from cman.corpora.likeness import likely_format
from cman.corpora.splits import read_splits
from cman.errors import CmanError

TEXT = "Ada \U0001f600 works at Acme. It rained."
TOKENS = ("Ada", "\U0001f600", "works", "at", "Acme", ".")
PER, ORG, WORKS = Entity("Per", 0, 1), Entity("Org", 4, 5), Relation("Works", 0, 1)
OFFSETS = [(0, 3), (4, 5), (6, 11), (12, 14), (15, 19), (19, 20), (21, 23), (24, 30), (30, 31)]
DOCCANO = {
    "id": 7, "text": TEXT, "Comments": [],
    "entities": [{"id": 30, "label": "Per", "start_offset": 0, "end_offset": 3},
                 {"id": 31, "label": "Org", "start_offset": 15, "end_offset": 19}],
    "relations": [{"id": 4, "from_id": 30, "to_id": 31, "type": "Works"}],
}  # fmt: skip
STUDIO = [
    {
        "id": 7, "data": {"text": TEXT}, "predictions": [],
        "annotations": [
            {"id": 1, "was_cancelled": True, "result": []},
            {"id": 2, "was_cancelled": False, "result": [
                {"id": "a", "type": "labels", "from_name": "label", "to_name": "text",
                 "value": {"start": 0, "end": 3, "text": "Ada", "labels": ["Per"]}},
                {"id": "b", "type": "labels", "from_name": "label", "to_name": "text",
                 "value": {"start": 16, "end": 20, "text": "Acme", "labels": ["Org"]}},
                {"id": "c", "type": "choices", "value": {"choices": ["good"]}},
                {"type": "relation", "from_id": "b", "to_id": "a", "direction": "left", "labels": ["Works"]},
            ]},
        ],
    },
    {"id": 8, "data": {"text": "Nobody has looked."}, "annotations": []},
]  # fmt: skip
SPAN_A = {"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "Per"}
SPAN_B = {"start": 15, "end": 19, "token_start": 4, "token_end": 4, "label": "Org"}
PRODIGY = [
    {
        "text": TEXT, "_input_hash": 1, "_task_hash": 2, "answer": "accept", "meta": {"id": "7"},
        "tokens": [{"text": TEXT[start:end], "start": start, "end": end, "id": place, "ws": True}
                   for place, (start, end) in enumerate(OFFSETS)],
        "spans": [SPAN_A, SPAN_B, {"start": 21, "end": 23, "token_start": 6, "token_end": 6, "label": None}],
        "relations": [{"head": 0, "child": 4, "head_span": SPAN_A, "child_span": SPAN_B, "label": "Works"}],
    },
    {"text": "No.", "spans": [], "answer": "reject"},
]  # fmt: skip
TRIPLES = [{"text": " ".join(TOKENS), "triple_list": [["Ada", "Works", "Acme"]]}]


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def docbin(path: Path) -> None:
    nlp = spacy.blank("en")
    doc = spacy.tokens.Doc(nlp.vocab, words=[TEXT[start:end] for start, end in OFFSETS],
                           spaces=[True, True, True, True, False, True, True, False, False])  # fmt: skip
    doc.ents = [spacy.tokens.Span(doc, 0, 1, label="Per"), spacy.tokens.Span(doc, 4, 5, label="Org")]
    doc.user_data["._.", "rel", None, None] = {(0, 4): {"Works": 1.0, "Owns": 0.0}, (4, 0): {"Works": 0.1}}
    spacy.tokens.DocBin(docs=[doc], store_user_data=True).to_disk(path)


Maker = Callable[[Path], None]


def text_file(content: str) -> Maker:
    return lambda path: path.write_text(content, encoding="utf-8") and None


FILES: dict[str, Maker] = {
    "doccano": text_file(lines(DOCCANO)),
    "labelstudio": text_file(json.dumps(STUDIO)),
    "prodigy": text_file(lines(*PRODIGY)),
    "docbin": docbin,
    "pfn": text_file(json.dumps(TRIPLES)),
    "conll2003": text_file("-DOCSTART- -X- O O\n\n" + "".join(
        f"{token} NN O {tag}\n" for token, tag in zip(TOKENS, ("I-Per", "O", "O", "O", "I-Org", "O"), strict=True))),
    "spert": text_file(json.dumps([{"tokens": TOKENS, "entities": [], "relations": [], "orig_id": 1}])),
    "dygie": text_file(lines({"doc_key": "a", "sentences": [TOKENS], "ner": [[]], "relations": [[]]})),
    "jsonl": text_file(lines({"id": "1", "tokens": TOKENS, "entities": [], "relations": []})),
    "conll04": text_file("#doc 1\n0\tAda\tB-Per\t['N']\t[0]\n"),
}  # fmt: skip
OF_TOOLS = ("doccano", "labelstudio", "prodigy", "docbin")


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        path = tmp_path / f"{name}.{'spacy' if name == 'docbin' else 'x'}"
        FILES[name](path)
        return path

    return make


def read(format: str, path: Path, **keys: Any) -> tuple[list[Document], str]:
    given = {"format": format, "paths": dict.fromkeys(("train", "dev", "test"), str(path)), **keys}
    corpus = parse_configuration({"corpora": {"mine": given}}, "test").corpus("mine")
    warnings: list[str] = []
    return read_splits("mine", corpus, Path(), warnings)["train"], "\n".join(warnings)


@pytest.mark.parametrize("name", OF_TOOLS)
def test_texts_of_a_tool_become_sentences_with_their_entities_and_relations(made, name):
    found, said = read(name, made(name))
    first = found[0]
    assert (first.tokens, first.entities, first.relations) == (TOKENS, (PER, ORG), (WORKS,))
    assert [each.id for each in found] == (["1-1", "1-2"] if name == "docbin" else ["7-1", "7-2"])
    assert [first.text[start:end] for start, end in first.offsets] == list(TOKENS)
    if name == "labelstudio":
        assert "if UTF-16 units are counted, read so" in said and "1 of kind choices" in said
    if name == "prodigy":
        assert "left out: 1 'reject'" in said and "1 of kind span without a label" in said


def test_triples_name_their_arguments_by_words_and_have_one_type(made):
    (found,), _ = read("pfn", made("pfn"))
    assert found.entities == (Entity("None", 0, 1), Entity("None", 4, 5)) and found.relations == (WORKS,)
    for other in ("spert", "dygie"):
        assert read("pfn", made(other))[0][0].tokens == TOKENS


SCHEMES = {
    "BIO": "B-X I-X B-X O B-Y",
    "IOB1": "I-X I-X B-X O I-Y",
    "BIOES": "B-X E-X S-X O S-Y",
    "BILOU": "B-X L-X U-X O U-Y",
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tags_of_every_scheme_spell_the_same_entities(tmp_path, scheme):
    tags = SCHEMES[scheme].split()
    for blank in (" ", "\t"):
        sentence = "\n".join(f"w{blank}{tag}" for tag in tags)
        (tmp_path / "a").write_text(f"{sentence}\r\n\r\n{sentence}\n")
        found, said = read("conll2003", tmp_path / "a")
        assert [each.entities for each in found] == [(Entity("X", 0, 2), Entity("X", 2, 3), Entity("Y", 4, 5))] * 2
        assert ("tags are read as" in said) == (scheme != "BIO")


def test_stray_tags_are_told_and_what_is_no_tag_is_refused(tmp_path):
    (tmp_path / "a").write_text("a B-X\nb O\nc I-X\n\nd B-X\n")
    assert read("conll2003", tmp_path / "a")[0][0].entities == (Entity("X", 0, 1), Entity("X", 2, 3))
    assert "1 stray tags read as the start of an entity (line 3)" in read("conll2003", tmp_path / "a")[1]
    (tmp_path / "a").write_text("a B-X\nb NN\n")
    with pytest.raises(CmanError, match="line 2: field tag: found 'NN', wanted O or a type behind B-"):
        read("conll2003", tmp_path / "a")


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_given_as_another_format_is_told_which_fits(made, name):
    path = made(name)
    assert likely_format(path) == name
    for format in FILES:
        if format == name or (format == "pfn" and name in ("spert", "dygie", "jsonl")) or format == "conll04":
            continue
        with pytest.raises(CmanError, match=f"looks like the format {name}"):
            read(format, path)


ADA = {"start": 0, "end": 3, "labels": ["Per"]}
BROKEN = {
    "doccano": (
        {**DOCCANO, "entities": [{**DOCCANO["entities"][0], "end_offset": 99}], "relations": []},
        {**DOCCANO, "relations": [{"from_id": 30, "to_id": 5, "type": "Works"}]},
        {**DOCCANO, "text": None},
        {**DOCCANO, "entities": [{"label": 3, "start_offset": 0, "end_offset": 3}]},
    ),
    "labelstudio": (
        {**STUDIO[0], "data": {}},
        {**STUDIO[0], "annotations": [{"result": [{"type": "relation", "from_id": "x", "to_id": "y"}]}]},
        {**STUDIO[0], "annotations": [{"result": [{"id": "a", "type": "labels", "value": {**ADA, "text": "Bob"}}]}]},
    ),
    "prodigy": (
        {**PRODIGY[0], "spans": [{"start": 2, "end": 1, "label": "Per"}], "relations": []},
        {**PRODIGY[0], "tokens": [{"text": "Bob", "start": 0, "end": 3, "id": 0}]},
        {**PRODIGY[0], "relations": [{"head": 0, "child": 4, "label": "Works"}]},
    ),
    "pfn": ({"text": "Ada works", "triple_list": [["Ada", "Works", "Bob"]]}, {"text": "Ada", "triple_list": [["Ada"]]}),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_malformed_record_is_refused_with_its_place_and_what_was_wanted(tmp_path, name):
    for record in BROKEN[name]:
        (tmp_path / "a").write_text(json.dumps([record]))
        with pytest.raises(CmanError, match=r"a: record 1.*(found|missing).*wanted"):
            read(name, tmp_path / "a")


DOCUMENT = Document("a", TOKENS, (PER, ORG, Entity("X", 0, 3)), (WORKS, Relation("Has", 2, 1)))


@pytest.mark.parametrize("name", ["doccano", "labelstudio", "prodigy", "docbin", "pfn", "conll2003"])
def test_what_a_format_can_hold_comes_back_from_it(tmp_path, name):
    document = DOCUMENT
    if name in ("docbin", "conll2003"):
        document = Document("1", TOKENS, (PER, ORG), (WORKS,) if name == "docbin" else ())
    if name == "pfn":
        document = Document("a", TOKENS, (Entity("None", 0, 1), Entity("None", 4, 5)), (WORKS,))
    write_documents(tmp_path / "a.jsonl", [document])
    convert_file("jsonl", name, tmp_path / "a.jsonl", tmp_path / "b", None, "en", False)
    (found,) = import_module(module_name(name)).read_file(tmp_path / "b", None, "en", [])
    assert (found.tokens, found.entities, found.relations) == (document.tokens, document.entities, document.relations)
    assert found.id == (f"{document.id}-1" if name in OF_TOOLS else document.id)


@pytest.mark.parametrize("name", [*OF_TOOLS, "brat"])
def test_relations_between_sentences_come_back_from_text_and_are_a_choice_in_training(tmp_path, name):
    tokens = ("Ada", "left", ".", "She", "joined", "Acme", ".", "It", "rained", ".")
    links = (WORKS, Relation("Of", 1, 0))
    document = Document("1", tokens, (PER, Entity("Org", 5, 6)), links)
    write_documents(tmp_path / "a.jsonl", [document])
    convert_file("jsonl", name, tmp_path / "a.jsonl", tmp_path / "b", None, "en", False)
    said = convert_file(name, "jsonl", tmp_path / "b", tmp_path / "c.jsonl", None, "en", False)
    found = read_documents(tmp_path / "c.jsonl")
    assert (found[0].tokens[:7], found[0].entities, found[0].relations) == (tokens[:7], document.entities, links)
    if name == "docbin":  # it keeps what a document was
        assert (len(found), said) == (1, [])
        return
    assert len(found) == 2 and "relations between two sentences, around which the sentences were joined" in said[0]
    parted, said = read(name, tmp_path / "b")
    assert [each.relations for each in parted] == [(), (), ()] and "2 relations between two" in said
    assert read(name, tmp_path / "b", across="join")[0] == found


@pytest.mark.parametrize(("name", "lost"), [
    ("conll2003", "2 relations, 1 overlapping"), ("docbin", "1 overlapping"), ("pfn", "3 types of entities"),
])  # fmt: skip
def test_what_a_format_cannot_hold_is_refused_or_left_out_and_counted(tmp_path, name, lost):
    write_documents(tmp_path / "a.jsonl", [DOCUMENT])
    with pytest.raises(CmanError, match=f"{name} cannot hold .*{lost}"):
        convert_file("jsonl", name, tmp_path / "a.jsonl", tmp_path / "b", None, "en", False)
    (said,) = convert_file("jsonl", name, tmp_path / "a.jsonl", tmp_path / "b", None, "en", True)
    assert lost in said and (tmp_path / "b").exists()
