"""Each policy on sentences whose overlaps are plain to see."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cman.corpora.bio import entities_of, tags_of
from cman.corpora.document import Document, Entity, Relation
from cman.corpora.overlap import has_overlap, reduced, without_overlap

POLICIES = ("keep_longest", "drop_sentences", "drop_relations")
TOKENS = ("lithium", "toxicity", "and", "rash", "after", "heparin")
TOXICITY, LITHIUM, RASH, HEPARIN = Entity("AE", 0, 2), Entity("Drug", 0, 1), Entity("AE", 3, 4), Entity("Drug", 5, 6)
# The first relation holds between overlapping arguments, the others do not.
SENTENCE = Document("1", TOKENS, (TOXICITY, LITHIUM, RASH, HEPARIN),
                    (Relation("AE", 0, 1), Relation("AE", 2, 1), Relation("AE", 2, 3)))  # fmt: skip
PLAIN = Document("2", TOKENS, (RASH, HEPARIN), (Relation("AE", 0, 1),))


@pytest.mark.parametrize("policy", POLICIES)
def test_a_sentence_without_overlap_stays_as_it_is(policy):
    assert without_overlap(PLAIN, policy) == PLAIN


def test_keep_longest_drops_the_shorter_entity_and_its_relations():
    left = without_overlap(SENTENCE, "keep_longest")
    assert left is not None
    assert left.entities == (TOXICITY, RASH, HEPARIN)
    assert left.relations == (Relation("AE", 1, 2),)


def test_of_equally_long_entities_the_first_stays():
    document = Document("1", ("a", "b", "c"), (Entity("X", 1, 3), Entity("Y", 0, 2)))
    left = without_overlap(document, "keep_longest")
    assert left is not None and left.entities == (Entity("Y", 0, 2),)


def test_drop_sentences_drops_a_sentence_with_an_overlap():
    assert without_overlap(SENTENCE, "drop_sentences") is None


def test_drop_relations_drops_what_only_that_relation_needed():
    left = reduced(SENTENCE, "drop_relations")
    assert left is not None
    assert left.entities == (LITHIUM, RASH, HEPARIN)  # the toxicity took part in the dropped relation alone
    assert left.relations == (Relation("AE", 1, 0), Relation("AE", 1, 2))


def test_drop_relations_drops_a_sentence_that_keeps_none():
    assert reduced(Document("1", TOKENS, (TOXICITY, LITHIUM), (Relation("AE", 0, 1),)), "drop_relations") is None


def test_what_drop_relations_leaves_overlapping_is_made_fit_for_bio():
    document = Document("1", TOKENS, (TOXICITY, LITHIUM, RASH, HEPARIN), (Relation("AE", 0, 3), Relation("AE", 2, 1)))
    assert reduced(document, "drop_relations") == document
    left = without_overlap(document, "drop_relations")
    assert left is not None and left.entities == (TOXICITY, RASH, HEPARIN)
    assert left.relations == (Relation("AE", 0, 2),)


spans = st.tuples(st.integers(0, 8), st.integers(1, 4)).map(lambda pair: Entity("X", pair[0], pair[0] + pair[1]))


@given(st.lists(spans, max_size=6, unique=True), st.sampled_from(POLICIES))
def test_whatever_is_left_can_be_written_in_bio(entities, policy):
    document = Document("1", ("t",) * 12, tuple(entities))
    left = without_overlap(document, policy)
    assert has_overlap(document) == any(
        first.start < second.end and second.start < first.end
        for place, first in enumerate(entities)
        for second in entities[place + 1 :]
    )
    if left is not None:
        assert not has_overlap(left)
        assert entities_of(tags_of(left.entities, 12, "x")) == sorted(left.entities, key=lambda entity: entity.start)
