"""Figures and sentences of the appendix, section by section, against what small runs must give."""

import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from perturbed_runs import perturbed, write_run

from cman.config.configuration import read_configuration
from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.corpora.ranking import write_ranking
from cman.errors import CmanError
from cman.evaluation.counts import strict_counts
from cman.evaluation.ranking import ranking_scores
from cman.evaluation.scores import score_documents
from cman.report.appendix import claims, copies, encoder, question, repeated, scores, significance, types, weights
from cman.report.appendix.section import KEYS, Figure, Section
from cman.report.appendix.write import pairs
from cman.report.evidence import Evidence, compare_all, read_evidence
from cman.report.ledger.claims import Claim
from cman.report.ledger.rows import ledger
from cman.report.results import group_runs, read_run
from cman.report.unequal import used

ROOT = Path(__file__).resolve().parents[2]
GOLD = [
    Document(
        str(number),
        tuple(f"w{number}x{place}" for place in range(8)),
        (Entity("Peop", 0, 2), Entity("Loc", 3, 4), Entity("Org", 5, 7)),
        (Relation("Live_In", 0, 1), Relation("Work_For", 0, 2)),
    )
    for number in range(30)
]
WORSE = [Document(d.id, d.tokens, d.entities[:2], d.relations[:1]) for d in GOLD]  # recall 2/3 and 1/2


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part, documents in (("train", GOLD[:1]), ("dev", []), ("test", GOLD)):
        other = [Document(f"{part}{n}", (f"{part}", str(n))) for n in range(2)]
        known = [Document(f"known{d.id}", d.tokens) for d in documents]
        write_documents(tmp_path / "tiny" / "main" / f"{part}.jsonl", GOLD if part == "test" else [*other, *known])
    return tmp_path


def evidence(root: Path, predictions: dict[str, dict[int, list[Document]]], **changes: dict) -> Evidence:
    runs = [
        write_run(root / "runs", GOLD, found, name, seed, **changes.get(name.replace("-", "_"), {}))
        for name, seeds in predictions.items()
        for seed, found in seeds.items()
    ]
    return evidence_of(runs, root)


def evidence_of(runs: list[Path], root: Path) -> Evidence:
    (result,) = read_evidence(group_runs(map(read_run, runs)), root, 500, 1)
    compare_all([(result, pairs(result))])
    return result


def find(section: Section, **wanted: str) -> list[Figure]:
    """The figures whose keys are those wanted; `name` is the key `figure`."""
    wanted["figure"] = wanted.pop("name")
    return [f for f in section.figures if all(f.names[KEYS.index(key)] == text for key, text in wanted.items())]


def value(section: Section, **wanted: str) -> float | int | None:
    (found,) = find(section, **wanted)
    return found.value


# ---- the claims


def test_a_claim_stands_with_its_evidence_and_the_ledgers_verdict_ends_what_is_said_of_the_difference(root):
    same = {seed: perturbed(GOLD, 0.02, seed) for seed in (1, 2)}
    found = evidence(root, {"cman": same, "cman-no-bla": dict.fromkeys((1, 2), WORSE)})
    about = Claim("C6", "BLA helps", "Table VII", "cman", "cman-no-bla", 2.12, ("tiny",))
    rows = ledger([found], 200, None, [about, replace(about, corpora=("elsewhere",))])
    section = claims.build(found, rows)
    assert section is not None
    (row,) = section.tables[0].rows
    assert row.title == "C6: BLA helps" and row.cells[0].text == "+2.12" and row.cells[0].source == "Table VII"
    assert row.cells[1].text == f"+{rows[0].point:.2f}" and row.cells[-1].text == "undecided: exploratory"
    assert value(section, item="C6", name="difference") == rows[0].point
    assert value(section, item="C6", name="detectable") == rows[0].measured.detectable
    found.verdicts.update(claims.verdicts(found, rows))
    assert question.build(found).sentences[2].endswith(" As a claim: undecided: exploratory.")


def test_a_corpus_that_no_claim_is_measured_on_has_no_claims(root):
    found = evidence(root, {"cman": {1: GOLD}})
    assert claims.build(found, ledger([found], 200)) is None


# ---- the question


