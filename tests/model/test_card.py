"""The model card."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from untrained import DOCUMENT, untrained

from cman.cli.app import app
from cman.corpora.document import write_documents
from cman.errors import CmanError
from cman.report.card import write_card

FACTS = {
    "title": "CMAN", "corpus_title": "CoNLL04", "packaging": "bekou", "sample": False, "experiment": "cman",
    "inputs_title": "characters", "protocol": "trained on train and dev", "documents": {"trained_on": 1153},
    "split": "main", "seed": 3, "date": "2026-01-02", "licence": "unstated", "parameters": 1234567,
    "git": {"revision": "abc", "changed": True},
}  # fmt: skip


def test_scoring_writes_what_the_model_is_and_what_it_reached(tmp_path: Path) -> None:
    untrained(tmp_path / "run" / "model")
    (tmp_path / "run" / "provenance.json").write_text(json.dumps(FACTS))
    write_documents(tmp_path / "gold.jsonl", [DOCUMENT])
    arguments = ["score", "--gold", "gold.jsonl", "--predictions", "gold.jsonl", "--output", "run/scores.json"]
    paths = [str(tmp_path / each) if "." in each else each for each in arguments]
    assert CliRunner().invoke(app, [*paths, "--card", str(tmp_path / "run")]).exit_code == 0
    text = (tmp_path / "run" / "model" / "README.md").read_text()
    for wanted in ("CoNLL04 (bekou)", "Loc, Peop", "Live_In", "seed 3", "2026-01-02", "unstated", "abc (changed)",
                   "1,234,567", "| entities | strict | 100.00 | 100.00 | 100.00 | 2 |"):  # fmt: skip
        assert wanted in text
    assert text.startswith("---\nlibrary_name: cman\nlanguage: en\n")


def test_a_folder_that_is_no_run_gets_no_card(tmp_path: Path) -> None:
    untrained(tmp_path / "model")
    (tmp_path / "provenance.json").write_text("{}")
    with pytest.raises(CmanError, match="is no complete run"):
        write_card(tmp_path, {"documents": 1})
    assert not (tmp_path / "model" / "README.md").exists()
