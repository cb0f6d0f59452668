"""Parts of a test set: distances and lengths by hand, the whole from its parts, and the sizes of real CoNLL04."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cman.config.configuration import parse_configuration
from cman.corpora.document import Document, Entity, Relation, read_documents
from cman.corpora.prepare import prepare
from cman.corpora.raw import obtain, raw_files
from cman.evaluation.counts import strict_counts
from cman.evaluation.groups import DISTANCES, LENGTHS, Range, _ends, by_distance, by_length, distance
from cman.layout import Layout

# "Ada lives in Old Rome ." with the last characters at 2, 8, 11, 15, 20, 22.
TOKENS = ("Ada", "lives", "in", "Old", "Rome", ".")
ADA, ROME, OLD = Entity("Peop", 0, 1), Entity("Loc", 3, 5), Entity("Loc", 3, 4)
EVERYTHING = [Range(0)]


def document(entities, relations, tokens=TOKENS):
    return Document("1", tokens, tuple(entities), tuple(Relation(*relation) for relation in relations))


def test_distance_is_from_last_character_to_last_character_in_tokens_joined_by_blanks():
    ends = _ends(document([], []))
    text = " ".join(TOKENS)
    assert [text[end] for end in ends] == ["a", "s", "n", "d", "e", "."]
    assert distance(ends, ADA, ROME) == distance(ends, ROME, ADA) == 18
    assert distance(ends, ADA, OLD) == 13


def test_a_relation_belongs_to_the_group_of_its_own_arguments_be_it_gold_or_predicted():
    gold = document([ADA, ROME], [("Live_In", 0, 1)])  # 18 characters
    found = document([ADA, Entity("Loc", 1, 2)], [("Live_In", 0, 1)])  # 6 characters, wrong
    near, middle, far = by_distance([gold], [found])
    assert (near.relations.gold, near.relations.predicted) == (0, 1)
    assert (middle.relations.gold, middle.relations.predicted, middle.relations.true_positive) == (1, 0, 0)
    assert (far.relations.gold, far.relations.predicted) == (0, 0)


def test_entities_of_a_group_are_the_arguments_of_its_relations_and_what_touches_them():
    gold = document([ADA, ROME, Entity("Other", 5, 6)], [("Live_In", 0, 1)])
    found = document([Entity("Peop", 0, 1, 0.9), OLD, Entity("Other", 5, 6)], [])
    middle = by_distance([gold], [found])[1]
    # Ada is right, "Old" touches "Old Rome" and is wrong, the last entity is no argument and counts nowhere.
    assert vars(middle.entities) == {"true_positive": 1, "predicted": 2, "gold": 2}
    assert middle.sentences == 1


def test_an_entity_may_be_in_several_groups_but_once_in_each():
    relations = [("Live_In", 0, 1), ("Work", 0, 1), ("In", 2, 1)]  # Ada to Rome twice, "lives" to Rome
    gold = document([ADA, ROME, Entity("Other", 1, 2)], relations)
    near, middle, far = by_distance([gold], [gold])
    assert (near.entities.gold, middle.entities.gold, far.entities.gold) == (0, 3, 0)
    assert middle.relations.gold == 3


def test_sentences_go_where_their_number_of_tokens_says():
    lengths = [1, 19, 20, 34, 35, 49, 50, 200]
    gold = [document([Entity("A", 0, 1)], [], ("t",) * length) for length in lengths]
    assert [group.sentences for group in by_length(gold, gold)] == [2, 2, 2, 2]
    assert [limits.title for limits in LENGTHS] == ["≤19", "20–34", "35–49", "≥50"]


@st.composite
def pairs(draw):
    """A gold document and a prediction over tokens of many lengths."""
    tokens = tuple(draw(st.lists(st.text("ab", min_size=1, max_size=30), min_size=2, max_size=60)))

    def annotated():
        starts = draw(st.lists(st.integers(0, len(tokens) - 1), unique=True, max_size=4))
        entities = [Entity(draw(st.sampled_from("XY")), start, start + 1) for start in starts]
        ends = st.integers(0, max(len(entities) - 1, 0))
        links = draw(st.lists(st.tuples(st.sampled_from("PQ"), ends, ends), max_size=4)) if entities else []
        return document(entities, links, tokens)

    return annotated(), annotated()


@settings(max_examples=60)
@given(st.lists(pairs(), min_size=1, max_size=5))
def test_the_parts_add_up_to_the_strict_scores_of_the_whole(documents):
    gold, found = [pair[0] for pair in documents], [pair[1] for pair in documents]
    entities, relations = strict_counts(gold, found)
    (whole,) = by_length(gold, found, EVERYTHING)
    assert (whole.entities, whole.relations) == (entities, relations)
    for groups, tasks in (
        (by_length(gold, found), ("entities", "relations")),
        (by_distance(gold, found), ("relations",)),
    ):
        for task in tasks:
            total = {"entities": entities, "relations": relations}[task]
            for name in ("true_positive", "predicted", "gold"):
                assert sum(getattr(getattr(group, task), name) for group in groups) == getattr(total, name)


@pytest.mark.skipif(not os.environ.get("CMAN_MIRROR"), reason="CMAN_MIRROR names no folder with the real corpora")
@pytest.mark.parametrize(
    ("packaging", "lengths", "distances"),
    [("bekou", [62, 141, 54, 31], [55, 91, 276]), ("spert", [66, 142, 53, 27], [55, 90, 277])],
)
def test_the_groups_of_the_real_test_set_have_the_known_sizes(tmp_path, packaging, lengths, distances):
    value = {"corpora": {"conll04": {"format": "conll04", "packaging": packaging}}}
    corpus, layout = parse_configuration(value, "a test").corpus("conll04"), Layout(tmp_path)
    for name in raw_files(corpus):
        obtain(corpus, name, layout.raw("conll04") / name, Path(os.environ["CMAN_MIRROR"]))
    prepare("conll04", corpus, layout)
    test = read_documents(layout.documents("conll04", "main") / "test.jsonl")
    assert [group.sentences for group in by_length(test, test)] == lengths
    assert [group.relations.gold for group in by_distance(test, test)] == distances
    assert len(DISTANCES) == 3
