"""The page of results and README's rows are what the committed records give."""

import os
import re
from pathlib import Path

import pytest

from cman.config.configuration import read_configuration
from cman.corpora.prepare import prepare
from cman.corpora.raw import obtain, raw_files
from cman.errors import CmanError, UsageError
from cman.layout import Layout
from cman.probe import COLUMNS
from cman.report.results_page import INTERVENTIONS, results_page, write_results

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "results" / "record").glob("*/*/*/seed*"))
PROBED = ROOT / "results" / "record" / "probe.csv"
PUBLISHED = ROOT / "config" / "published.yaml"
PAGE = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
HOW = "write it again as its last section says, and copy its first rows into README.md"


def untested(page: str) -> str:
    """The page without what the gold documents are needed for: p, the sentences about it, and the claims' rows."""
    left_out = ("- ", "| C", "**")  # rows of the ledger, and what is said of their verdicts
    kept = [line for line in page.splitlines() if not line.startswith(left_out)]
    return re.sub(r"\n{2,}", "\n\n", re.sub(r" \((<?\.\d+|1\.000)\)", "", "\n".join(kept)))


def test_the_committed_page_has_the_figures_of_the_committed_records(tmp_path):
    assert untested(results_page(RECORDS, PUBLISHED, tmp_path, PROBED)) == untested(PAGE), HOW


@pytest.mark.slow
@pytest.mark.skipif("CMAN_MIRROR" not in os.environ, reason="CMAN_MIRROR names no folder with the real corpora")
def test_the_committed_page_is_the_page_of_the_records_word_for_word(tmp_path):
    layout = Layout(tmp_path)
    for configuration, name in (
        ("conll04", "conll04"),
        ("study", "folded-conll04"),
        ("second", "second-conll04"),
        ("ade", "ade"),
    ):
        corpus = read_configuration(ROOT / "config" / f"{configuration}.yaml").corpus(name)
        for file in raw_files(corpus):
            obtain(corpus, file, layout.raw(name) / file)
        prepare(name, corpus, layout)
    assert results_page(RECORDS, PUBLISHED, tmp_path / "corpora", PROBED) == PAGE, HOW


def test_readme_has_the_first_rows_of_the_page():
    rows = PAGE.split("|---|---|---|---|\n", 1)[1].split("\n\n", 1)[0]
    assert len(rows.splitlines()) == 6
    assert rows in (ROOT / "README.md").read_text(encoding="utf-8"), HOW


def test_readme_says_of_the_claims_what_the_page_says():
    (said,) = re.findall(r"\*\* (Against the paper, of .*)", PAGE)
    assert said in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split()), HOW


def test_readme_says_that_the_gain_may_be_of_the_inputs_as_long_as_the_page_does():
    (row,) = re.findall(r"^\| C3 \| the gain is .*", PAGE, re.MULTILINE)
    said = "(C3) is among the undecided" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert said == ("**undecided**" in row), "README has a sentence on C3 beside C1 and C2"


def test_no_two_sections_of_the_page_have_the_same_title():
    titles = [line for line in PAGE.splitlines() if line.startswith("## ")]
    assert len(titles) == len(set(titles))


def test_the_page_has_what_cman_probe_wrote_and_refuses_another_file(tmp_path):
    assert INTERVENTIONS == COLUMNS
    lines = ["c,predicted,with,entity_f1,,86.04664,1.35349,10", "c,predicted,with,followed,,,,0"]
    (tmp_path / "probe.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    page = results_page(RECORDS[:1], PUBLISHED, tmp_path, tmp_path / "probe.csv")
    assert "\n| c, 10 models | predicted | with | 86.05 ± 1.35 | – |\n" in page
    for content, found in (
        ("labels,value\ngold,1\n", "the columns labels, value"),
        ("\n".join([",".join(COLUMNS), lines[0].replace("1.35349", "x")]), "could not convert string to float: 'x'"),
        ("\n".join([",".join(COLUMNS), lines[0] + ",1"]), "the columns experiment, .*, None"),
    ):
        (tmp_path / "probe.csv").write_text(content)
        with pytest.raises(CmanError, match=f"probe.csv: found {found}, wanted what cman probe writes"):
            results_page(RECORDS[:1], PUBLISHED, tmp_path, tmp_path / "probe.csv")


def test_without_any_run_nothing_is_written(tmp_path):
    with pytest.raises(UsageError, match="runs: found none"):
        write_results([], PUBLISHED, tmp_path, tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()
