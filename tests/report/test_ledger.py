"""The claims ledger: what decides a claim, what keeps it undecided, and what stands in its row."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from perturbed_runs import perturbed, write_run

from cman.config.settings import Settings
from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.report.evidence import Evidence, read_evidence
from cman.report.ledger.claims import CLAIMS, SECOND, Claim
from cman.report.ledger.page import cells, commands, first_line, sentence
from cman.report.ledger.rows import CONTRADICTED, IMPOSSIBLE, SUPPORTED, UNDECIDED, Measured, Row, ledger
from cman.report.results import group_runs, read_run

CLAIM = Claim("C1", "it helps", "Table I", "cman", "multihead-at", 4.0, ("tiny",))
TOKENS = ("Ada", "of", "Rome", "met", "Bo", "of", "Oslo")
SPANS = (Entity("Peop", 0, 1), Entity("Loc", 2, 3), Entity("Peop", 4, 5), Entity("Loc", 6, 7))
GOLD = [Document(str(n), TOKENS, SPANS, (Relation("Live", 0, 1), Relation("Live", 2, 3))) for n in range(40)]
SETTINGS = Settings().model_dump(mode="json")
REGIME = {"training.epochs": 180}


def evidence(folder: Path, corpora: Path | None = None, seeds: int = 2, **provenance: object) -> list[Evidence]:
    """Runs of a good and of a bad model, without rankings."""
    runs = [
        write_run(folder, GOLD, perturbed(GOLD, rate, seed), name, seed, settings=SETTINGS, seconds=60, **provenance)
        for name, rate in (("cman", 0.05), ("multihead-at", 0.4))
        for seed in range(1, seeds + 1)
    ]
    return read_evidence(group_runs(map(read_run, runs)), corpora or folder / "none", 200, 1, needed=False)


@pytest.fixture
def row(tmp_path: Path) -> Row:
    """A row that is decided: of the regime, two seeds, robust, its p small."""
    (found,) = ledger(evidence(tmp_path), 200, REGIME, [CLAIM])
    good = Measured(5.0, 3.0, 7.0, 2.0)
    thresholds = dict.fromkeys((0.3, 0.4, 0.5, 0.6, 0.7), good)
    return replace(found, measured=good, by_threshold=thresholds, precision=1.5, second=good, p=0.01, p_holm=0.02)


def test_a_claim_is_supported_above_zero_and_contradicted_below_the_margin(row):
    assert (row.verdict, row.reason) == (SUPPORTED, "")

    def of(low: float, high: float, published: float | None) -> str:
        found = Measured((low + high) / 2, low, high, 2.0)
        every = dict.fromkeys(row.by_threshold, found)
        claim = replace(CLAIM, published=published)
        return replace(
            row, claim=claim, measured=found, by_threshold=every, second=found, precision=found.effect
        ).verdict

    assert of(-0.5, 0.9, None) == of(-0.5, 0.9, 1.5) == of(-0.5, 1.9, 4.0) == CONTRADICTED
    assert of(-0.5, 1.1, None) == of(-0.5, 1.9, 2.0) == of(-0.5, 2.1, 4.0) == UNDECIDED
    assert of(0.1, 0.9, 4.0) == SUPPORTED


def test_what_is_not_of_the_regime_robust_or_significant_is_undecided_and_says_why(row):
    other, opposite = Measured(0.5, -1.0, 2.5, 2.0), Measured(-3.0, -5.0, -1.0, 2.0)
    for changes, why in (
        ({"regime": None}, "exploratory"),
        ({"regime": {"training.epochs": 36}}, "exploratory"),
        ({"runs": tuple(run for run in row.runs if run.seed == 1)}, "one seed"),
        ({"by_threshold": {**row.by_threshold, 0.3: other}}, "otherwise at 0.3"),
        ({"by_threshold": {0.5: row.measured}}, "not known at 0.3, 0.4, 0.6, 0.7"),
        ({"precision": -1.5}, "otherwise in average precision"),
        ({"precision": None}, "no average precision"),
        ({"second": opposite}, "otherwise in the second regime"),
        ({"second": None}, "no second regime"),
        ({"p_holm": 0.06}, "p after the correction"),
        ({"p_holm": None}, "p after the correction"),
        ({"measured": other}, "the interval holds 0 and +2.00"),
        ({"measured": None}, "the corpus is not prepared"),
        ({"measured": None, "runs": ()}, "not run"),
    ):
        changed = replace(row, **changes)
        assert (changed.verdict, changed.reason) == (UNDECIDED, why), changes
    impossible = replace(row, claim=replace(CLAIM, impossible="no corpus"))
    assert (impossible.verdict, impossible.reason) == (IMPOSSIBLE, "no corpus")


def test_nothing_is_decided_against_a_model_that_diverged(row):
    header = "stage,epoch,loss_first,loss_rel,dev_relation_f1\n"
    losses = [10.0, 4.0, 1.0, *[3.0] * 17]
    rows = "".join(f"retrain,{epoch},{loss},0,\n" for epoch, loss in enumerate(losses, 1))
    (row.runs[0].folder / "history.csv").write_text(header + rows)
    changed = replace(row)
    assert (changed.verdict, changed.reason) == (UNDECIDED, "1 of its 4 trainings diverged")


def test_a_share_of_the_data_is_of_the_regime_with_as_many_updates(row):
    def verdict(fraction: float, epochs: int) -> str:
        training = SETTINGS["training"] | {"fraction": fraction, "epochs": epochs}
        settings = {"settings": SETTINGS | {"training": training}}
        runs = tuple(replace(run, provenance={**run.provenance, **settings}) for run in row.runs)
        return replace(row, runs=runs).reason

    assert verdict(0.6, 300) == verdict(0.2, 900) == verdict(1.0, 180) == ""
    assert verdict(0.6, 180) == verdict(1.0, 300) == "exploratory"


def test_entities_and_growth_are_robust_without_what_they_do_not_have(row):
    entities = replace(CLAIM, task="entities")
    assert replace(row, claim=entities, by_threshold={}, precision=None).verdict == SUPPORTED
    assert replace(row, claim=entities, by_threshold={}, precision=None, second=None).verdict == UNDECIDED
    growth = replace(CLAIM, contrast="length")
    assert replace(row, claim=growth, precision=None).verdict == SUPPORTED
    assert replace(row, claim=growth, precision=None, by_threshold={}).verdict == UNDECIDED


def test_a_row_has_effect_interval_thresholds_and_the_command_that_repeats_it(tmp_path):
    write_documents(tmp_path / "corpora" / "tiny" / "main" / "test.jsonl", GOLD)
    (found,) = ledger(evidence(tmp_path, tmp_path / "corpora"), 200, None, [CLAIM])
    assert found.measured is not None and found.measured.low > 0 and found.p_holm == found.p < 0.05
    scores = [json.loads((run.folder / "scores.json").read_text())["relations"]["strict"]["all"] for run in found.runs]
    f1 = [200 * each["true_positive"] / (each["predicted"] + each["gold"]) for each in scores]
    assert found.measured.effect == pytest.approx((f1[0] + f1[1] - f1[2] - f1[3]) / 2)
    assert list(found.by_threshold) == [0.5, 0.6, 0.7]  # below it, records without a ranking know nothing
    assert found.by_threshold[0.5].effect == pytest.approx(found.measured.effect)
    assert cells(found)[-1] == "**undecided**: exploratory"
    assert list(commands([found])) == [
        ["C1", "4", "–", "3", "`cman record --repeat results/record/tiny/cman/main/seed* "
         "results/record/tiny/multihead-at/main/seed*`"]
    ]  # fmt: skip


def test_minutes_of_a_gpu_are_not_told_as_those_of_a_core(row):
    one, *others = row.runs
    runs = (replace(one, provenance={**one.provenance, "device": "NVIDIA H200", "seconds": 120}), *others)
    assert [cells[1:3] for cells in commands([row, replace(row, runs=runs)])] == [["4", "–"], ["3", "2"]]


def test_a_model_of_the_regime_is_not_compared_with_one_of_another(tmp_path):
    short = {**SETTINGS, "training": {**SETTINGS["training"], "epochs": 18}}
    runs = [
        write_run(tmp_path, GOLD, perturbed(GOLD, 0.1, seed), name, seed, settings=settings)
        for name, settings in (("cman", SETTINGS), ("multihead-at", short))
        for seed in (1, 2)
    ]
    found = read_evidence(group_runs(map(read_run, runs)), tmp_path / "none", 200, 1, needed=False)
    (row,) = ledger(found, 200, REGIME, [CLAIM])
    assert (row.runs, row.point, row.reason) == ((), None, "one of the two is of another regime")
    (row,) = ledger(found, 200, {"training.epochs": 36}, [CLAIM])  # neither is: exploratory, as they are
    assert row.runs and row.reason == "exploratory"


def test_the_second_regime_is_read_from_its_own_runs_where_their_documents_are_at_hand(tmp_path):
    corpora = tmp_path / "corpora"
    write_documents(corpora / "tiny" / "main" / "test.jsonl", GOLD)
    both = [*evidence(tmp_path, corpora), *evidence(tmp_path, corpora, corpus=SECOND)]
    (found,) = ledger(both, 200, None, [CLAIM])
    assert found.measured is not None and found.second is None and "no second regime" in [*found.doubts()]
    write_documents(corpora / SECOND / "main" / "test.jsonl", GOLD)
    (found,) = ledger([both[0], *evidence(tmp_path / "again", corpora, corpus=SECOND)], 200, None, [CLAIM])
    assert found.second is not None and found.second.effect == pytest.approx(found.measured.effect)
    assert cells(found)[8] == f"{found.second.effect:+.2f}"
    (found,) = ledger(both, 200, None, [replace(CLAIM, second_regime="")])  # of another corpus than the second regime's
    assert found.measured is not None and found.second is None


def test_p_is_of_the_threshold_that_dev_chose_as_the_effect_is(tmp_path):
    write_documents(tmp_path / "corpora" / "tiny" / "main" / "test.jsonl", GOLD)
    runs = evidence(tmp_path, tmp_path / "corpora", dev_threshold=0.9)
    (found,) = ledger(runs, 200, None, [CLAIM])  # no relation has so high a score
    assert found.measured is not None and (found.measured.effect, found.p) == (0, 1)


def test_the_difference_of_average_precision_is_in_points_as_that_of_f1(tmp_path):
    runs = []
    for group in evidence(tmp_path)[0].groups.values():
        for run in group.runs:
            path = run.folder / "scores.json"
            ranking = {"average_precision": 0.64 if run.experiment == "cman" else 0.6, "at_dev_threshold": None}
            path.write_text(json.dumps({**json.loads(path.read_text()), "ranking": ranking}))
            runs.append(read_run(run.folder))
    (found,) = ledger(read_evidence(group_runs(runs), tmp_path / "none", 200, 1, needed=False), 200, None, [CLAIM])
    assert found.precision == pytest.approx(4) and cells(found)[7] == "+4.00"


def test_without_the_corpus_a_row_has_the_effect_alone(tmp_path):
    (found,) = ledger(evidence(tmp_path), 200, None, [CLAIM])
    assert found.measured is None and found.p is None and found.point is not None and found.point > 0
    assert cells(found)[4:8] == [f"+{found.point:.2f}", "–", "–", "–"]


def test_the_first_line_says_that_nothing_is_decided_until_a_regime_is_chosen(tmp_path, row):
    rows = ledger(evidence(tmp_path / "again"), 200, None, [CLAIM, CLAIMS[-1]])
    assert first_line(rows).startswith("The records are exploratory, so no claim is decided by them")
    assert "0 of the 4 trainings behind these rows had converged" in first_line(rows)
    assert "still rose" not in first_line(rows)
    rising = [f"select,{epoch},{5 if epoch > 1 else 9},0,{epoch}" for epoch in range(1, 41)]
    history = "\n".join(["stage,epoch,loss_first,loss_rel,dev_relation_f1", *rising])
    (rows[0].runs[0].folder / "history.csv").write_text(history + "\n")
    assert "and of 1 more the loss had come to rest and F1 on dev still rose" in first_line(rows)
    assert sentence(rows) == "Against the paper, of 2 questions: 1 undecided, 1 not testable here."
    others = ledger(evidence(tmp_path / "others"), 200, {"training.epochs": 36}, [CLAIM])
    assert "none of them is of the regime that was chosen" in first_line(others) and "no regime" in first_line(rows)
    assert first_line([row]).startswith("0 of the 4 trainings")
    assert first_line([row, replace(row, regime=None)]).endswith("Exploratory are those of C1.")


def test_readme_names_what_is_decided_with_its_interval(row):
    bad = Measured(-3.0, -5.0, -1.0, 2.0)
    against = replace(row, measured=bad, by_threshold=dict.fromkeys(row.by_threshold, bad), precision=-1.0, second=bad)
    assert sentence([row, against, replace(row, second=None)]) == (
        "Against the paper, of 3 questions: 1 supported, 1 contradicted, 1 undecided. "
        "Supported: C1, it helps: +5.00 [+3.00, +7.00]. Contradicted: C1, it helps: -3.00 [-5.00, -1.00]."
    )


def test_the_questions_are_those_of_the_study():
    study = (Path(__file__).parents[2] / "docs" / "study.md").read_text(encoding="utf-8")
    asked = {line.split(" | ")[0].removeprefix("| ") for line in study.splitlines() if line.startswith("| C")}
    assert asked == {claim.number for claim in CLAIMS if claim.number != "–"}
