"""The counts of a prepared corpus, on corpora small enough to count by hand."""

import json
from typing import Any

import pytest

from cman.corpora.document import Document, Entity, Relation
from cman.corpora.statistics import normalised, statistics

ADA = Document(
    "1",
    ("Ada", "Vale", "of", "Orm", ",", "TKL"),
    (Entity("Peop", 0, 2), Entity("Loc", 3, 4), Entity("Org", 5, 6)),
    (Relation("Live_In", 0, 1), Relation("Work_For", 0, 2), Relation("OrgBased_In", 2, 1)),
)
NOBODY = Document("2", ("Nobody", "slept", "."))
SHORT = Document("3", ("Orm",), (Entity("Loc", 0, 1),))


def of(train: list[Document], dev: list[Document], test: list[Document], *warnings: str) -> dict[str, Any]:
    return statistics({"train": train, "dev": dev, "test": test}, warnings)


def words(identifier: str, text: str) -> Document:
    return Document(identifier, tuple(text.split()))


def test_a_split_is_counted_by_type_and_in_all():
    assert of([ADA, NOBODY], [SHORT], [NOBODY])["splits"] == {
        "train": {
            "sentences": 2,
            "tokens": 9,
            "longest": 6,
            "median_length": 6,
            "entities": {"all": 3, "types": {"Loc": 1, "Org": 1, "Peop": 1}},
            "relations": {"all": 3, "types": {"Live_In": 1, "OrgBased_In": 1, "Work_For": 1}},
            "sentences_without_relation": 1,
            "entities_with_several_relations": 1,
            "overlapping_entities": 0,
        },
        "dev": {
            "sentences": 1,
            "tokens": 1,
            "longest": 1,
            "median_length": 1,
            "entities": {"all": 1, "types": {"Loc": 1}},
            "relations": {"all": 0, "types": {}},
            "sentences_without_relation": 1,
            "entities_with_several_relations": 0,
            "overlapping_entities": 0,
        },
        "test": {
            "sentences": 1,
            "tokens": 3,
            "longest": 3,
            "median_length": 3,
            "entities": {"all": 0, "types": {}},
            "relations": {"all": 0, "types": {}},
            "sentences_without_relation": 1,
            "entities_with_several_relations": 0,
            "overlapping_entities": 0,
        },
    }


@pytest.mark.parametrize(
    ("spans", "overlapping"),
    [
        ([(0, 2), (2, 3)], 0),  # side by side
        ([(0, 3), (1, 2)], 1),  # one within another
        ([(1, 2), (0, 3)], 1),  # the order in the file does not matter
        ([(0, 2), (0, 2)], 1),  # the same span twice
        ([(0, 4), (1, 2), (2, 3)], 2),  # two within one that goes on
        ([(0, 2), (1, 3), (2, 4)], 2),  # a chain
    ],
)
def test_an_entity_that_begins_before_an_earlier_one_ends_is_counted(spans, overlapping):
    entities = tuple(Entity("Loc", start, end) for start, end in spans)
    document = Document("1", ("a", "b", "c", "d"), entities)
    assert of([document], [SHORT], [SHORT])["splits"]["train"]["overlapping_entities"] == overlapping


def test_an_entity_has_several_relations_only_as_their_first_argument():
    ends = (Entity("Peop", 0, 1), Entity("Loc", 1, 2), Entity("Loc", 2, 3))

    def several(*relations: Relation) -> Any:
        document = Document("1", ("a", "b", "c"), ends, relations)
        return of([document], [SHORT], [SHORT])["splits"]["train"]["entities_with_several_relations"]

    assert several(Relation("Live_In", 0, 1)) == 0
    assert several(Relation("Live_In", 0, 1), Relation("Live_In", 0, 2)) == 1
    assert several(Relation("Live_In", 0, 1), Relation("Live_In", 2, 1)) == 0
    assert several(Relation("Live_In", 0, 1), Relation("Located_In", 1, 2), Relation("Live_In", 0, 2)) == 1


def test_sentences_count_as_repeated_whatever_their_tokens_case_and_punctuation():
    train = [words("1", "Ada lives in N.C."), words("2", "Orm slept .")]
    test = [words("3", "ada lives in N.C ."), words("4", "Orm sleeps .")]
    repeated = of(train, [words("5", "Nothing here")], test)["repeated_sentences"]
    assert repeated["of the second that stand in the first"] == {
        "train and dev": 0,
        "train and test": 1,
        "dev and test": 0,
    }
    assert repeated["of test that stand in train or dev"] == 1
    assert repeated["within"] == {"train": 0, "dev": 0, "test": 0}


def test_within_a_split_every_further_copy_is_counted_but_not_the_first():
    train = [words(str(number), "Orm slept .") for number in range(3)] + [words("9", "Ada sleeps")]
    repeated = of(train, [words("a", "x")], [words("b", "y"), words("c", "Y !")])["repeated_sentences"]
    assert repeated["within"] == {"train": 2, "dev": 0, "test": 1}


def test_a_test_sentence_that_stands_in_train_and_in_dev_is_counted_once():
    same = "Orm slept ."
    repeated = of([words("1", same)], [words("2", same)], [words("3", same)])["repeated_sentences"]
    assert repeated["of test that stand in train or dev"] == 1
    assert repeated["of the second that stand in the first"] == {
        "train and dev": 1,
        "train and test": 1,
        "dev and test": 1,
    }


def test_every_copy_in_test_is_counted_because_each_one_is_scored():
    repeated = of([words("1", "Orm slept")], [words("2", "x")], [words("3", "Orm slept"), words("4", "orm slept .")])
    assert repeated["repeated_sentences"]["of test that stand in train or dev"] == 2


def test_letters_of_every_language_and_digits_tell_sentences_apart():
    assert normalised(words("1", "Łódź , 1999 !")) == "łódź1999"
    assert normalised(words("1", "東京 へ")) != normalised(words("1", "京都 へ"))
    assert normalised(words("1", "room 12")) != normalised(words("1", "room 13"))
    assert normalised(words("1", "snake_case")) == normalised(words("1", "snake case"))


def test_sentences_of_nothing_but_punctuation_repeat_each_other_only_when_equal():
    repeated = of([words("1", "* * *")], [words("2", "x")], [words("3", "? !"), words("4", "* * *")])
    assert repeated["repeated_sentences"]["of test that stand in train or dev"] == 1


def test_warnings_are_kept_in_order_and_everything_is_plain_json():
    value = of([ADA], [SHORT], [NOBODY], "first", "second")
    assert value["warnings"] == ["first", "second"]
    assert json.loads(json.dumps(value)) == value