def test_a_part_that_matters_is_said_to_be_distinguishable_and_one_that_does_not_is_not(root):
    same = {seed: perturbed(GOLD, 0.02, seed) for seed in (1, 2, 3)}
    found = evidence(root, {"cman": same, "cman-no-bla": dict.fromkeys((1, 2, 3), WORSE), "cman-one-phase": same})
    section = question.build(found)
    phase, bla = section.sentences[1:3]
    assert "none of the differences is distinguishable from zero: entity F1 0.00 (Holm p=1.000)" in phase
    assert "all differences are distinguishable from zero" in bla
    assert section.sentences[0] == "Label gate: nothing ran with a seed in common (cman and cman-encoded-label)."
    assert len(section.sentences) == len(section.tables[0].rows) == len(question.PARTS)
    assert not any(cell.text for cell in section.tables[0].rows[0].cells)


def test_a_contribution_is_the_mean_difference_of_paired_seeds(root):
    cman = {seed: perturbed(GOLD, 0.2, seed) for seed in (1, 2, 3)}
    other = {seed: perturbed(GOLD, 0.3, 10 * seed) for seed in (2, 3, 4)}  # seeds 2 and 3 are paired
    section = question.build(evidence(root, {"cman": cman, "cman-no-bla": other}))
    apart = [100 * (strict_counts(GOLD, cman[seed])[1].f1 - strict_counts(GOLD, other[seed])[1].f1) for seed in (2, 3)]
    wanted = {"item": "BLA", "task": "relations"}
    assert value(section, name="difference", **wanted) == pytest.approx(statistics.mean(apart))
    assert value(section, name="difference_sd", **wanted) == pytest.approx(statistics.stdev(apart))
    assert value(section, name="pairs") == 2
    assert {(run.experiment, run.seed) for run in section.figures[0].runs} == {
        (name, seed) for name in ("cman", "cman-no-bla") for seed in (2, 3)
    }


def test_what_else_than_the_model_differs_is_told(root):
    settings = {"training": {"epochs": 18, "protocol": "fixed"}, "at": {"enabled": False}}
    other = {"training": {"epochs": 60, "protocol": "fixed"}, "at": {"enabled": True}}
    found = evidence(
        root,
        {"cman": {1: WORSE}, "multihead-contextual": {1: GOLD}},
        cman={"settings": settings},
        multihead_contextual={"settings": other, "inputs_title": "letters"},
    )
    (said,) = [text for text in question.build(found).sentences if "minus MULTIHEAD-CONTEXTUAL" in text]
    assert "A single pair of runs shows no spread over seeds." in said
    assert "Other inputs: characters; of the reference: letters." in said
    assert (
        "Trained otherwise: at.enabled false, of the reference true; training.epochs 18, of the reference 60." in said
    )


# ---- control of the encoder


def test_inputs_and_architecture_are_told_apart_and_wanted_differences_of_inputs_are_no_remark(root):
    static, contextual = {"inputs_title": "characters"}, {"inputs_title": "characters, encoder"}
    found = evidence(
        root,
        {"multihead-at": {1: WORSE}, "multihead-contextual": {1: GOLD}, "cman-static": {1: WORSE}, "cman": {1: GOLD}},
        multihead_at=static,
        cman_static=static,
        multihead_contextual=contextual,
        cman=contextual,
    )
    section = encoder.build(found)
    assert [len(find(section, name="difference", task="overall"))] == [4]
    assert value(section, name="difference", task="overall", item="Contextual inputs, in CMAN") > 20
    assert value(section, name="difference", task="overall", item="Architecture, with contextual inputs") == 0
    assert not any("Other inputs" in text for text in section.sentences)
    row, below = section.tables[0].rows[0], section.tables[0].rows[2]
    assert [cell.text for cell in row.cells[:3]] == ["80.00", "80.00", "0.00"]
    assert [cell.text for cell in below.cells[:2]] == ["+20.00", "+20.00"]


# ---- significance


def test_each_experiment_stands_in_its_table_and_holm_is_over_the_whole_document(root):
    names = ("cman", "multihead", "cman-lstm", "cman-gru", "cman-separate", "mine", "cman@20", "multihead-at@20")
    names += ("cman-best-16-epochs", "cman-best-no-types")
    found = evidence(root, {name: {1: perturbed(GOLD, 0.2, len(name))} for name in names})
    section = significance.build(found)
    tables = {f.names[2:4]: f.names[5] for f in find(section, name="pairs")}
    assert tables == {
        ("multihead", "cman"): "Main table",
        ("cman-lstm", "cman"): "Table VI",
        ("cman-gru", "cman"): "Table VI",
        ("cman-separate", "cman"): "Figure 8",
        ("multihead-at@20", "cman@20"): "Figure 7",
        ("cman-best-no-types", "cman-best-16-epochs"): "Without a part of cman-best",
        ("mine", "cman"): "Other experiments",
        ("cman-best-16-epochs", "cman"): "Other experiments",
    }
    # Eight comparisons of three tasks: one family, whatever the table.
    p = {figure.names[2:5]: figure.value for figure in find(section, name="p")}
    corrected = {figure.names[2:5]: figure.value for figure in find(section, name="p_holm")}
    least = min(p, key=p.__getitem__)
    assert len(p) == 24 and corrected[least] == pytest.approx(min(1, 24 * p[least]))
    assert all(corrected[key] >= p[key] for key in p)
    assert any("can not say" in text for text in section.text)


