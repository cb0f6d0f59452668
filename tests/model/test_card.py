"""The model card."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from untrained import DOCUMENT, untrained

from cman.cli.app import app
from cman.corpora.document import Document, Entity
from cman.errors import CmanError
from cman.evaluation.scores import score_documents
from cman.report.card import escape, write_card

FACTS = {
    "title": "CMAN", "corpus": "conll04", "corpus_title": "CoNLL04", "packaging": "bekou", "sample": False,
    "experiment": "cman", "inputs_title": "characters", "protocol": "trained on train and dev",
    "documents": {"trained_on": 1153}, "split": "main", "seed": 3, "date": "2026-01-02", "licence": "un|stated <b>",
    "parameters": 1234567, "git": {"revision": "abc", "changed": True},
}  # fmt: skip


def make_run(folder: Path, gold: list[Document]) -> Path:
    untrained(folder / "model")
    (folder / "provenance.json").write_text(json.dumps(FACTS))
    (folder / "scores.json").write_text(json.dumps(score_documents(gold, gold)))
    return folder


def test_the_card_says_what_the_model_is_and_what_it_reached_for_each_type(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [DOCUMENT])
    assert CliRunner().invoke(app, ["card", str(run)]).exit_code == 0
    text = (run / "model" / "README.md").read_text()
    for wanted in (r"CoNLL04 \(bekou\)", "Loc, Peop", r"Live\_In", "seed 3", "2026-01-02", r"un\|stated &lt;b&gt;",
                   r"abc \(changed\)", "1,234,567", "| entities | strict | 100.00 | 100.00 | 100.00 | 2 |",
                   "| Peop | strict | 100.00 | 100.00 | 100.00 | 1 |",
                   "| entities, mean of types | strict |"):  # fmt: skip
        assert wanted in text, wanted
    assert text.startswith("---\nlibrary_name: cman\nlanguage: en\n")


def test_the_cards_of_all_seeds_of_an_experiment_are_written_at_once_and_listed(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text("corpora: {conll04: {format: conll04}}\nexperiments: [cman]\nseeds: [3, 4]\n")
    folders = [make_run(Path(f"results/runs/conll04/cman/main/seed{seed}"), [DOCUMENT]) for seed in (3, 4)]
    chosen = ["card", "--config", "c.yaml", "--corpus", "conll04", "--experiment"]
    assert CliRunner().invoke(app, [*chosen, "cman", "--output", "cards.txt"]).exit_code == 0
    assert Path("cards.txt").read_text().split() == [f"{folder}/model/README.md" for folder in folders]
    assert all((folder / "model" / "README.md").is_file() for folder in folders)
    for wrong in ([*chosen, "multihead"], ["card"], ["card", str(folders[0]), "--corpus", "conll04"]):
        assert CliRunner().invoke(app, wrong).exit_code != 0


def test_what_the_documents_do_not_have_is_a_dash(tmp_path: Path) -> None:
    write_card(make_run(tmp_path / "run", [Document("1", ("Ada",), (Entity("Peop", 0, 1),))]))
    assert "| relations | strict | – | – | – | 0 |" in (tmp_path / "run/model/README.md").read_text()


def test_the_card_says_what_confidences_are_worth(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [DOCUMENT])
    write_card(run)
    card, config = run / "model" / "README.md", json.loads((run / "model" / "config.json").read_text())
    assert "Confidences are uncalibrated" in card.read_text()
    scores = json.loads((run / "scores.json").read_text())
    scores["reliability"] = {"entities": {"error": 0.0312, "bins": [[0.5, 2, 0.5, 1.0]]}, "relations": None}
    scores["ranking"] = {
        "least": 0.02, "average_precision": 0.5, "dev_threshold": None, "at_dev_threshold": None,
        "by_threshold": [{"threshold": 0.1, "true_positive": 1, "predicted": 2, "gold": 4}],
    }  # fmt: skip
    (run / "scores.json").write_text(json.dumps(scores))
    (run / "model" / "manifest.sha256").unlink()
    config["calibration"] = {
        "entities": {"temperature": 2.5, "shift": -1.0},
        "relations": {"temperature": 1.25, "shift": 0.0},
        "threshold": 0.6,
    }
    (run / "model" / "config.json").write_text(json.dumps(config))
    write_card(run)
    for sentence in ("temperature 2.50 and shift -1.00 of entities, temperature 1.25", "0.031 of entities.",
                     "calibrated ones would show 0.250 of entities.",
                     "| 0.1 | 50.00 | 25.00 | 33.33 |"):  # fmt: skip
        assert sentence in card.read_text()
    assert "whole triple" not in card.read_text()
    for given in (False, True):  # given entities are certain
        config["settings"]["rel"]["confidence"], config["settings"]["ner"]["given"] = "joint", given
        (run / "model" / "config.json").write_text(json.dumps(config))
        write_card(run)
        assert ("probability of the whole triple" in card.read_text()) is not given


def test_words_of_a_corpus_are_no_markup() -> None:
    assert escape("a|b <script> *x* [y](z)\n`q`") == r"a\|b &lt;script&gt; \*x\* \[y\]\(z\) \`q\`"


def test_a_folder_that_is_no_run_gets_no_card(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [DOCUMENT])
    (run / "provenance.json").write_text(json.dumps({k: v for k, v in FACTS.items() if k != "documents"}))
    with pytest.raises(CmanError, match="is no complete run"):
        write_card(run)
    assert not (run / "model" / "README.md").exists()
