"""Ids of words, characters, tags and relation labels."""

import json

import pytest

from cman.corpora.document import Document, Entity, Relation
from cman.features.vocabulary import PADDING, UNKNOWN, VECTOR_FORMS, Vocabulary, fallbacks, vector_forms

DOCUMENTS = [
    Document(
        "a", ("Ada", "came", "in", "1843"), (Entity("Peop", 0, 1), Entity("Other", 3, 4)), (Relation("On", 0, 1),)
    ),
    Document("b", ("Bo", "came", "in", "1999", "."), (Entity("Loc", 0, 1),), ()),
]


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary.of(DOCUMENTS)


def test_a_word_is_looked_up_as_it_is_then_with_zeros_then_in_its_other_case():
    for forms in (
        ("Ada", "Ada", "ada"), ("ada", "ada", "Ada"), ("B12", "B00", "b00"), ("1999", "0000", "0000"),
        ("NATO", "NATO", "nato"), (".", ".", "."), ("élan", "élan", "Élan"),
    ):  # fmt: skip
        assert fallbacks(forms[0]) == forms


def test_among_pretrained_vectors_a_number_is_the_word_0_and_then_comes_the_other_case():
    for forms in (
        ("Ada", "Ada", "ada"), ("ada", "ada", "Ada"), ("new-york", "new-york", "New-York"), ("NATO", "NATO", "nato"),
        ("1999", "0", "0"), ("B12", "B12", "b12"), ("1,000", "1,000", "1,000"), ("²", "²", "²"),
    ):  # fmt: skip
        assert vector_forms(forms[0]) == forms and len(VECTOR_FORMS) == len(forms)


def test_a_vocabulary_of_pretrained_words_keeps_its_lookup_when_it_is_written_and_read():
    given = Vocabulary.of(DOCUMENTS, ["0", "0000", "ada"])
    for vocabulary in (given, Vocabulary.from_json(json.loads(json.dumps(given.to_json())))):
        assert [vocabulary.word_id(word) for word in ("1843", "Ada", "0000", "Bo")] == [1, 3, 2, 0]
    older = {key: value for key, value in Vocabulary.of(DOCUMENTS).to_json().items() if key != "pretrained"}
    assert Vocabulary.from_json(older).word_id("1066") == Vocabulary.of(DOCUMENTS).word_id("1999") != 0


def test_words_are_those_of_the_documents_with_digits_as_zero(vocabulary):
    assert vocabulary.words == (UNKNOWN, ".", "0000", "Ada", "Bo", "came", "in")


def test_words_seen_once_are_the_singletons(vocabulary):
    assert vocabulary.singletons == {".", "Ada", "Bo"}


def test_given_words_replace_those_of_the_documents_and_have_no_singletons():
    vocabulary = Vocabulary.of(DOCUMENTS, ["came", "zebra"])
    assert vocabulary.words == (UNKNOWN, "came", "zebra") and not vocabulary.singletons
    assert vocabulary.word_id("zebra") == 2 and vocabulary.word_id("Ada") == 0


def test_lookups_fall_back_in_order(vocabulary):
    ids = {word: index for index, word in enumerate(vocabulary.words)}
    assert vocabulary.word_id("Came") == ids["came"]
    assert vocabulary.word_id("1066") == ids["0000"]
    assert vocabulary.word_id("ada") == ids["Ada"]
    assert vocabulary.word_id("never") == 0


def test_characters_begin_with_padding_and_unknown(vocabulary):
    assert vocabulary.chars[:2] == (PADDING, UNKNOWN)
    assert vocabulary.chars[2:] == tuple(sorted(set("Adacamein1843Bo1999.")))
    ids = vocabulary.char_id_list("Ada")
    assert min(ids) >= 2 and ids[1] != ids[0]
    assert vocabulary.char_id_list("é") == [1]
    assert len(vocabulary.char_id_list("Adé")) == 3


def test_tags_are_outside_first_then_b_and_i_of_each_type(vocabulary):
    assert vocabulary.tags == ("O", "B-Loc", "I-Loc", "B-Other", "I-Other", "B-Peop", "I-Peop")
    assert vocabulary.tag_ids["O"] == 0
    assert vocabulary.relations == ("On",) and vocabulary.relation_ids == {"On": 0}


def test_the_order_of_the_documents_does_not_matter():
    assert Vocabulary.of(DOCUMENTS[::-1]) == Vocabulary.of(DOCUMENTS)


def test_a_vocabulary_survives_json(vocabulary):
    again = Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert again == vocabulary and again.word_ids == vocabulary.word_ids


def test_a_corpus_may_contain_the_words_that_stand_for_unknown_and_padding():
    for token in (UNKNOWN, PADDING):
        vocabulary = Vocabulary.of([Document("a", (token, token, "x"))])
        assert vocabulary.word_id(token) > 0 or token == UNKNOWN
        assert vocabulary.word_id("never") == 0
        assert vocabulary.char_ids[PADDING] == 0 and min(vocabulary.char_id_list(token)) > 1


def test_documents_without_annotations_have_the_outside_tag_alone():
    vocabulary = Vocabulary.of([Document("a", ("x",))])
    assert vocabulary.tags == ("O",) and vocabulary.relations == ()
