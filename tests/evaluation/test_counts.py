"""Strict counts, by hand and against seqeval."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cman.corpora.bio import entities_of
from cman.corpora.document import Document, Entity, Relation
from cman.evaluation.counts import Counts, strict_counts, strict_entities, strict_relations

TOKENS = ("a", "b", "c", "d", "e")


def document(entities=(), relations=()) -> Document:
    return Document(
        "d", TOKENS, tuple(Entity(*entity) for entity in entities), tuple(Relation(*link) for link in relations)
    )


def counts(gold: Document, predicted: Document) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    entities, relations = strict_counts([gold], [predicted])
    return tuple(vars(entities).values()), tuple(vars(relations).values())


GOLD = document([("Loc", 0, 2), ("Peop", 3, 4)], [("In", 1, 0)])


def test_the_gold_annotation_itself_is_all_right():
    assert counts(GOLD, GOLD) == ((2, 2, 2), (1, 1, 1))


def test_scores_and_the_order_of_annotations_do_not_matter():
    predicted = Document(
        "d", TOKENS, (Entity("Peop", 3, 4, 0.5), Entity("Loc", 0, 2, 0.1)), (Relation("In", 0, 1, 0.9),)
    )
    assert counts(GOLD, predicted) == ((2, 2, 2), (1, 1, 1))


@pytest.mark.parametrize(
    ("entities", "expected"),
    [
        ([("Loc", 0, 2), ("Loc", 3, 4)], (1, 2, 2)),  # a wrong type
        ([("Loc", 0, 1), ("Peop", 3, 4)], (1, 2, 2)),  # a span too short
        ([("Loc", 0, 3), ("Peop", 3, 4)], (1, 2, 2)),  # a span too long
        ([("Loc", 1, 2), ("Peop", 3, 5)], (0, 2, 2)),
        ([("Loc", 0, 2)], (1, 1, 2)),
        ([], (0, 0, 2)),
        ([("Loc", 0, 2), ("Peop", 0, 2), ("Peop", 3, 4), ("Peop", 4, 5)], (2, 4, 2)),
    ],
)
def test_an_entity_is_right_only_with_its_span_and_type(entities, expected):
    assert counts(GOLD, document(entities))[0] == expected


@pytest.mark.parametrize(
    ("entities", "relations", "expected"),
    [
        ([("Loc", 0, 2), ("Peop", 3, 4)], [("In", 0, 1)], (0, 1, 1)),  # turned around
        ([("Loc", 0, 2), ("Peop", 3, 4)], [("On", 1, 0)], (0, 1, 1)),  # a wrong label
        ([("Org", 0, 2), ("Peop", 3, 4)], [("In", 1, 0)], (0, 1, 1)),  # a wrong type of the tail
        ([("Loc", 0, 2), ("Org", 3, 4)], [("In", 1, 0)], (0, 1, 1)),  # a wrong type of the head
        ([("Loc", 0, 1), ("Peop", 3, 4)], [("In", 1, 0)], (0, 1, 1)),  # a wrong span
        ([("Loc", 0, 2), ("Peop", 3, 4)], [("In", 1, 0), ("In", 0, 1)], (1, 2, 1)),
        ([("Loc", 0, 2), ("Peop", 3, 4)], [], (0, 0, 1)),
    ],
)
def test_a_relation_is_right_only_with_its_label_direction_and_both_entities(entities, relations, expected):
    assert counts(GOLD, document(entities, relations))[1] == expected


def test_duplicates_count_once():
    doubled = document([("Loc", 0, 2), ("Loc", 0, 2), ("Peop", 3, 4)], [("In", 2, 0), ("In", 2, 1), ("In", 2, 0)])
    assert counts(GOLD, doubled) == ((2, 2, 2), (1, 1, 1))
    assert counts(doubled, GOLD) == ((2, 2, 2), (1, 1, 1))
    assert len(strict_entities(doubled)) == 2 and len(strict_relations(doubled)) == 1


def test_empty_documents_count_nothing():
    assert counts(document(), document()) == ((0, 0, 0), (0, 0, 0))


def test_counts_add_up_over_documents_and_never_match_across_them():
    entities, relations = strict_counts([GOLD, document()], [document(), GOLD])
    assert vars(entities) == {"true_positive": 0, "predicted": 2, "gold": 2}
    assert vars(relations) == {"true_positive": 0, "predicted": 1, "gold": 1}


def test_documents_must_come_in_pairs():
    with pytest.raises(ValueError):
        strict_counts([GOLD], [])


@pytest.mark.parametrize(
    ("values", "expected"),
    [((0, 0, 0), (0, 0, 0)), ((0, 3, 0), (0, 0, 0)), ((0, 0, 3), (0, 0, 0)), ((2, 4, 5), (0.5, 0.4, 4 / 9))],
)
def test_precision_recall_and_f1_follow_from_the_counts(values, expected):
    found = Counts(*values)
    assert (found.precision, found.recall, found.f1) == pytest.approx(expected)


tags = st.lists(st.sampled_from(["O", "B-x", "I-x", "B-y", "I-y", "B-z", "I-z"]), min_size=1, max_size=8)


@settings(max_examples=150)
@given(st.lists(st.tuples(tags, st.randoms(use_true_random=False)), min_size=1, max_size=4), st.data())
def test_strict_entity_scores_are_those_of_seqeval(rows, data):
    from seqeval.metrics import f1_score, precision_score, recall_score

    gold = [row for row, _ in rows]
    # Predictions that share much with the gold, so that matches are common.
    predicted = [[data.draw(st.sampled_from([tag, tag, "O", "B-x", "I-x", "I-y"])) for tag in row] for row in gold]
    pairs = [
        [Document("d", ("t",) * len(row), tuple(entities_of(row))) for row in rows_] for rows_ in (gold, predicted)
    ]
    entities, _ = strict_counts(*pairs)
    expected = [score(gold, predicted, zero_division=0) for score in (precision_score, recall_score, f1_score)]
    assert [entities.precision, entities.recall, entities.f1] == pytest.approx(expected)


@settings(max_examples=100)
@given(tags)
def test_the_entities_that_are_counted_are_those_that_seqeval_sees(row):
    from seqeval.metrics.sequence_labeling import get_entities

    found = [(entity.type, entity.start, entity.end - 1) for entity in entities_of(row)]
    assert found == [tuple(entity) for entity in get_entities(row)]
