"""The spaCy component."""

from pathlib import Path

import spacy
from spacy import displacy

from cman import Extractor
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
