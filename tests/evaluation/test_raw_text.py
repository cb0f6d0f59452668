"""Documents read as raw text: by verbs from predictions to the card, and what counts as right there."""

from dataclasses import replace
from pathlib import Path

import pytest
from command_line import cman, sentence
from untrained import untrained

from cman.corpora.document import Document, Entity, Relation, read_documents, text_of, write_documents
from cman.corpora.retokenise import read_as_text
from cman.corpora.tokenize import TextTokenizer
from cman.evaluation.raw_text import by_characters
from cman.evaluation.scores import score_documents
from cman.extract.extractor import Extractor
from cman.files import read_json, write_json
from cman.model.folder import ModelFolder

# Of other tokens in text ("New-York", "London."), of two sentences, and of its own.
HYPHEN = Document("a", ("Ada", "left", "New-York", "for", "London."), (Entity("Peop", 0, 1), Entity("Loc", 2, 3)))
TWO = Document("b", ("Ada", "lives", ".", "Bo", "lives", "in", "Rome", "."), (Entity("Loc", 6, 7),))
SAME = Document(
    "c",
    ("Ada", "lives", "in", "London", "."),
    (Entity("Peop", 0, 1), Entity("Loc", 3, 4)),
    (Relation("Live_In", 0, 1),),
)
ROOTED = Document("d", ("ROOT", "Ada-Bo", "x"), (Entity("<root>", 0, 1), Entity("Peop", 1, 2)))
DOCUMENTS = [HYPHEN, TWO, SAME, ROOTED]


def test_a_document_is_divided_anew_only_where_its_text_has_other_tokens_or_sentences():
    read = [[each.tokens for each in read_as_text(document, TextTokenizer("en"))] for document in DOCUMENTS]
    assert read == [
        [("Ada", "left", "New", "-", "York", "for", "London", ".")],
        [("Ada", "lives", "."), ("Bo", "lives", "in", "Rome", ".")],
        [],
        [],
    ]


def test_what_is_right_in_text_has_the_characters_of_gold():
    text, _ = text_of(HYPHEN)
    spans = tuple((start, end) for start, end in TextTokenizer("en").sentences(text)[0])
    tokens = tuple(text[start:end] for start, end in spans)
    found = Document("a", tokens, (Entity("Peop", 0, 1), Entity("Loc", 2, 5), Entity("Loc", 6, 7)), (), text, spans)
    gold, predicted, unlike = by_characters(DOCUMENTS, [SAME, TWO, ROOTED, found], "text.jsonl")
    strict = score_documents(gold, predicted)["entities"]["strict"]["all"]
    assert unlike == 1 and strict == {"true_positive": 6, "predicted": 7, "gold": 6}
    inside = replace(HYPHEN, entities=(Entity("Loc", 4, 5),))  # "London." ends within no token of the text
    gold, predicted, _ = by_characters([inside], [found], "text.jsonl")
    assert score_documents(gold, predicted)["entities"]["strict"]["all"]["true_positive"] == 0


def test_verbs_read_test_as_extract_does_and_the_card_shows_it_where_it_differs(tmp_path: Path):
    model, gold, text = untrained(tmp_path / "model", SAME), tmp_path / "gold.jsonl", tmp_path / "text.jsonl"
    write_documents(gold, DOCUMENTS[:3])
    call = ("predict", "--model", str(model), "--input", str(gold), "--output", str(tmp_path / "predictions.jsonl"))
    assert cman(*call, "--text", str(text)).status == 0
    found, extractor = read_documents(text), Extractor.load(model, threads=1)
    for document, expected in zip(found, extractor.batch([text_of(each)[0] for each in DOCUMENTS[:3]]), strict=True):
        assert document.text == expected.text and document.offsets is not None
        spans = [(document.offsets[each.start][0], document.offsets[each.end - 1][1]) for each in document.entities]
        assert spans == [(each.start, each.end) for each in expected.entities]
        assert [(link.head, link.type, link.tail) for link in document.relations] == [
            (link.head, link.type, link.tail) for link in expected.relations
        ]

    facts = {
        "corpus": "mine", "corpus_title": "mine", "experiment": "cman", "title": "CMAN", "split": "main", "seed": 1,
        "protocol": "p", "inputs_title": "i", "sample": False, "documents": {"trained_on": 1}, "parameters": 1,
    }  # fmt: skip
    write_json(tmp_path / "provenance.json", facts)
    for given, wanted in (([], False), (["--text", str(text)], True)):
        words = ("--predictions", str(tmp_path / "predictions.jsonl"), "--output", str(tmp_path / "scores.json"))
        assert cman("score", "--gold", str(gold), *words, *given, "--card", str(tmp_path)).status == 0
        card = (model / "README.md").read_text()
        assert ("1 of these\ndocuments have other tokens" in card) == wanted
        assert ("| read as text | precision | recall | F1 |" in card) == wanted
    scores = read_json(tmp_path / "scores.json")["text"]
    assert scores["unlike"] == 1 and scores["entities"]["strict"]["all"]["gold"] == 5
    other = tmp_path / "other.jsonl"
    for wrong, message in (
        (found[:2], "other.jsonl: found 'c' in one file alone"),
        ([found[0], found[1], replace(found[0], id="c")], "document 'c': found another text than that of the gold"),
    ):
        write_documents(other, wrong)
        assert message in sentence(cman("score", "--gold", str(gold), *words, "--text", str(other)), 1)


def test_a_model_that_is_given_entities_reads_no_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = ModelFolder.load(untrained(tmp_path / "model", SAME))
    settings = folder.settings
    given = settings.model_copy(update={"ner": settings.ner.model_copy(update={"given": True})})
    folder = replace(folder, settings=given)
    monkeypatch.setattr("cman.model.predict.ModelFolder.load", lambda *given: folder)
    write_documents(tmp_path / "gold.jsonl", [SAME])
    words = ("--model", str(tmp_path / "model"), "--input", str(tmp_path / "gold.jsonl"))
    result = cman("predict", *words, "--output", str(tmp_path / "out.jsonl"), "--text", str(tmp_path / "text.jsonl"))
    assert "raw text: found a model that is given entities" in sentence(result, 2)
    assert not (tmp_path / "out.jsonl").exists() and not (tmp_path / "text.jsonl").exists()
