"""Run folders as numbers: figures computed by hand, averages over seeds and folds, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from fake_runs import fake_run

from cman.errors import CmanError
from cman.report.frame import COLUMNS, MACRO, MICRO, STRICT, fixed, percent, probability, score_frame, signed, summaries
from cman.report.results import Group, Run, group_runs, read_run


def make_run(root: Path, entities: tuple[int, ...] = (3, 4, 6), relations: tuple[int, ...] = (1, 2, 2), **changes: Any):
    named = {"corpus": "conll04", "experiment": "cman"} | changes
    return fake_run(root, named.pop("corpus"), named.pop("experiment"), entities, relations, documents=288, **named)


def edit(path: Path, *keys: str, value: Any = None) -> None:
    """Set a nested field of a JSON file, or remove it when no value is given."""
    content = json.loads(path.read_text())
    level = content
    for key in keys[:-1]:
        level = level[key]
    if value is None:
        del level[keys[-1]]
    else:
        level[keys[-1]] = value
    path.write_text(json.dumps(content))


def strict(*runs: Run) -> dict[Any, Any]:
    frame = score_frame(runs)
    return summaries(frame[frame.matching == STRICT], ["task", "type", "figure"])


def test_precision_recall_and_f1_are_the_ones_computed_by_hand(tmp_path):
    run = read_run(make_run(tmp_path))
    found = strict(run)
    assert [found["entities", "", f"micro_{name}"].mean for name in ("precision", "recall", "f1")] == [75.0, 50.0, 60.0]
    assert found["overall", "", MICRO].mean == (60 + 50) / 2
    assert list(score_frame([run]).columns) == COLUMNS and all(each is run for each in score_frame([run]).run)


def test_macro_figures_are_means_over_the_types_seen_in_gold_or_prediction(tmp_path):
    folder = make_run(tmp_path, (4, 7, 7))
    types = {"Loc": (3, 4, 6), "Org": (1, 1, 1), "Other": (0, 2, 0), "Unseen": (0, 0, 0)}
    for name, counts in types.items():
        count = dict(zip(("true_positive", "predicted", "gold"), counts, strict=True))
        edit(folder / "scores.json", "entities", "strict", "types", name, value=count)
    edit(folder / "scores.json", "entities", "strict", "types", "A")
    assert strict(read_run(folder))["entities", "", MACRO].mean == pytest.approx((60 + 100 + 0) / 3)


def test_a_type_may_be_called_as_an_average_is(tmp_path):
    folder = make_run(tmp_path, (3, 4, 6))
    for name in ("micro", "macro", MICRO):
        count = {"true_positive": 1, "predicted": 1, "gold": 2}
        edit(folder / "scores.json", "entities", "strict", "types", name, value=count)
    found = strict(read_run(folder))
    assert (found["entities", "", MICRO].mean, found["entities", "", MICRO].sd) == (60, None)
    assert found["entities", "micro", "f1"].mean == found["entities", MICRO, "f1"].mean == pytest.approx(200 / 3)


def test_what_has_no_gold_item_has_no_figure_and_no_overall_f1(tmp_path):
    found = strict(read_run(make_run(tmp_path, (5, 5, 5), (0, 2, 0))))
    assert found["entities", "", MICRO].mean == 100
    assert found["relations", "", MICRO].mean is found["relations", "", MACRO].mean is None
    assert found["overall", "", MICRO].mean is None
    assert strict(read_run(make_run(tmp_path / "none", (0, 2, 5))))["entities", "", MICRO].mean == 0


def test_mean_and_sample_standard_deviation_over_seeds_are_the_ones_computed_by_hand(tmp_path):
    right = {1: 6, 2: 7, 3: 8}  # of 10 predicted and 10 gold: F1 60, 70, 80
    runs = [read_run(make_run(tmp_path, (hits, 10, 10), seed=seed)) for seed, hits in right.items()]
    found = strict(*runs)
    assert found["entities", "", MICRO].mean == pytest.approx(70.0)
    assert found["entities", "", MICRO].sd == pytest.approx(10.0)  # sqrt((100 + 0 + 100) / 2)
    assert (found["overall", "", MICRO].mean, found["overall", "", MICRO].sd) == pytest.approx((60.0, 5.0))
    assert strict(runs[0])["entities", "", MICRO].sd is None


def test_runs_are_grouped_by_corpus_and_experiment_whatever_their_order(tmp_path):
    names = [("conll04", "multihead"), ("conll04", "cman"), ("conll04-sample", "cman")]
    runs = [read_run(make_run(tmp_path, corpus=corpus, experiment=name)) for corpus, name in names]
    groups = group_runs(runs)
    assert [(group.first.corpus, group.first.experiment) for group in groups] == sorted(names)
    assert group_runs(reversed(runs)) == groups


def test_facts_of_presentation_may_be_given_beside_the_run(tmp_path):
    run = read_run(make_run(tmp_path), {"title": "Mine", "inputs_title": "letters"})
    assert (run.title, run.inputs_title, run.protocol) == ("Mine", "letters", "p")


def test_runs_that_do_not_belong_in_one_row_are_refused_by_field(tmp_path):
    one = read_run(make_run(tmp_path))
    with pytest.raises(CmanError, match=r"cman/main/seed1 and .*: both are .*split main, seed 1; wanted each run once"):
        group_runs([one, read_run(make_run(tmp_path / "again"))])
    for name in ("title", "protocol", "inputs_title", "corpus_title"):
        with pytest.raises(CmanError, match=f"field {name}: found 'another'"):
            group_runs([one, read_run(make_run(tmp_path / name, seed=2, **{name: "another"}))])
    other = make_run(tmp_path, seed=2)
    edit(other / "scores.json", "documents", value=287)
    with pytest.raises(CmanError, match="field documents: found 287, wanted 288"):
        group_runs([one, read_run(other)])


@pytest.mark.parametrize(
    ("name", "keys", "value", "message"),
    [
        ("provenance.json", ("seed",), None, r"provenance\.json: field seed: is missing"),
        ("provenance.json", ("seed",), True, r"field seed: found true, wanted a whole number"),
        ("provenance.json", ("seed",), -1, r"field seed: found -1, wanted a whole number"),
        ("provenance.json", ("sample",), "no", r'field sample: found "no", wanted true or false'),
        ("provenance.json", ("title",), " ", r'field title: found " ", wanted a non-empty string'),
        ("provenance.json", ("experiment",), "../up", r"field experiment: found '\.\./up', wanted a name"),
        ("scores.json", ("documents",), 1.5, r"field documents: found 1\.5"),
        ("scores.json", ("entities", "strict", "all", "gold"), None, r"field entities\.strict\.all\.gold: is missing"),
        ("scores.json", ("relations", "relaxed"), None, r"field relations\.relaxed: is missing"),
        ("scores.json", ("relations", "strict", "types", "A"), 7, r"relations\.strict\.types\.A: found 7, wanted an"),
        ("scores.json", ("entities", "strict", "all", "true_positive"), 5, r"found 5 true positives, wanted at most 4"),
    ],
)
def test_a_malformed_field_is_named_with_its_file_and_path(tmp_path, name, keys, value, message):
    folder = make_run(tmp_path)
    edit(folder / name, *keys, value=value)
    with pytest.raises(CmanError, match=message):
        read_run(folder)


def test_a_missing_file_or_folder_and_a_file_without_an_object_are_named(tmp_path):
    for name in ("scores.json", "provenance.json", ""):
        folder = make_run(tmp_path / f"without {name}")
        (folder / name).unlink() if name else folder.rename(tmp_path / "elsewhere")
        with pytest.raises(CmanError, match=name or "found no such folder"):
            read_run(folder)
    folder = make_run(tmp_path / "list")
    (folder / "scores.json").write_text("[]")
    with pytest.raises(CmanError, match=r"scores\.json: field \(all\): found \[\], wanted an object"):
        read_run(folder)


def test_numbers_as_text():
    assert [fixed(value) for value in (84.375, 84.374999, 2.675, None)] == ["84.38", "84.37", "2.68", ""]
    assert [signed(x) for x in (0.5, -0.5, 0.001, -0.001, 0.0, None)] == ["+0.50", "-0.50", "0.00", "0.00", "0.00", ""]
    assert [percent(x) for x in (84.375, -0.004, None)] == ["84.38", "0.00", ""]
    assert [probability(p) for p in (0.0001, 0.001, 0.0494, 1.0, None)] == ["<.001", ".001", ".049", "1.000", ""]


# ---- folds


def folds(root: Path, figures: dict[tuple[int, int], int], **changes: Any) -> list[Run]:
    """Runs of (seed, fold) with these entity true positives among 100 predicted and 100 gold: F1 is their number."""
    return [
        read_run(make_run(root, (right, 100, 100), seed=seed, split=f"fold{fold}", **changes))
        for (seed, fold), right in figures.items()
    ]


def test_figures_over_folds_are_averaged_within_a_seed_first(tmp_path):
    cases = {
        "one seed": ({(1, 0): 80, (1, 1): 84}, 82.0, 8**0.5, "mean over 2 of 10 folds (fold0, fold1) of one seed, ±"),
        "two seeds": ({(1, 0): 70, (1, 1): 90, (2, 0): 60, (2, 1): 90}, 77.5, 12.5**0.5, "mean over 2 of 10 folds"),
        "one fold": ({(1, 3): 70}, 70, None, "mean over 1 of 10 folds (fold3) of one seed"),
        "ten": ({(1, fold): 70 for fold in range(10)}, 70, 0, "mean over 10 folds of one seed, "),
    }
    for name, (figures, mean, sd, spread) in cases.items():
        runs = folds(tmp_path / name, figures)
        (group,) = group_runs(runs)
        found = strict(*runs)["entities", "", MICRO]
        assert (found.mean, found.sd) == (mean, pytest.approx(sd) if sd is not None else None)
        assert group.spread.startswith(spread)
    assert Group((read_run(make_run(tmp_path)),)).spread == ""
    own = {"division": "5 folds that share no text; before training, nothing is removed"}
    for number, said in (
        (5, "mean over 5 folds of one seed"),
        (2, "mean over 2 of 5 folds (fold0, fold1) of one seed"),
    ):
        (group,) = group_runs(folds(tmp_path / str(number), {(1, fold): 70 for fold in range(number)}, **own))
        assert group.spread.startswith(said)


def test_counts_add_up_over_folds(tmp_path):
    frame = score_frame(folds(tmp_path, {(1, 0): 70, (1, 1): 80, (2, 0): 60, (2, 1): 90}))
    gold = frame[(frame.task == "entities") & (frame.matching == STRICT) & (frame.figure == "gold")]
    assert summaries(gold, ["type"], total=True)["A",].mean == 200


def test_seeds_with_other_folds_are_no_row(tmp_path):
    cases = {
        r"seed 2: found the splits fold0, wanted fold0, fold1 as seed 1": {(1, 0): 70, (1, 1): 80, (2, 0): 75},
        r"seed 2: found the splits fold1, wanted fold0": {(1, 0): 70, (2, 1): 80},
    }
    for message, figures in cases.items():
        with pytest.raises(CmanError, match=message):
            group_runs(folds(tmp_path / message[-4:], figures))
    one = folds(tmp_path, {(1, 0): 70}, division="by sentence")
    with pytest.raises(CmanError, match="found the splits fold0, main, wanted either main or folds"):
        group_runs([*one, read_run(make_run(tmp_path, division="by sentence"))])
    with pytest.raises(CmanError, match="field division: found 'by abstract', wanted 'by sentence'"):
        group_runs([*one, *folds(tmp_path, {(1, 1): 70}, division="by abstract")])
