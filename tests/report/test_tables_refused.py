"""What tables are not made of: runs without files, predictions that are not those of the scores, malformed figures."""

import json
from pathlib import Path

import pytest
import yaml
from table_runs import PUBLISHED, three_runs, written

from cman.errors import CmanError
from cman.report.published import read_published

"""The paper's tables: what stands in a cell, what is published and what measured, and that LaTeX takes them."""


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return three_runs(tmp_path / "runs")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: {**line, "entities": line["entities"][1:], "relations": []}, "found 199 entities of the type A"),
        (lambda line: {**line, "relations": line["relations"][1:]}, "found 199 relations of the type A, wanted 200"),
        (lambda line: {**line, "id": "1"}, "line 2: field id: '1' already stands on line 1"),
        (None, "found 2 documents, wanted 3"),
    ],
)
def test_predictions_that_cannot_be_those_of_the_scores_are_refused(runs, tmp_path, change, message):
    path = runs[0] / "predictions.jsonl"
    first, *others = path.read_text().splitlines()
    lines = [first, *others[1:]] if change is None else [json.dumps(change(json.loads(first))), *others]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(CmanError, match=message):
        written(runs, tmp_path)


def test_counts_in_all_that_are_not_the_sums_over_types_are_refused(runs, tmp_path):
    path = runs[0] / "scores.json"
    scores = json.loads(path.read_text())
    scores["entities"]["strict"]["all"]["true_positive"] += 1
    path.write_text(json.dumps(scores))
    with pytest.raises(CmanError, match=r"scores\.json: field entities\.strict\.all: found .* the sums over its types"):
        written(runs, tmp_path)


def test_a_run_without_predictions_is_refused(runs, tmp_path):
    (runs[0] / "predictions.jsonl").unlink()
    with pytest.raises(CmanError, match=r"predictions\.jsonl: cannot be read"):
        written(runs, tmp_path)


def test_no_run_at_all_is_refused(tmp_path):
    with pytest.raises(CmanError, match="no run was given"):
        written([], tmp_path)


def test_a_run_without_scores_is_refused_by_file(runs, tmp_path):
    (runs[0] / "scores.json").unlink()
    with pytest.raises(CmanError, match=r"seed1/scores\.json: cannot be read"):
        written(runs, tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("entity_f1", 101, r"tables\[0\]\.rows\[0\]: field entity_f1: found 101"),
        ("entity_f1", "high", "field entity_f1: found 'high', wanted a number"),
        ("sorce", "x", "field sorce: unknown key"),
        ("method", None, "field method: found None"),
    ],
)
def test_a_malformed_published_row_is_named(tmp_path, key, value, message):
    content = yaml.safe_load(PUBLISHED.read_text())
    content["tables"][0]["rows"][0][key] = value
    (tmp_path / "published.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(CmanError, match=message):
        read_published(tmp_path / "published.yaml")
