"""The spaCy component."""

import copy
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from cman import Extractor
from cman.errors import CmanError
from cman.extract.spacy_component import relation_arcs

TEXT = "Ada Lovelace lives in London. Charles Babbage lives in Cambridge, England!  \n\nBoth met."


def test_by_name_in_a_pipeline_it_sets_entities_and_relations_as_the_extractor_finds_them(model: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("cman", config={"model": str(model)})
    doc, expected = nlp(TEXT), Extractor.load(model)(TEXT)
    assert [(one.text, one.label_) for one in doc.ents] == [(one.text, one.type) for one in expected.entities]
    assert [(one.head.text, one.type, one.tail.text) for one in doc._.relations] == expected.triples != []
    assert doc._.entity_scores == [one.score for one in expected.entities]


def test_sentences_of_a_component_before_it_are_the_ones_that_are_read(model: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer", config={"punct_chars": [","]})
    nlp.add_pipe("cman", config={"model": str(model)})
    for doc in nlp.pipe([TEXT, "", "Ada."]):
        for link in doc._.relations:
            assert link.head.sent == link.tail.sent


def test_displacy_shows_entities_and_relations(model: Path) -> None:
    nlp = spacy.blank("en")
    nlp.add_pipe("cman", config={"model": str(model)})
    doc = nlp(TEXT)
    assert doc.ents[0].label_ in displacy.render(doc, style="ent", jupyter=False)
    drawn = displacy.render(relation_arcs(doc), style="dep", manual=True, jupyter=False)
    assert drawn.count("Live_In") == len(doc._.relations)


# ---- what spaCy expects of a component


@pytest.fixture(scope="module")
def nlp(model: Path) -> Language:
    nlp = spacy.blank("en")
    nlp.add_pipe("cman", config={"model": str(model)})
    return nlp


def shown(doc: Doc) -> list[Any]:
    links = [(one.head.text, one.type, one.tail.text, one.score) for one in doc._.relations]
    return [[(one.text, one.label_) for one in doc.ents], doc._.entity_scores, links]


def test_a_doc_with_relations_can_be_serialised_copied_and_pickled(nlp: Language) -> None:
    doc = nlp(TEXT)
    assert doc._.relations
    packed = DocBin(docs=[doc], store_user_data=True).to_bytes()
    copies = {
        "to_bytes": Doc(nlp.vocab).from_bytes(doc.to_bytes()),
        "DocBin": next(iter(DocBin().from_bytes(packed).get_docs(nlp.vocab))),
        "pickle": pickle.loads(pickle.dumps(doc)),
        "copy": copy.deepcopy(doc),
    }
    for how, again in copies.items():
        assert shown(again) == shown(doc), how
    kept = json.loads(json.dumps(doc.to_json(underscore=["cman"])))["_"]["cman"]
    assert [doc.text[start:end] for start, end, *_ in kept["entities"]] == [one.text for one in doc.ents]


def test_tokens_that_are_merged_afterwards_move_no_relation(nlp: Language, model: Path) -> None:
    merging = spacy.blank("en")
    merging.add_pipe("cman", config={"model": str(model)})
    merging.add_pipe("merge_entities")
    merged, doc = merging(TEXT), nlp(TEXT)
    assert shown(merged) == shown(doc) and shown(doc)[2]
    with merged.retokenize() as tokens:
        tokens.merge(merged[0:2])
    for one, other in zip(merged._.relations, doc._.relations, strict=True):
        assert (one.type, one.score) == (other.type, other.score)
        for end, before in ((one.head, other.head), (one.tail, other.tail)):
            assert end.start_char <= before.start_char and before.end_char <= end.end_char
            assert before.text in end.text


def test_a_saved_pipeline_holds_the_model(model: Path, tmp_path: Path) -> None:
    source = shutil.copytree(model, tmp_path / "source")
    nlp = spacy.blank("en")
    nlp.add_pipe("cman", config={"model": str(source)})
    nlp.to_disk(tmp_path / "saved")
    content, before = nlp.to_bytes(), shown(nlp(TEXT))
    shutil.rmtree(source)
    assert shown(spacy.load(tmp_path / "saved")(TEXT)) == before
    again = spacy.blank("en")
    again.add_pipe("cman", config={"model": str(source)})
    with pytest.raises(CmanError, match="source"):
        again(TEXT)
    assert shown(again.from_bytes(content)(TEXT)) == before
    with pytest.raises(CmanError, match="found no folder, wanted the model that is to be saved"):
        nlp.to_bytes()


def test_a_component_has_labels_and_what_it_assigns_can_be_analysed(nlp: Language, model: Path) -> None:
    component = nlp.get_pipe("cman")
    assert list(component.labels) == nlp.pipe_labels["cman"] == ["Loc", "Peop"]
    assert component.relation_labels == ("Live_In",)
    assert "doc._.relations" in nlp.analyze_pipes()["summary"]["cman"]["assigns"]
    assert shown(pickle.loads(pickle.dumps(component))(nlp.make_doc(TEXT))) == shown(nlp(TEXT))


@pytest.mark.slow
def test_several_processes_give_what_one_gives(nlp: Language) -> None:
    texts = [TEXT, "", "Ada lives in London."] * 3
    assert [shown(doc) for doc in nlp.pipe(texts, n_process=2, batch_size=2)] == [shown(nlp(text)) for text in texts]
