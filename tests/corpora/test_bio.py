"""The BIO scheme: decoding and encoding are inverse, and every tag sequence has the reading of the CoNLL script."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from cman.corpora.bio import entities_of, tag_set, tags_of
from cman.corpora.document import Entity
from cman.errors import CmanError

TYPES = ["Loc", "Org", "Live-In"]


@st.composite
def separate_entities(draw: st.DrawFn) -> tuple[list[Entity], int]:
    """Entities without overlap, some of them adjacent, and the length of their sentence."""
    entities, position = [], 0
    for _ in range(draw(st.integers(0, 6))):
        start = position + draw(st.integers(0, 2))
        position = start + draw(st.integers(1, 3))
        entities.append(Entity(draw(st.sampled_from(TYPES)), start, position))
    return entities, position + draw(st.integers(0, 3))


@given(separate_entities(), st.randoms())
def test_decoding_the_tags_of_entities_gives_the_entities(case: tuple[list[Entity], int], random: object) -> None:
    entities, length = case
    shuffled = list(entities)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    tags = tags_of(shuffled, length, "here")
    assert len(tags) == length
    assert entities_of(tags) == entities


@given(st.lists(st.sampled_from(tag_set(TYPES)), max_size=12))
def test_decoding_agrees_with_seqeval_on_every_tag_sequence(tags: list[str]) -> None:
    theirs = [(kind, start, last + 1) for kind, start, last in get_entities(tags)]
    assert [(entity.type, entity.start, entity.end) for entity in entities_of(tags)] == theirs


@given(st.lists(st.sampled_from(tag_set(TYPES)), max_size=12))
def test_encoding_what_was_decoded_changes_only_stray_tags(tags: list[str]) -> None:
    again = tags_of(entities_of(tags), len(tags), "here")
    assert entities_of(again) == entities_of(tags)
    assert [tag[1:] for tag in again] == [tag[1:] for tag in tags]


def test_a_stray_inside_tag_opens_an_entity() -> None:
    assert entities_of(["O", "I-Loc", "I-Loc", "O"]) == [Entity("Loc", 1, 3)]


def test_an_inside_tag_of_another_type_opens_an_entity() -> None:
    assert entities_of(["B-Loc", "I-Org"]) == [Entity("Loc", 0, 1), Entity("Org", 1, 2)]


def test_adjacent_entities_of_one_type_stay_apart() -> None:
    assert entities_of(["B-Loc", "B-Loc", "I-Loc"]) == [Entity("Loc", 0, 1), Entity("Loc", 1, 3)]


def test_a_sentence_without_tags_has_no_entity() -> None:
    assert entities_of([]) == []
    assert tags_of([], 0, "here") == []


@pytest.mark.parametrize("second", [Entity("Org", 1, 3), Entity("Loc", 0, 2), Entity("Org", 1, 2)])
def test_overlapping_entities_are_refused_with_the_document(second: Entity) -> None:
    wanted = re.escape("a.jsonl: line 3: the entity ") + ".*overlaps another; wanted entities without overlap"
    with pytest.raises(CmanError, match=wanted):
        tags_of([Entity("Loc", 0, 2), second], 4, "a.jsonl: line 3")


def test_the_tag_set_is_in_a_fixed_order() -> None:
    assert tag_set(["Peop", "Loc", "Peop"]) == ["O", "B-Loc", "I-Loc", "B-Peop", "I-Peop"]
    assert tag_set([]) == ["O"]
