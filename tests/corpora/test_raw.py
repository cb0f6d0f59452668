"""The raw files of a configured corpus: which they are, and where the configuration says that copies lie."""

from pathlib import Path

import pytest

from cman.config.corpora import Ade, Conll04, Conll04Sample, Corpus
from cman.config.own import Own
from cman.corpora import raw
from cman.corpora.conll04 import BEKOU, SPERT
from cman.corpora.formats import files_of
from cman.corpora.raw import given_files, obtain, raw_files
from cman.errors import UsageError
from cman.fetch.download import Remote

TRAIN = "conll04/bekou/train.txt"
MINE = Own(format="jsonl", paths={"train": "a.jsonl", "dev": "b.jsonl", "test": "c.jsonl"})
BEKOU_CORPUS = Conll04(format="conll04")
SPERT_CORPUS = Conll04(format="conll04", packaging="spert")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Remote, Path | None, Path | None]]:
    """What would be fetched: the file, the given path and the mirror of each call."""
    calls: list[tuple[Remote, Path | None, Path | None]] = []
    monkeypatch.setattr(raw, "fetch", lambda remote, target, given, mirror: calls.append((remote, given, mirror)))
    monkeypatch.delenv("CMAN_MIRROR", raising=False)
    return calls


def test_each_packaging_has_its_own_files(asked, tmp_path):
    for corpus, remotes in ((BEKOU_CORPUS, list(BEKOU.values())), (SPERT_CORPUS, [SPERT])):
        assert raw_files(corpus) == [remote.name for remote in remotes]
        for name in raw_files(corpus):
            obtain(corpus, name, tmp_path / name)
    assert asked == [(remote, None, None) for remote in (*BEKOU.values(), SPERT)]


def test_every_public_file_names_its_hash_and_an_address_that_never_changes():
    for corpus in (BEKOU_CORPUS, SPERT_CORPUS, Ade(format="ade")):
        for file in files_of(corpus):
            assert file.remote is not None and len(file.remote.sha256 or "") == 64
            assert file.remote.address.startswith("https://")
            assert any(len(part) == 40 for part in file.remote.address.split("/")), "a branch moves, a revision not"


def test_a_corpus_given_by_path_has_no_raw_files_but_its_own(asked):
    assert raw_files(MINE) == [] and given_files(MINE) == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert given_files(BEKOU_CORPUS) == []


def test_the_mirror_of_the_environment_is_used_and_the_one_that_is_given_goes_before_it(asked, tmp_path, monkeypatch):
    for named, given in (("named", None), ("named", Path("given")), ("", None)):
        monkeypatch.setenv("CMAN_MIRROR", named)
        obtain(BEKOU_CORPUS, TRAIN, tmp_path / "out", given)
    assert [mirror for _, _, mirror in asked] == [Path("named"), Path("given"), None]


def test_a_configured_path_is_for_its_own_file_alone(asked, tmp_path):
    corpus = Conll04(format="conll04", paths={TRAIN: "mine.txt"})
    for name in raw_files(corpus):
        obtain(corpus, name, tmp_path / "out")
    assert [given for _, given, _ in asked] == [Path("mine.txt"), None, None]


def test_a_configured_path_for_no_raw_file_is_refused_with_the_names_that_there_are(asked, tmp_path):
    corpus = Conll04(format="conll04", paths={"trian": tmp_path})
    with pytest.raises(UsageError, match=r"paths: unknown raw file 'trian', wanted one of conll04/bekou/train\.txt"):
        obtain(corpus, TRAIN, tmp_path / "out")
    assert asked == []


@pytest.mark.parametrize("corpus", [BEKOU_CORPUS, SPERT_CORPUS, Conll04Sample(format="conll04-sample"), MINE])
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
