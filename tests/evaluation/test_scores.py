"""The three ways of matching, by hand and against brute force, and the pairing of files."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.errors import CmanError, UsageError
from cman.evaluation.counts import strict_counts
from cman.evaluation.scores import MATCHINGS, score_documents, score_files

TOKENS = tuple("abcdefgh")


def document(entities=(), relations=(), name: str = "d") -> Document:
    return Document(
        name, TOKENS, tuple(Entity(*each) for each in entities), tuple(Relation(*each) for each in relations)
    )


def counts(gold: Document, predicted: Document, level: str, matching: str) -> tuple[int, int, int]:
    return tuple(score_documents([gold], [predicted])[level][matching]["all"].values())


def three(gold: Document, predicted: Document, level: str) -> dict[str, tuple[int, int, int]]:
    return {matching: counts(gold, predicted, level, matching) for matching in MATCHINGS}


GOLD = document([("Loc", 0, 2), ("Peop", 3, 5)], [("In", 1, 0)])


def test_the_layout_of_scores():
    scores = score_documents([GOLD, document()], [GOLD, document()])
    assert list(scores) == ["documents", "entities", "relations"] and scores["documents"] == 2
    assert list(scores["entities"]) == ["strict", "boundaries", "relaxed"]
    one = {"true_positive": 1, "predicted": 1, "gold": 1}
    assert scores["entities"]["strict"] == {
        "all": {"true_positive": 2, "predicted": 2, "gold": 2},
        "types": {"Loc": one, "Peop": one},
    }
    assert scores["relations"]["relaxed"] == {"all": one, "types": {"In": one}}


@pytest.mark.parametrize(
    ("entities", "strict", "boundaries", "relaxed"),
    [
        ([("Loc", 0, 2), ("Peop", 3, 5)], (2, 2, 2), (2, 2, 2), (2, 2, 2)),
        ([("Peop", 0, 2), ("Peop", 3, 5)], (1, 2, 2), (2, 2, 2), (1, 2, 2)),  # a wrong type
        ([("Loc", 1, 3), ("Peop", 4, 5)], (0, 2, 2), (0, 2, 2), (2, 2, 2)),  # wrong spans that touch
        ([("Loc", 2, 3), ("Peop", 5, 6)], (0, 2, 2), (0, 2, 2), (0, 2, 2)),  # neighbours do not touch
        ([("Loc", 0, 1), ("Loc", 1, 2)], (0, 2, 2), (0, 2, 2), (1, 2, 2)),  # each at most once
        ([("Loc", 0, 5)], (0, 1, 2), (0, 1, 2), (1, 1, 2)),
        ([], (0, 0, 2), (0, 0, 2), (0, 0, 2)),
    ],
)
def test_entities_under_each_matching(entities, strict, boundaries, relaxed):
    found = three(GOLD, document(entities), "entities")
    assert found == {"strict": strict, "boundaries": boundaries, "relaxed": relaxed}


@pytest.mark.parametrize(
    ("entities", "relations", "strict", "boundaries", "relaxed"),
    [
        ([("Loc", 0, 2), ("Peop", 3, 5)], [("In", 1, 0)], 1, 1, 1),
        ([("Loc", 0, 2), ("Peop", 3, 5)], [("In", 0, 1)], 0, 0, 0),  # turned around
        ([("Loc", 0, 2), ("Peop", 3, 5)], [("On", 1, 0)], 0, 0, 0),  # a wrong label
        ([("Org", 0, 2), ("Peop", 3, 5)], [("In", 1, 0)], 0, 1, 0),  # a wrong type of an argument
        ([("Loc", 1, 2), ("Peop", 3, 4)], [("In", 1, 0)], 0, 0, 1),  # spans that only touch
        ([("Org", 1, 2), ("Peop", 3, 4)], [("In", 1, 0)], 0, 0, 0),
        ([("Loc", 0, 2), ("Peop", 5, 6)], [("In", 1, 0)], 0, 0, 0),
    ],
)
def test_relations_under_each_matching(entities, relations, strict, boundaries, relaxed):
    found = three(GOLD, document(entities, relations), "relations")
    assert found == {"strict": (strict, 1, 1), "boundaries": (boundaries, 1, 1), "relaxed": (relaxed, 1, 1)}


def test_entities_that_differ_in_type_alone_are_one_under_boundaries():
    predicted = document([("Loc", 0, 2), ("Org", 0, 2)], [("In", 0, 1), ("In", 1, 0)])
    assert counts(GOLD, predicted, "entities", "boundaries") == (1, 1, 2)
    assert counts(GOLD, predicted, "entities", "strict") == (1, 2, 2)
    assert counts(GOLD, predicted, "relations", "boundaries")[1] == 1


def test_duplicates_count_once_under_every_matching():
    doubled = document([("Loc", 0, 2), ("Loc", 0, 2), ("Peop", 3, 5)], [("In", 2, 0), ("In", 2, 1)])
    assert three(GOLD, doubled, "entities") == dict.fromkeys(MATCHINGS, (2, 2, 2))
    assert three(doubled, GOLD, "entities") == dict.fromkeys(MATCHINGS, (2, 2, 2))
    assert three(GOLD, doubled, "relations") == dict.fromkeys(MATCHINGS, (1, 1, 1))


def test_predicted_scores_do_not_make_annotations_different():
    predicted = Document(
        "d", TOKENS, (Entity("Loc", 0, 2, 0.3), Entity("Peop", 3, 5, 0.4)), (Relation("In", 1, 0, 0.9),)
    )
    assert three(GOLD, predicted, "relations") == dict.fromkeys(MATCHINGS, (1, 1, 1))


def test_empty_documents_count_nothing():
    for level in ("entities", "relations"):
        assert three(document(), document(), level) == dict.fromkeys(MATCHINGS, (0, 0, 0))
    assert score_documents([], [])["entities"]["strict"] == {
        "all": {"true_positive": 0, "predicted": 0, "gold": 0},
        "types": {},
    }


def test_annotations_of_one_document_never_match_those_of_another():
    scores = score_documents([GOLD, document()], [document(), GOLD])
    assert all(scores["entities"][matching]["all"]["true_positive"] == 0 for matching in MATCHINGS)


def test_the_counts_of_each_type_add_up():
    gold = document([("Loc", 0, 2), ("Peop", 3, 5), ("Loc", 6, 7)])
    predicted = document([("Loc", 0, 2), ("Org", 3, 5)])
    types = score_documents([gold], [predicted])["entities"]["strict"]["types"]
    assert types == {
        "Loc": {"true_positive": 1, "predicted": 1, "gold": 2},
        "Org": {"true_positive": 0, "predicted": 1, "gold": 0},
        "Peop": {"true_positive": 0, "predicted": 0, "gold": 1},
    }
    boundaries = score_documents([gold], [predicted])["entities"]["boundaries"]["types"]
    assert list(boundaries.values()) == [{"true_positive": 2, "predicted": 2, "gold": 3}]


# ---- random annotations

spans = st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 7), st.integers(1, 4)).map(
    lambda each: (each[0], each[1], min(each[1] + each[2], 8))
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    entities = draw(st.lists(spans, max_size=6))
    pair = st.tuples(st.sampled_from(["r", "s"]), *[st.integers(0, max(len(entities) - 1, 0))] * 2)
    return document(entities, draw(st.lists(pair, max_size=5)) if entities else [])


def largest_matching(touching: np.ndarray) -> int:
    if 0 in touching.shape:
        return 0
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(touching, maximize=True)
    return int(touching[rows, columns].sum())


def overlap(a: Entity, b: Entity) -> bool:
    return a.type == b.type and bool({*range(a.start, a.end)} & {*range(b.start, b.end)})


@settings(max_examples=120)
@given(documents(), documents())
def test_relaxed_matching_is_as_large_as_any(gold, predicted):
    golds, founds = ([*dict.fromkeys(each.entities)] for each in (gold, predicted))
    touching = np.array([[overlap(a, b) for b in founds] for a in golds], dtype=int).reshape(len(golds), len(founds))
    assert counts(gold, predicted, "entities", "relaxed") == (largest_matching(touching), len(founds), len(golds))
    links = [
        [*dict.fromkeys((r.type, each.entities[r.head], each.entities[r.tail]) for r in each.relations)]
        for each in (gold, predicted)
    ]
    touching = np.array(
        [[a[0] == b[0] and overlap(a[1], b[1]) and overlap(a[2], b[2]) for b in links[1]] for a in links[0]], dtype=int
    ).reshape(len(links[0]), len(links[1]))
    expected = (largest_matching(touching), len(links[1]), len(links[0]))
    assert counts(gold, predicted, "relations", "relaxed") == expected


def test_relaxed_matching_finds_pairs_that_taking_the_first_touch_would_miss():
    gold = document([("x", 0, 4), ("x", 4, 5)])
    predicted = document([("x", 3, 5), ("x", 0, 1)])
    for pair in itertools.permutations((gold, predicted)):
        assert counts(*pair, "entities", "relaxed") == (2, 2, 2)


@settings(max_examples=80)
@given(st.lists(st.tuples(documents(), documents()), max_size=3))
def test_strict_scores_are_the_counts_that_training_selects_by(pairs):
    gold, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    scores = score_documents(gold, predicted)
    for level, found in zip(("entities", "relations"), strict_counts(gold, predicted), strict=True):
        assert scores[level]["strict"]["all"] == vars(found)


@settings(max_examples=80)
@given(documents(), documents())
def test_every_matching_is_symmetric_and_within_its_bounds(gold, predicted):
    for level, matching in itertools.product(("entities", "relations"), MATCHINGS):
        matched, found, right = counts(gold, predicted, level, matching)
        assert 0 <= matched <= min(found, right)
        assert counts(predicted, gold, level, matching) == (matched, right, found)
        types = score_documents([gold], [predicted])[level][matching]["types"]
        assert sum(each["true_positive"] for each in types.values()) == matched
    assert counts(gold, predicted, "entities", "strict")[0] <= counts(gold, predicted, "entities", "relaxed")[0]


# ---- files


def written(path: Path, *parts: Document) -> Path:
    write_documents(path, parts)
    return path


ONE, TWO = document([("Loc", 0, 2)], name="1"), document([("Loc", 0, 2)], name="2")


def test_files_are_paired_by_the_ids_of_their_documents(tmp_path):
    gold = written(tmp_path / "gold.jsonl", ONE, document(name="2"))
    predicted = written(tmp_path / "predicted.jsonl", document(name="2"), ONE)
    assert score_files(gold, predicted)["entities"]["strict"]["all"]["true_positive"] == 1


def test_a_missing_document_is_named_with_its_file(tmp_path):
    gold, predicted = written(tmp_path / "gold.jsonl", ONE, TWO), written(tmp_path / "predicted.jsonl", ONE)
    with pytest.raises(CmanError, match=r"predicted\.jsonl: found no document '2'"):
        score_files(gold, predicted)


def test_a_document_that_the_gold_file_lacks_is_named(tmp_path):
    gold, predicted = written(tmp_path / "gold.jsonl", ONE), written(tmp_path / "predicted.jsonl", ONE, TWO)
    with pytest.raises(CmanError, match=r"predicted\.jsonl: found document '2', which .*gold\.jsonl does not have"):
        score_files(gold, predicted)


def test_other_tokens_are_refused(tmp_path):
    gold = written(tmp_path / "gold.jsonl", ONE)
    predicted = written(tmp_path / "predicted.jsonl", Document("1", (*TOKENS[:-1], "z")))
    with pytest.raises(CmanError, match="document '1': its tokens differ"):
        score_files(gold, predicted)


def test_overlapping_gold_annotations_are_left_out_where_a_policy_is_named(tmp_path):
    overlapping = [("Loc", 0, 3), ("Loc", 1, 2), ("Peop", 4, 5)]
    crossed = document(overlapping, [("In", 0, 1), ("In", 2, 0)], "crossed")
    inside = document(overlapping[:2], [("In", 0, 1)], "inside")
    gold = written(tmp_path / "gold.jsonl", crossed, inside, ONE)
    found = document([("Loc", 0, 3), ("Peop", 4, 5)], [("In", 1, 0)], "crossed")
    predicted = written(tmp_path / "predicted.jsonl", ONE, document(name="inside"), found)

    def counted(*policy) -> tuple[int, dict, dict]:
        scores = score_files(gold, predicted, None, None, None, *policy)
        return scores["documents"], *(scores[level]["strict"]["all"] for level in ("entities", "relations"))

    def count(true_positive: int, predicted: int, gold: int) -> dict[str, int]:
        return {"true_positive": true_positive, "predicted": predicted, "gold": gold}

    assert counted() == (3, count(3, 3, 6), count(1, 1, 3))
    assert counted("keep_longest") == (3, count(3, 3, 4), count(1, 1, 1))
    assert counted("drop_relations") == (2, count(3, 3, 3), count(1, 1, 1))  # no relation is left for `inside`
    assert counted("drop_sentences") == (1, count(1, 1, 1), count(0, 0, 0))
    with pytest.raises(UsageError, match="found 'none', wanted one of keep_longest, drop_sentences, drop_relations"):
        counted("none")
    with pytest.raises(CmanError, match="found no document that drop_sentences leaves"):
        score_files(written(tmp_path / "a.jsonl", inside), written(tmp_path / "b.jsonl", document(name="inside")),
                    overlap="drop_sentences")  # fmt: skip


def test_a_missing_or_malformed_file_is_named(tmp_path):
    gold = written(tmp_path / "gold.jsonl", ONE)
    with pytest.raises(CmanError, match=r"none\.jsonl: cannot be read"):
        score_files(gold, tmp_path / "none.jsonl")
    (tmp_path / "odd.jsonl").write_text('{"id": "1"}\n')
    with pytest.raises(CmanError, match=r"odd\.jsonl: line 1"):
        score_files(gold, tmp_path / "odd.jsonl")
