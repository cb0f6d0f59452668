"""Where relation errors come from: each class by hand, and that the classes add up to the errors of strict scores."""

from collections import Counter

import pytest
from documents import pairs_of_documents
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.document import ROOT, Document, Entity, Relation
from cman.evaluation.errors import MISSED, SPURIOUS, relation_errors
from cman.evaluation.scores import score_documents

ADA, ORM, ACME = Entity("Peop", 0, 2), Entity("Loc", 4, 5), Entity("Org", 6, 8)


def document(*entities: Entity, relations: tuple[Relation, ...] = ()) -> Document:
    return Document("1", ("t",) * 10, entities, relations)


GOLD = document(ADA, ORM, relations=(Relation("Live_In", 0, 1),))


@pytest.mark.parametrize(
    ("found", "label"),
    [
        (document(ADA), "missed entity"),
        (document(ADA, Entity("Loc", 5, 6)), "missed entity"),  # beside the gold one
        (document(ADA, Entity("Loc", 3, 5)), "wrong boundary"),
        (document(Entity("Peop", 1, 2), Entity("Org", 4, 5)), "wrong boundary"),  # before the wrong type
        (document(Entity("Peop", 1, 2)), "missed entity"),  # before the wrong boundary
        (document(ADA, Entity("Org", 4, 5)), "wrong type"),
        (document(ADA, ORM, relations=(Relation("Kill", 0, 1),)), "wrong label"),
        (document(ADA, ORM, relations=(Relation("Kill", 0, 1), Relation("Live_In", 1, 0))), "wrong label"),
        (document(ADA, ORM, relations=(Relation("Live_In", 1, 0),)), "reversed direction"),
        (document(ADA, ORM, relations=(Relation("Kill", 1, 0),)), "reversed direction"),
        (document(ADA, ORM), "missed pair"),
        (document(ADA, ORM, ACME, relations=(Relation("Live_In", 0, 2),)), "missed pair"),  # another pair
    ],
)
def test_a_missed_relation_is_in_the_first_class_that_fits(found, label):
    assert relation_errors([GOLD], [found])[0] == Counter({label: 1})


@pytest.mark.parametrize(
    ("gold", "label"),
    [
        (document(ADA), "spurious entity"),
        (document(ADA, Entity("Loc", 3, 5)), "wrong boundary"),
        (document(ADA, Entity("Org", 4, 5)), "wrong type"),
        (document(ADA, ORM, relations=(Relation("Kill", 0, 1),)), "wrong label"),
        (document(ADA, ORM, relations=(Relation("Live_In", 1, 0),)), "reversed direction"),
        (document(ADA, ORM), "spurious pair"),
    ],
)
def test_a_spurious_relation_is_in_the_mirrored_class(gold, label):
    assert relation_errors([gold], [GOLD])[1] == Counter({label: 1})


def test_a_right_relation_explains_no_error():
    both = document(ADA, ORM, relations=(Relation("Live_In", 0, 1), Relation("Kill", 0, 1)))
    assert relation_errors([both], [GOLD]) == (Counter({"missed pair": 1}), Counter())
    assert relation_errors([GOLD], [both]) == (Counter(), Counter({"spurious pair": 1}))
    assert relation_errors([GOLD], [GOLD]) == (Counter(), Counter())


def test_scores_and_duplicates_make_no_error():
    scored = document(
        Entity("Peop", 0, 2, 0.9), Entity("Peop", 0, 2, 0.5), ORM, relations=(Relation("Live_In", 1, 2, 0.7),) * 2
    )
    assert relation_errors([GOLD], [scored]) == (Counter(), Counter())


def test_the_artificial_root_is_always_there():
    root = Entity(ROOT, 0, 1)
    gold = document(root, ORM, relations=(Relation("part", 1, 0),))
    assert relation_errors([gold], [document(ORM)])[0] == Counter({"missed pair": 1})
    assert relation_errors([gold], [document(root, ORM)])[0] == Counter({"missed pair": 1})


@given(st.lists(pairs_of_documents(), min_size=1, max_size=4))
def test_the_classes_add_up_to_false_negatives_and_false_positives(pairs):
    gold, found = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    missed, spurious = relation_errors(gold, found)
    assert set(missed) <= set(MISSED)
    assert set(spurious) <= set(SPURIOUS)
    counts = score_documents(gold, found)["relations"]["strict"]["all"]
    assert missed.total() == counts["gold"] - counts["true_positive"]
    assert spurious.total() == counts["predicted"] - counts["true_positive"]


@given(pairs_of_documents())
def test_missed_and_spurious_are_mirror_images(pair):
    gold, found = pair
    names = dict(zip(MISSED, SPURIOUS, strict=True))
    missed, _ = relation_errors([gold], [found])
    _, spurious = relation_errors([found], [gold])
    assert spurious == Counter({names[label]: count for label, count in missed.items()})
