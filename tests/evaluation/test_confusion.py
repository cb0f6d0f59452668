"""Confusion of entity types: cells by hand, and sums that are those of strict scores."""

from collections import Counter

from documents import pairs_of_documents
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.document import ROOT, Document, Entity
from cman.evaluation.confusion import ALONE, OVERLAPPING, confusion
from cman.evaluation.scores import score_documents


def document(*entities: Entity) -> Document:
    return Document("1", ("t",) * 10, entities)


def test_every_cell_by_hand():
    gold = document(Entity("A", 0, 1), Entity("A", 2, 4), Entity("B", 5, 7), Entity("B", 8, 9))
    found = document(Entity("A", 0, 1), Entity("B", 2, 4), Entity("A", 6, 7), Entity("A", 9, 10))
    assert confusion([gold], [found]) == Counter(
        {
            ("A", "A"): 1,
            ("A", "B"): 1,
            ("B", OVERLAPPING): 1,  # 5 to 7, of which 6 to 7 was predicted
            ("B", ALONE): 1,
            (OVERLAPPING, "A"): 1,
            (ALONE, "A"): 1,
        }
    )


def test_equal_types_of_one_span_are_paired_first():
    gold = document(Entity("A", 0, 2), Entity("B", 0, 2))
    assert confusion([gold], [document(Entity("B", 0, 2))]) == Counter({("B", "B"): 1, ("A", OVERLAPPING): 1})
    found = document(Entity("C", 0, 2), Entity("B", 0, 2), Entity("D", 0, 2))
    assert confusion([gold], [found]) == Counter({("B", "B"): 1, ("A", "C"): 1, (OVERLAPPING, "D"): 1})


def test_the_artificial_root_is_no_entity():
    assert confusion([document(Entity(ROOT, 0, 1))], [document(Entity("A", 0, 1))]) == Counter({(ALONE, "A"): 1})


def test_counts_add_up_over_documents():
    gold = document(Entity("A", 0, 1))
    assert confusion([gold, gold], [gold, document()]) == Counter({("A", "A"): 1, ("A", ALONE): 1})


@given(st.lists(pairs_of_documents(), min_size=1, max_size=4))
def test_rows_are_gold_columns_predicted_and_the_diagonal_right(pairs):
    gold, found = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    cells = confusion(gold, found)
    for kind, counts in score_documents(gold, found)["entities"]["strict"]["types"].items():
        assert sum(count for (row, _), count in cells.items() if row == kind) == counts["gold"]
        assert sum(count for (_, column), count in cells.items() if column == kind) == counts["predicted"]
        assert cells[kind, kind] == counts["true_positive"]
    assert not set(cells) & {(row, column) for row in (OVERLAPPING, ALONE) for column in (OVERLAPPING, ALONE)}
