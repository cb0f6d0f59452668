"""Folds and dev parts: disjoint, complete, of almost equal size, and the same everywhere."""

import pytest

from cman.corpora.folds import divide, grouped_folds, spert_folds
from cman.errors import CmanError
from cman.layout import FOLDS

GROUPS = [f"abstract {number // 3}" for number in range(301)]  # three sentences each, the last has one
IDS = [f"sentence {number}" for number in range(301)]


def parts(folds: list[int], groups: list[str], number: int, share: float = 0.15, seed: int = 1) -> dict[str, list[int]]:
    return dict(divide(range(len(folds)), folds, groups, number, share, seed))


def test_the_public_folds_have_427_sentences_and_the_last_one_429():
    folds = spert_folds(4272)
    assert [folds.count(number) for number in range(len(FOLDS))] == [427] * 9 + [429]


def test_the_public_folds_refuse_a_corpus_of_another_size():
    with pytest.raises(CmanError, match="found 4271 sentences, wanted the 4272"):
        spert_folds(4271)


def test_grouped_folds_keep_groups_together_and_differ_by_one_group_at_most():
    folds = grouped_folds(GROUPS, 1)
    assert all(len({fold for fold, group in zip(folds, GROUPS, strict=True) if group == name}) == 1 for name in GROUPS)
    sizes = [folds.count(number) for number in range(len(FOLDS))]
    assert max(sizes) - min(sizes) <= 3


def test_another_seed_divides_otherwise_and_the_same_seed_alike():
    assert grouped_folds(IDS, 1) == grouped_folds(IDS, 1) != grouped_folds(IDS, 2)
    assert grouped_folds(IDS, 1)[:12] == [8, 8, 7, 2, 2, 9, 6, 7, 3, 7, 3, 5]  # on every machine


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(CmanError, match="found 9 groups of sentences, wanted at least 10"):
        grouped_folds([str(number) for number in range(9)], 1)


@pytest.mark.parametrize("groups", [GROUPS, IDS])
@pytest.mark.parametrize("number", [0, 9])
def test_every_sentence_is_in_one_part_of_a_fold_and_a_group_in_one_of_train_and_dev(groups, number):
    folds = grouped_folds(groups, 1)
    found = parts(folds, groups, number)
    assert sorted(place for part in found.values() for place in part) == list(range(301))
    assert all(part == sorted(part) for part in found.values())
    assert found["test"] == [place for place, fold in enumerate(folds) if fold == number]
    of = {split: {groups[place] for place in part} for split, part in found.items()}
    assert not of["train"] & of["dev"] and not (of["train"] | of["dev"]) & of["test"]
    assert len(found["dev"]) == pytest.approx(0.15 * (301 - len(found["test"])), abs=3)


def test_the_dev_part_depends_on_fold_and_seed_and_is_never_empty_nor_everything():
    folds = grouped_folds(IDS, 1)
    assert parts(folds, IDS, 0)["dev"] == parts(folds, IDS, 0)["dev"] != parts(folds, IDS, 0, seed=2)["dev"]
    shared = set(parts(folds, IDS, 0)["dev"]) & set(parts(folds, IDS, 1)["dev"])
    assert len(shared) < len(parts(folds, IDS, 0)["dev"]) / 2
    assert len(parts(folds, IDS, 0, share=0.0001)["dev"]) == 1
    assert len(parts(folds, IDS, 0, share=0.9999)["train"]) == 1
