"""The raw files of a configured corpus: which they are, and where the configuration says that copies lie."""

from pathlib import Path

import pytest

from cman.config.corpora import AnyCorpus as Corpus
from cman.config.corpora import Conll04, Conll04Sample, Jsonl
from cman.corpora import raw
from cman.corpora.raw import given_files, obtain, raw_files
from cman.errors import UsageError
from cman.fetch.sources import CONLL04_BEKOU, CONLL04_SPERT, Source

TRAIN = "conll04/bekou/train.txt"
MINE = Jsonl(format="jsonl", paths={"train": "a.jsonl", "dev": "b.jsonl", "test": "c.jsonl"})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Source, Path | None, Path | None]]:
    """What would be fetched: the source, the given path and the mirror of each call."""
    calls: list[tuple[Source, Path | None, Path | None]] = []
    monkeypatch.setattr(raw, "fetch", lambda source, target, given, mirror: calls.append((source, given, mirror)))
    monkeypatch.delenv("CMAN_MIRROR", raising=False)
    return calls


def test_each_packaging_has_its_own_files(asked, tmp_path):
    for packaging, sources in (("bekou", CONLL04_BEKOU), ("spert", CONLL04_SPERT)):
        corpus = Conll04(format="conll04", packaging=packaging)
        assert raw_files(corpus) == [source.name for source in sources]
        for name in raw_files(corpus):
            obtain(corpus, name, tmp_path / name)
    assert asked == [(source, None, None) for source in (*CONLL04_BEKOU, *CONLL04_SPERT)]


def test_a_corpus_given_by_path_has_no_raw_files_but_its_own(asked):
    assert raw_files(MINE) == []
    assert given_files(MINE) == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert given_files(Conll04(format="conll04")) == []


def test_the_mirror_of_the_environment_is_used_and_the_one_that_is_given_goes_before_it(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("CMAN_MIRROR", "named")
    obtain(Conll04(format="conll04"), TRAIN, tmp_path / "out")
    obtain(Conll04(format="conll04"), TRAIN, tmp_path / "out", Path("given"))
    assert [mirror for _, _, mirror in asked] == [Path("named"), Path("given")]


def test_an_empty_mirror_variable_counts_as_none(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("CMAN_MIRROR", "")
    obtain(Conll04(format="conll04"), TRAIN, tmp_path / "out")
    assert asked == [(CONLL04_BEKOU[0], None, None)]


def test_a_configured_path_is_for_its_own_file_alone(asked, tmp_path):
    corpus = Conll04(format="conll04", paths={TRAIN: "mine.txt"})
    for name in raw_files(corpus):
        obtain(corpus, name, tmp_path / "out")
    assert [given for _, given, _ in asked] == [Path("mine.txt"), None, None]


def test_a_configured_path_for_no_raw_file_is_refused_with_the_names_that_there_are(asked, tmp_path):
    corpus = Conll04(format="conll04", paths={"train": tmp_path})
    with pytest.raises(UsageError, match=r"paths: unknown raw file 'train', wanted one of conll04/bekou/train\.txt"):
        obtain(corpus, TRAIN, tmp_path / "out")
    assert asked == []


@pytest.mark.parametrize(
    "corpus",
    [
        Conll04(format="conll04"),
        Conll04(format="conll04", packaging="spert"),
        Conll04Sample(format="conll04-sample"),
        MINE,
    ],
)
def test_a_raw_file_that_the_corpus_does_not_have_is_refused_by_name(asked, corpus: Corpus, tmp_path):
    with pytest.raises(UsageError, match=r"'nothing\.txt', wanted (one of .+|none: .+)") as caught:
        obtain(corpus, "nothing.txt", tmp_path / "out")
    assert not str(caught.value).rstrip().endswith("one of")
    assert asked == []


def test_a_sample_corpus_is_generated_and_asks_nobody(asked, tmp_path):
    corpus = Conll04Sample(format="conll04-sample", sentences={"train": 3, "dev": 2, "test": 1})
    for name in raw_files(corpus):
        obtain(corpus, name, tmp_path / name)
    counts = {name: (tmp_path / name).read_text(encoding="utf-8").count("#doc") for name in raw_files(corpus)}
    assert counts == {"train.txt": 3, "dev.txt": 2, "test.txt": 1}
    assert asked == []