def test_the_parts_of_cman_best_are_those_that_its_configuration_trains():
    chosen = read_configuration(ROOT / "config" / "best.yaml").experiments
    assert list(chosen) == [significance.WHOLE, *significance.PARTS, "cman-best-distilled"]


# ---- scores, types, repeated sentences


def test_scores_of_each_matching_with_precision_and_recall(root):
    section = scores.build(evidence(root, {"cman": {1: WORSE, 2: GOLD}}))
    wanted = {"task": "entities", "item": "strict", "experiment": "cman"}
    assert value(section, name="micro_recall", **wanted) == pytest.approx((100 * 2 / 3 + 100) / 2)
    assert value(section, name="micro_precision", **wanted) == 100
    assert value(section, name="macro_f1", **wanted) == pytest.approx((200 / 3 + 100) / 2)  # Org is never found
    assert value(section, name="micro_f1_sd", **wanted) == pytest.approx(20 / math.sqrt(2))


def test_what_needs_a_ranking_is_shown_where_runs_have_one(root):
    found = evidence(root, {"cman": {1: GOLD}, "multihead-at": {1: WORSE}})
    assert [table.name for table in scores.build(found).tables] == ["scores-entities-tiny", "scores-relations-tiny"]
    run = found.groups["cman"].runs[0].folder
    ranking = {d.id: (*(replace(r, score=0.9) for r in d.relations), Relation("Kill", 1, 2, 0.95)) for d in GOLD}
    predicted = [replace(d, relations=ranking[d.id][:2]) for d in GOLD]
    write_documents(run / "predictions.jsonl", predicted)
    write_ranking(run / "ranking.jsonl", ranking)
    content = score_documents(GOLD, GOLD) | {"ranking": ranking_scores(GOLD, predicted, ranking, 0.5)}
    (run / "scores.json").write_text(json.dumps(content))
    facts = json.loads((run / "provenance.json").read_text()) | {"dev_threshold": 0.5}
    (run / "provenance.json").write_text(json.dumps(facts))
    section = scores.build(evidence_of([run, found.groups["multihead-at"].runs[0].folder], root))
    wanted = {"experiment": "cman", "task": "relations", "item": "strict"}
    assert value(section, name="average_precision", **wanted) == pytest.approx(100 * 2 / 3, abs=1e-4)
    assert value(section, name="f1_dev_threshold", **wanted) == pytest.approx(80)
    first, second = ([cell.text for cell in row.cells] for row in section.tables[-1].rows)
    assert first == ["100.00", "66.67", "80.00"] and second == ["66.67", "", ""]


def test_scores_of_each_type_stand_beside_its_gold_count(root):
    section = types.build(evidence(root, {"cman": {1: WORSE}, "multihead": {1: GOLD}, "cman-gru": {1: GOLD}}))
    assert value(section, item="Org", name="gold") == 30
    assert value(section, item="Org", name="f1", experiment="cman") == 0
    assert value(section, item="Org", name="f1", experiment="multihead") == 100
    assert value(section, item="Live_In", name="f1", experiment="cman") == 100
    assert not any("cman-gru" in figure.names for figure in section.figures)  # neither the full model nor a baseline


def test_sentences_that_recur_in_train_are_left_out(root):
    found = [GOLD[0], *(Document(d.id, d.tokens) for d in GOLD[1:])]  # only the sentence of train is right
    section = repeated.build(evidence(root, {"cman": {1: found}}))
    assert (value(section, name="all"), value(section, name="left")) == (30, 29)
    assert value(section, task="entities", name="f1") == pytest.approx(200 * 3 / 93)
    assert value(section, task="entities", name="f1_without") == 0
    assert value(section, task="entities", name="change") == pytest.approx(-200 * 3 / 93)


# ---- label copies, loss weights


