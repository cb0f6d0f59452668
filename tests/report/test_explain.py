"""`cman explain`: counts by type with training examples, error classes that add up, and advice drawn from them."""

import json
from pathlib import Path

import pytest
from perturbed_runs import write_run
from typer.testing import CliRunner

from cman.cli.app import app
from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.errors import CmanError
from cman.report.explain import explain

TOKENS = ("Ada", "Bo", "of", "New", "Orm", "sleeps")
ADA, ORM, NEW = Entity("Peop", 0, 1), Entity("Loc", 3, 5), Entity("Org", 3, 4)
GOLD = [
    Document("1", TOKENS, (ADA, ORM), (Relation("Live_In", 0, 1),)),
    Document("2", TOKENS, (ADA, NEW), (Relation("Work_For", 0, 1),)),
]


def document(name: str, *entities: Entity, relations: tuple[Relation, ...] = ()) -> Document:
    return Document(name, TOKENS, entities, relations)


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    for split, documents in (("test", GOLD), ("train", GOLD * 30)):
        named = [Document(f"{place}", one.tokens, one.entities, one.relations) for place, one in enumerate(documents)]
        write_documents(tmp_path / f"corpora/tiny/main/{split}.jsonl", GOLD if split == "test" else named)
    return tmp_path / "corpora"


def explained(tmp_path: Path, corpora: Path, *predicted: Document) -> list[str]:
    return explain(write_run(tmp_path / "runs", GOLD, list(predicted), "cman", 1), corpora).splitlines()


def test_types_never_found_and_types_with_few_examples_are_named(tmp_path, corpora):
    lines = explained(tmp_path, corpora, GOLD[0], document("2", ADA))
    (org,) = [line.split() for line in lines if line.startswith("Org")]
    assert org == ["Org", "0.0", "0.0", "0.0", "1", "30", "never", "found"]
    (everything,) = [line.split() for line in lines if line.startswith("all") and line.endswith("120")]
    assert everything == ["all", "100.0", "75.0", "85.7", "4", "120"]
    assert "  - annotate more of Org: 30 training examples, F1 0.0" in lines


def test_every_missed_and_spurious_item_is_in_one_class_and_most_missed_relations_want_better_entities(
    tmp_path, corpora
):
    lines = explained(tmp_path, corpora, document("1", Entity("Peop", 0, 2), ORM), document("2", ADA))
    assert "2 entities missed: missed 1 (50%), wrong boundary 1 (50%)" in lines
    assert "1 entities spurious: wrong boundary 1 (100%)" in lines
    assert "2 relations missed: missed entity 1 (50%), wrong boundary 1 (50%)" in lines
    assert "0 relations spurious" in lines
    assert any("100% of the missed relations lack an argument" in line for line in lines)


def test_more_precision_than_recall_speaks_for_a_lower_threshold_and_the_other_way_round(tmp_path, corpora):
    lines = explained(tmp_path / "a", corpora, GOLD[0], document("2", ADA, NEW))
    assert any("precision 100%, recall 50%: a lower threshold" in line for line in lines)
    assert any("100% of the missed relations have both arguments" in line for line in lines)
    many = document("2", ADA, NEW, relations=(Relation("Work_For", 0, 1), Relation("Work_For", 1, 0)))
    lines = explained(tmp_path / "b", corpora, GOLD[0], many)
    assert any("precision 67%, recall 100%: a higher threshold" in line for line in lines)


@pytest.mark.parametrize(("dev", "longer"), [(("1", "2", "3"), True), (("1", "3", "2"), False), (("nan",), False)])
def test_a_best_epoch_at_the_end_speaks_for_more_epochs(tmp_path, corpora, dev, longer):
    run = write_run(tmp_path / "runs", GOLD, GOLD, "cman", 1)
    rows = [f"select,{epoch},{value}\n" for epoch, value in enumerate(dev, 1)]
    (run / "history.csv").write_text("stage,epoch,dev_mean_f1\n" + "".join(rows))
    assert ("try more" in explain(run, corpora)) == longer


def test_predictions_of_other_documents_are_refused_and_the_verb_prints_the_text(tmp_path, corpora):
    run = write_run(tmp_path / "runs", GOLD, GOLD, "cman", 1)
    result = CliRunner().invoke(app, ["explain", str(run), "--corpora", str(corpora)])
    assert result.exit_code == 0 and result.stdout == explain(run, corpora) + "\n"
    scores = json.loads((run / "scores.json").read_text())
    scores["entities"]["strict"]["all"]["true_positive"] = 1
    (run / "scores.json").write_text(json.dumps(scores))
    with pytest.raises(CmanError, match=r"scores\.json"):
        explain(run, corpora)
