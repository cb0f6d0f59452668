"""The published figures, typed from the paper a second time, and the paper's own slips in the notes."""

from pathlib import Path

import pytest
import yaml

from cman.errors import CmanError
from cman.report.published import read_published

FILE = Path(__file__).parents[2] / "config" / "published.yaml"
PAPER = {
    "I": [(80.70, 61.00), (82.10, 62.50), (85.60, 67.80), (83.04, 61.04), (83.61, 61.95), (84.57, 62.28),
          (87.80, 68.20), (88.94, 71.47), (91.72, 73.46)],
    "II": [(79.50, 63.40), (84.60, 71.40), (86.73, 75.52), (87.02, 77.19), (89.25, 79.24), (90.12, 81.34)],
    "III": [(79.11, 49.70), (81.39, 52.26), (82.04, 53.12), (82.96, 55.66)],
    "IV": [(82.02, 54.23), (82.96, 55.66)],
    "VI": [(90.50, 71.86), (88.58, 69.57), (90.88, 72.16), (91.72, 73.46)],
    "VII": [(91.72, 73.46), (90.01, 69.98), (90.76, 71.34), (89.86, 69.21), (91.02, 72.76), (90.79, 72.16)],
}  # fmt: skip
TABLE_V = {
    "conll04": [(72.78, 1.0), (81.89, None), (82.59, 1.62)],
    "ade": [(81.13, 1.0), (84.69, None), (85.73, 1.75)],
    "drec": [(67.58, 1.0), (68.64, None), (69.31, 1.82)],
}


@pytest.fixture(scope="module")
def published():
    return read_published(FILE)


def test_every_figure_is_the_papers_but_for_the_misprint_in_table_one(published):
    rows = {table.number: [row for row in table.rows if not row.added] for table in published.tables}
    assert {number: [(row.entity_f1, row.relation_f1) for row in members] for number, members in rows.items()} == PAPER


def test_the_figures_of_table_five_are_the_papers_without_those_that_are_no_decoding_times(published):
    for corpus, rows in TABLE_V.items():
        found = [(row.overall_f1, row.relative_time) for row in published.decoding.rows if row.corpus == corpus]
        assert found == rows
    assert sum("cannot be a decoding time" in row.note for row in published.decoding.rows) == 3


def test_overall_f1_in_table_five_is_the_mean_of_entity_and_relation_f1_in_the_other_tables(published):
    tables = {table.number: {row.experiment: row for row in table.rows} for table in published.tables}
    for row in published.decoding.rows:
        number = {"conll04": "I", "ade": "II", "drec": "III"}[row.corpus]
        of = tables[number].get(row.experiment) or tables["VII"].get(row.experiment)
        if row.experiment == "cman-no-uncertainty" and row.corpus != "conll04":
            continue  # on CoNLL04 alone the paper gives both
        assert row.overall_f1 == pytest.approx((of.entity_f1 + of.relation_f1) / 2, abs=0.0051)


def test_the_note_on_table_seven_says_what_the_text_gives_and_the_figures_differ_by(published):
    (table,) = [table for table in published.tables if table.number == "VII"]
    rows = {row.experiment: row for row in table.rows}
    full, without = rows["cman"], rows["cman-no-uncertainty"]
    drops = [round(full.entity_f1 - without.entity_f1, 2), round(full.relation_f1 - without.relation_f1, 2)]
    assert drops == [0.70, 0.70]
    assert "0.5 and 0.7" in without.note and "0.70 and 0.70" in without.note


def test_the_conference_versions_figures_and_those_of_the_text_stand_beside_the_papers(published):
    added = {
        table.number: [(row.entity_f1, row.relation_f1) for row in table.rows if row.added]
        for table in published.tables
    }
    assert (added["I"], added["II"]) == ([(90.62, 72.97)], [(89.40, 81.14)])
    text = {(point.figure, point.task): point.value for point in published.figures}
    assert text == {
        ("figure5", "relations"): 18.18, ("figure6", "entities"): 11.06, ("figure6", "relations"): 22.03,
        ("figure7", "entities"): 86.82, ("figure7", "relations"): 62.91,
        ("figure8", "entities"): -1.6, ("figure8", "relations"): -13.78,
    }  # fmt: skip


def _row(value):
    return value["tables"][0]["rows"][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value["decoding"]["rows"][0].update(speed=2), r"field decoding\.rows\[0\]\.speed: unknown key"),
        (
            lambda value: value["tables"][0].update(added=["camn"]),
            r"tables\[0\]\.added: found 'camn', wanted the",
        ),
        (lambda value: value["decoding"]["rows"][0].update(relative_time="fast"), 'relative_time: found "fast"'),
        (lambda value: value.update(more=1), "field more: unknown key"),
        (
            lambda value: value["tables"][0]["rows"][0].update(entity_f1=101),
            r"field tables\[0\]\.rows\[0\]\.entity_f1: found 101, wanted a number less than or equal to 100",
        ),
        (lambda value: value["tables"][0]["rows"][0].update(entity_f1="high"), r'rows\[0\]\.entity_f1: found "high"'),
        (
            lambda value: value["tables"][0]["rows"][0].update(sorce="x"),
            r"rows\[0\]\.sorce: unknown key",
        ),
        (
            lambda value: value["tables"][0]["rows"][0].update(method=None),
            r"rows\[0\]\.method: found null, wanted",
        ),
    ],
)
def test_a_malformed_file_is_named(tmp_path, change, message):
    value = yaml.safe_load(FILE.read_text())
    change(value)
    (tmp_path / "published.yaml").write_text(yaml.safe_dump(value))
    with pytest.raises(CmanError, match=message):
        read_published(tmp_path / "published.yaml")
