"""Run folders as numbers: figures computed by hand, averages over seeds, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from cman.errors import CmanError
from cman.report.results import Counts, Level, f1, group_runs, macro_f1, overall_f1, precision, read_run, recall


def counts(true_positive: int, predicted: int, gold: int) -> dict[str, int]:
    return {"true_positive": true_positive, "predicted": predicted, "gold": gold}


def task(*figures: int) -> dict[str, Any]:
    level = {"all": counts(*figures), "types": {"Loc": counts(*figures)}}
    return {"strict": level, "boundaries": level, "relaxed": level}


def make_run(
    folder: Path, entities: tuple[int, ...] = (3, 4, 6), relations: tuple[int, ...] = (1, 2, 2), **changes: Any
) -> Path:
    provenance = {
        "corpus": "conll04",
        "corpus_title": "CoNLL04",
        "sample": False,
        "experiment": "cman",
        "title": "CMAN",
        "split": "main",
        "seed": 1,
        "protocol": "trained on train",
        "inputs_title": "characters",
    }
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps(provenance | changes))
    scores = {"documents": 288, "entities": task(*entities), "relations": task(*relations)}
    (folder / "scores.json").write_text(json.dumps(scores))
    return folder


def edit(path: Path, *keys: str, value: Any = None) -> None:
    """Set a nested field of a JSON file, or remove it when no value is given."""
    content = json.loads(path.read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    if value is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    path.write_text(json.dumps(content))


def test_precision_recall_and_f1_are_the_ones_computed_by_hand():
    found = Counts(true_positive=3, predicted=4, gold=6)
    assert precision(found) == 75.0
    assert recall(found) == 50.0
    assert f1(found) == 60.0  # 2 * 75 * 50 / 125


def test_figures_with_a_zero_denominator_are_zero():
    for found in (Counts(0, 0, 0), Counts(0, 5, 0), Counts(0, 0, 5)):
        assert f1(found) == 0.0
    assert precision(Counts(0, 0, 5)) == 0.0
    assert recall(Counts(0, 5, 0)) == 0.0


def test_macro_f1_is_the_mean_over_the_types_seen_in_gold_or_prediction():
    types = {"Loc": Counts(3, 4, 6), "Org": Counts(1, 1, 1), "Other": Counts(0, 2, 0), "Unseen": Counts(0, 0, 0)}
    assert macro_f1(Level(Counts(4, 7, 7), types)) == pytest.approx((60 + 100 + 0) / 3)


def test_macro_f1_without_any_type_is_zero():
    assert macro_f1(Level(Counts(0, 0, 0), {})) == 0.0


def test_overall_f1_is_the_mean_of_entity_and_relation_f1(tmp_path):
    run = read_run(make_run(tmp_path / "run"))
    assert overall_f1(run) == (60 + 50) / 2


def test_mean_and_sample_standard_deviation_over_seeds_are_the_ones_computed_by_hand(tmp_path):
    right = {1: 6, 2: 7, 3: 8}  # of 10 predicted and 10 gold: F1 60, 70, 80
    folders = [make_run(tmp_path / f"{seed}", (hits, 10, 10), seed=seed) for seed, hits in right.items()]
    (group,) = group_runs(read_run(folder) for folder in folders)
    assert len(group.runs) == 3
    assert group.entity.mean == pytest.approx(70.0)
    assert group.entity.sd == pytest.approx(10.0)  # sqrt((100 + 0 + 100) / 2)
    assert group.overall.mean == pytest.approx(60.0)
    assert group.overall.sd == pytest.approx(5.0)


def test_a_single_run_has_no_standard_deviation(tmp_path):
    (group,) = group_runs([read_run(make_run(tmp_path / "run"))])
    assert group.entity.sd is None


def test_runs_are_grouped_by_corpus_and_experiment_whatever_their_order(tmp_path):
    names = [("conll04", "multihead"), ("conll04", "cman"), ("conll04-sample", "cman")]
    runs = [
        read_run(make_run(tmp_path / f"{position}", corpus=corpus, experiment=experiment))
        for position, (corpus, experiment) in enumerate(names)
    ]
    groups = group_runs(runs)
    assert [(group.first.corpus, group.first.experiment) for group in groups] == sorted(names)
    assert group_runs(reversed(runs)) == groups


def test_two_runs_with_the_same_split_and_seed_are_refused_by_name(tmp_path):
    runs = [read_run(make_run(tmp_path / name)) for name in ("one", "two")]
    with pytest.raises(CmanError, match=r"one and .*two: .*split main, seed 1"):
        group_runs(runs)


@pytest.mark.parametrize("name", ["title", "protocol", "inputs_title", "corpus_title"])
def test_runs_of_one_row_that_differ_in_what_they_are_are_refused(tmp_path, name):
    runs = [read_run(make_run(tmp_path / "one")), read_run(make_run(tmp_path / "two", seed=2, **{name: "another"}))]
    with pytest.raises(CmanError, match=f"field {name}: found 'another'"):
        group_runs(runs)


def test_runs_scored_on_test_splits_of_different_size_are_refused(tmp_path):
    one, two = make_run(tmp_path / "one"), make_run(tmp_path / "two", seed=2)
    edit(two / "scores.json", "documents", value=287)
    with pytest.raises(CmanError, match="field documents: found 287, wanted 288"):
        group_runs([read_run(one), read_run(two)])


@pytest.mark.parametrize("name", ["scores.json", "provenance.json"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = make_run(tmp_path / "run")
    (folder / name).unlink()
    with pytest.raises(CmanError, match=name):
        read_run(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CmanError, match="nowhere"):
        read_run(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "keys", "value", "message"),
    [
        ("provenance.json", ("seed",), None, r"provenance\.json: field seed: is missing"),
        ("provenance.json", ("seed",), True, r"field seed: found True, wanted a whole number"),
        ("provenance.json", ("seed",), -1, r"field seed: found -1, wanted a whole number"),
        ("provenance.json", ("sample",), "no", r"field sample: found 'no', wanted true or false"),
        ("provenance.json", ("title",), " ", r"field title: found ' ', wanted a non-empty string"),
        ("provenance.json", ("experiment",), "../up", r"field experiment: found '\.\./up', wanted a name"),
        ("scores.json", ("documents",), 1.5, r"field documents: found 1\.5"),
        ("scores.json", ("entities", "strict", "all", "gold"), None, r"field entities\.strict\.all\.gold: is missing"),
        ("scores.json", ("relations", "relaxed"), None, r"field relations\.relaxed: is missing"),
        ("scores.json", ("relations", "strict", "types", "Loc"), 7, r"field relations\.strict\.types\.Loc\.true_pos"),
        ("scores.json", ("entities", "strict", "all", "true_positive"), 5, r"found 5 true positives, wanted at most 4"),
    ],
)
def test_a_malformed_field_is_named_with_its_file_and_path(tmp_path, name, keys, value, message):
    folder = make_run(tmp_path / "run")
    edit(folder / name, *keys, value=value)
    with pytest.raises(CmanError, match=message):
        read_run(folder)


def test_a_file_that_holds_no_object_is_refused(tmp_path):
    folder = make_run(tmp_path / "run")
    (folder / "scores.json").write_text("[]")
    with pytest.raises(CmanError, match=r"scores\.json: field documents: is missing"):
        read_run(folder)


# ---- folds


def folds(root: Path, figures: dict[tuple[int, int], int], **changes: Any) -> list[Any]:
    """Runs of (seed, fold) with these entity true positives among 100 predicted and 100 gold: F1 is their number."""
    return [
        read_run(make_run(root / f"{seed}-{fold}", (right, 100, 100), seed=seed, split=f"fold{fold}", **changes))
        for (seed, fold), right in figures.items()
    ]


def test_with_one_seed_mean_and_deviation_are_over_its_folds(tmp_path):
    (group,) = group_runs(folds(tmp_path, {(1, 0): 80, (1, 1): 84}))
    assert (group.entity.mean, group.entity.sd) == (82.0, pytest.approx(8**0.5))
    assert group.spread.startswith("mean over 2 of 10 folds (fold0, fold1) of one seed, ± sample standard deviation")
    assert group.spread.endswith("over these folds")


def test_with_several_seeds_folds_are_averaged_within_a_seed_before_the_deviation_over_seeds(tmp_path):
    (group,) = group_runs(folds(tmp_path, {(1, 0): 70, (1, 1): 90, (2, 0): 60, (2, 1): 90}))
    assert group.entity.mean == 77.5  # of 80 and 75
    assert group.entity.sd == pytest.approx(12.5**0.5)
    assert group.spread.startswith("mean over 2 of 10 folds (fold0, fold1) within a seed, then mean ± ")
    assert group.spread.endswith("over 2 seeds")


def test_a_single_fold_has_no_deviation_and_ten_are_not_listed(tmp_path):
    (group,) = group_runs(folds(tmp_path / "one", {(1, 3): 70}))
    assert (group.entity.sd, group.spread) == (None, "mean over 1 of 10 folds (fold3) of one seed")
    (group,) = group_runs(folds(tmp_path / "ten", {(1, fold): 70 + fold for fold in range(10)}))
    assert group.spread.startswith("mean over 10 folds of one seed, ")


def test_runs_without_folds_need_no_word_on_what_was_averaged(tmp_path):
    (group,) = group_runs([read_run(make_run(tmp_path / str(seed), seed=seed)) for seed in (1, 2)])
    assert group.spread == ""


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({(1, 0): 70, (1, 1): 80, (2, 0): 75}, r"seed 2: found the splits fold0, wanted fold0, fold1 as seed 1 has"),
        ({(1, 0): 70, (2, 1): 80}, r"seed 2: found the splits fold1, wanted fold0"),
    ],
)
def test_seeds_with_other_folds_are_no_row(tmp_path, figures, message):
    with pytest.raises(CmanError, match=message):
        group_runs(folds(tmp_path, figures))


def test_main_and_folds_are_no_row(tmp_path):
    runs = [*folds(tmp_path, {(1, 0): 70}), read_run(make_run(tmp_path / "main"))]
    with pytest.raises(CmanError, match="found the splits fold0, main, wanted either main or folds"):
        group_runs(runs)


def test_runs_that_are_divided_otherwise_are_no_row(tmp_path):
    one = folds(tmp_path / "one", {(1, 0): 70}, division="by sentence")
    with pytest.raises(CmanError, match="field division: found 'by abstract', wanted 'by sentence'"):
        group_runs([*one, *folds(tmp_path / "two", {(1, 1): 70}, division="by abstract")])