def test_copy_rates_are_means_over_the_runs_that_counted(root):
    found = evidence(root, {"cman": {1: GOLD, 2: GOLD, 3: GOLD}, "cman-gru": {1: GOLD}, "multihead": {1: GOLD}})
    folder = root / "runs" / "tiny"
    counts = {"tokens": 50, "copied": 50, "entity_tokens": 10, "copied_entity_tokens": 5}
    (folder / "cman/main/seed2/label_copies.json").write_text(json.dumps(counts))
    (folder / "cman/main/seed3/label_copies.json").unlink()
    (folder / "cman-gru/main/seed1/label_copies.json").unlink()
    section = copies.build(found)
    assert value(section, item="tokens", name="copy_rate", experiment="cman") == pytest.approx((90 + 100) / 2)
    assert value(section, item="entity_tokens", name="copy_rate", experiment="cman") == pytest.approx((87.5 + 50) / 2)
    rows = {row.title: [cell.text for cell in row.cells] for row in section.tables[0].rows}
    assert rows == {"CMAN": ["95.00", "68.75", "2"], "CMAN-GRU": ["", "", ""]}  # the baseline has no second phase


def test_a_malformed_count_of_copies_is_refused(root):
    found = evidence(root, {"cman": {1: GOLD}})
    (root / "runs/tiny/cman/main/seed1/label_copies.json").write_text('{"tokens": -1}')
    with pytest.raises(CmanError, match=r"label_copies\.json: field tokens: found -1"):
        copies.build(found)


def test_loss_weights_are_exponentials_by_epoch_and_at_shares_of_the_last_stage(root):
    found = evidence(root, {"cman": {1: GOLD, 2: GOLD}, "multihead": {1: GOLD}})
    longer = ["stage,epoch,log_variance_first,log_variance_second,log_variance_rel"]
    longer += [f"retrain,{epoch},{epoch},nan,0" for epoch in range(1, 10)]
    (root / "runs/tiny/cman/main/seed2/history.csv").write_text("\n".join(longer) + "\n")
    section = weights.build(found)
    # Seed 1 has five epochs in each stage, with s = 0.1 epoch; seed 2 has nine of one stage, with s = epoch.
    assert value(section, item="first, select 3", name="weight") == pytest.approx(math.exp(-0.3))
    assert value(section, item="first, retrain 3", name="weight") == pytest.approx((math.exp(-0.3) + math.exp(-3)) / 2)
    assert value(section, item="first, retrain 9", name="weight") == pytest.approx(math.exp(-9))
    assert value(section, item="first, 1/2", name="weight") == pytest.approx((math.exp(-0.3) + math.exp(-5)) / 2)
    assert value(section, item="second, last", name="weight") == pytest.approx(math.exp(-1))  # seed 1 alone
    assert len(section.tables[0].rows) == 1
    assert "(retrain, 5 to 9 epochs)" in section.text[0]


def test_a_history_that_is_no_table_of_numbers_is_refused(root):
    found = evidence(root, {"cman": {1: GOLD}})
    path = root / "runs/tiny/cman/main/seed1/history.csv"
    path.write_text("stage,epoch,log_variance_rel\nselect,1,much\n")
    with pytest.raises(CmanError, match=r"history\.csv: line 2: .*much.*; wanted stage, epoch and log variances"):
        weights.build(found)


# ---- folds


def test_folds_are_strata_and_counts_add_up_over_them(root):
    for split in ("fold0", "fold1"):
        for part in ("train", "dev", "test"):
            documents = GOLD if part == "test" else [Document("1", ("other",))]
            write_documents(root / "tiny" / split / f"{part}.jsonl", documents)
    runs = [
        write_run(root / "runs", GOLD, found, name, seed, split=split)
        for name, found in (("cman", GOLD), ("cman-no-bla", WORSE))
        for split in ("fold0", "fold1")
        for seed in (1, 2)
    ]
    found = evidence_of(runs, root)
    section = question.build(found)
    assert value(section, name="pairs") == 4
    assert value(section, item="BLA", task="entities", name="difference") == pytest.approx(20)
    assert value(section, item="BLA", task="entities", name="difference_sd") == pytest.approx(0)
    assert value(types.build(found), item="Org", name="gold") == 60  # two folds, mean over two seeds
    assert value(repeated.build(found), name="all") == 60


def test_only_settings_that_a_model_uses_are_named(root):
    cman = {
        "architecture": "cman",
        "gate": {"kind": "vector"},
        "at": {"enabled": False, "alpha": 0.01},
        "lstm": {"layers": 3},
    }
    baseline = {"architecture": "multihead", "gate": {"kind": "none"}, "at": {"enabled": True, "alpha": 0.02}}
    assert used(cman) == {"gate.kind": "vector", "at.enabled": False}
    assert used(baseline) == {"at.enabled": True, "at.alpha": 0.02}
