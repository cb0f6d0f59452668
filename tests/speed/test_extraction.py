"""The benchmark of extraction."""

import csv
from pathlib import Path

import pytest
from untrained import untrained

from cman.errors import CmanError
from cman.speed.extraction import speed_of_extraction


def test_it_counts_sentences_and_gives_a_rate(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("Ada sleeps. Bob does not.\n\nAda lives in London.\n")
    speed_of_extraction(untrained(tmp_path / "model"), tmp_path / "in.txt", 1, tmp_path / "out.csv", rounds=2)
    (row,) = csv.DictReader((tmp_path / "out.csv").open())
    assert (row["contender"], row["sentences"], row["rounds"], row["share_of_it"]) == ("extraction", "3", "2", "1.000")
    assert float(row["sentences_a_second"]) == pytest.approx(3 / float(row["seconds"]), rel=0.05)


def test_texts_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_bytes(b"Ada\n\xff\n")
    with pytest.raises(CmanError, match="found a line that cannot be read"):
        speed_of_extraction(untrained(tmp_path / "model"), tmp_path / "in.txt", 1, tmp_path / "out.csv")
