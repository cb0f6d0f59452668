"""The model that comes with a checkout: whole, small, with a card, and right on sentences that it has never seen."""

import csv
import io

import pytest
from command_line import cman

from cman.layout import RELEASED
from cman.manifest import verify_folder

SENTENCES = """Ada Lovelace lives in London.
Bill Gates works for Microsoft in Redmond.
John Wilkes Booth shot Abraham Lincoln at Ford's Theatre in Washington.
Angela Merkel, born in Hamburg, is chancellor of Germany.
Paris is the capital of France.
"""
TRIPLES = {
    ("Ada Lovelace", "Live_In", "London"),
    ("Bill Gates", "Work_For", "Microsoft"),
    ("Microsoft", "OrgBased_In", "Redmond"),
    ("John Wilkes Booth", "Kill", "Abraham Lincoln"),
    ("Angela Merkel", "Live_In", "Hamburg"),
    ("Angela Merkel", "Live_In", "Germany"),
    ("Hamburg", "Located_In", "Germany"),
    ("Paris", "Located_In", "France"),
}


def test_it_is_whole_has_a_card_and_is_at_most_25_megabytes():
    assert verify_folder(RELEASED) >= 4
    assert (RELEASED / "README.md").read_text(encoding="utf-8").startswith("---\nlibrary_name: cman\n")
    assert sum(path.stat().st_size for path in RELEASED.rglob("*")) < 25e6


@pytest.mark.slow
def test_without_a_model_extract_finds_real_triples_with_it():
    done = cman("extract", "--format", "csv", "--threads", 1, given=SENTENCES)
    assert done.status == 0 and "uncalibrated" not in done.error
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert {(row["head"], row["relation"], row["tail"]) for row in rows} == TRIPLES
    assert all(0.5 < float(row["score"]) <= 1 for row in rows if row["relation"] in ("Kill", "Work_For"))
