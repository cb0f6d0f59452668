"""`cman embed`: what is computed once, what makes it be computed again, and what a failure leaves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_disk import room_for

from cman.config.configuration import parse_configuration
from cman.corpora.document import Document, write_documents
from cman.errors import CmanError, UsageError
from cman.features import frozen
from cman.features.cache import FeatureCache
from cman.features.embed import embed
from cman.features.vectors import words
from cman.features.vectors.words import read_corpus_vectors, write_corpus_vectors
from cman.fetch.inputs import input_source
from cman.hashes import MANIFEST
from cman.layout import Layout
from tests.features.tiny_elmo import OPTIONS, changed, random_weights, write_elmo

TRAIN = [Document("1", ("Ada", "came", ".")), Document("2", ("Bo", "slept"))]
DEV, TEST = [Document("3", ("Ada", "slept"))], [Document("4", ("42",))]
VECTORS = "Ada 1 2\ncame 3 4\n. 5 6\n0 7 8\n"


class Corpus:
    """A prepared corpus with a tiny ELMo and word vectors, and how often features were computed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.layout, self.keys = folder, Layout(folder / "results"), {}
        self.computed = 0
        self.documents()
        write_elmo(folder)
        (folder / "v.txt").write_text(VECTORS)
        monkeypatch.setattr(frozen, "write_cache", self._counted(frozen.write_cache))
        monkeypatch.setattr("cman.features.embed.write_corpus_vectors", self._counted(write_corpus_vectors))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self.computed += 1
            return function(*arguments)

        return counted

    def documents(self, train: list[Document] = TRAIN) -> None:
        for name, documents in (("train", train), ("dev", DEV), ("test", TEST)):
            write_documents(self.layout.documents("s", "main") / f"{name}.jsonl", documents)

    def embed(self, name: str) -> int:
        """Embed the corpus; return how often features were computed in all."""
        paths = {"options": str(self.folder / "options.json"), "weights": str(self.folder / "weights.hdf5")}
        value = {
            "corpora": {"s": {"format": "conll04-sample"}},
            "encoders": {"minilm": {"path": "m"}, "elmo": {**paths, **self.keys}},
            "vectors": {"wiki": {"path": str(self.folder / "v.txt")}},
        }
        source = input_source(parse_configuration(value, "test"), name, self.layout)
        embed(source, "s", name, "main", self.layout, "cpu", None)
        return self.computed

    def content(self, name: str) -> dict[str, tuple[bytes, int]]:
        folder = self.layout.features("s", name)
        files = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST]
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    return Corpus(tmp_path, monkeypatch)


FILES = {"elmo": ["features.npy", "index.json"], "wiki": ["vectors.npy", "words.json"]}


@pytest.mark.parametrize("name", FILES)
def test_an_unchanged_input_never_computes_again(name, corpus, caplog):
    caplog.set_level("INFO")
    assert corpus.embed(name) == 1
    before = corpus.content(name)
    assert list(before) == FILES[name]
    assert corpus.embed(name) == 1
    assert corpus.content(name) == before, "not even the time of a file changed"
    assert "unchanged corpus" in caplog.text


def test_all_splits_of_a_corpus_are_embedded_into_one_float16_file(corpus):
    corpus.embed("elmo")
    cache = FeatureCache(corpus.layout.features("s", "elmo"))
    assert cache.features.shape == (8, 3, 8) and cache.features.dtype == np.float16
    assert [cache.rows(document) for document in (*TRAIN, *DEV, *TEST)] == [0, 3, 5, 7]


CHANGES: dict[str, Callable[[Corpus], object]] = {
    "a token": lambda corpus: corpus.documents([Document("1", ("Ada", "went", ".")), TRAIN[1]]),
    "a document's name": lambda corpus: corpus.documents([Document("9", TRAIN[0].tokens), TRAIN[1]]),
    "the order of documents": lambda corpus: corpus.documents(TRAIN[::-1]),
    "a document less": lambda corpus: corpus.documents(TRAIN[:1]),
}


@pytest.mark.parametrize("change", [
    *CHANGES.items(),
    ("weights", lambda corpus: write_elmo(corpus.folder, OPTIONS, random_weights(seed=1))),
    ("an option of the file", lambda corpus: write_elmo(corpus.folder, changed(cell_clip=1))),
    ("an option of the configuration", lambda corpus: corpus.keys.update(stateful=True)),
], ids=lambda change: change[0])  # fmt: skip
def test_changed_tokens_files_or_options_compute_an_encoders_features_again(change, corpus):
    corpus.embed("elmo")
    before = corpus.content("elmo")
    change[1](corpus)
    assert corpus.embed("elmo") == 2
    assert corpus.content("elmo")["index.json"] != before["index.json"]
    assert corpus.embed("elmo") == 2


@pytest.mark.parametrize("change", [
    *CHANGES.items(),
    ("vectors", lambda corpus: (corpus.folder / "v.txt").write_text(VECTORS.replace("3 4", "3 5"))),
], ids=lambda change: change[0])  # fmt: skip
def test_changed_tokens_or_vectors_are_read_again(change, corpus):
    corpus.embed("wiki")
    change[1](corpus)
    assert corpus.embed("wiki") == 2
    assert corpus.embed("wiki") == 2


def test_a_title_and_the_place_of_the_files_compute_nothing_again(corpus):
    corpus.embed("elmo")
    write_elmo(corpus.folder / "elsewhere")
    corpus.keys |= {"title": "Another", "weights": str(corpus.folder / "elsewhere/weights.hdf5")}
    assert corpus.embed("elmo") == 1


@pytest.mark.parametrize(("name", "file"), [(name, file) for name, files in FILES.items() for file in files])
def test_missing_and_damaged_features_are_computed_again(name, file, corpus):
    corpus.embed(name)
    before = corpus.content(name)
    path = corpus.layout.features("s", name) / file
    for times, damage in enumerate((path.unlink, lambda: path.write_bytes(b"{}")), start=2):
        damage()
        assert corpus.embed(name) == times
        after = corpus.content(name)
        assert [(key, value[0]) for key, value in after.items()] == [(key, value[0]) for key, value in before.items()]


@pytest.mark.parametrize(("name", "file"), [(name, file) for name, files in FILES.items() for file in files])
def test_features_with_one_bit_changed_are_refused_by_name_and_computed_again(name, file, corpus):
    corpus.embed(name)
    folder = corpus.layout.features("s", name)
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    with pytest.raises(CmanError, match=rf"{file}: found SHA-256 .* as manifest\.sha256 beside it says"):
        (FeatureCache if name == "elmo" else read_corpus_vectors)(folder)
    assert corpus.embed(name) == 2
    assert (folder / file).read_bytes() == content


@pytest.mark.parametrize("name", FILES)
def test_features_whose_writer_died_before_the_manifest_get_one_and_are_not_computed_again(name, corpus):
    corpus.embed(name)
    manifest = corpus.layout.features("s", name) / MANIFEST
    expected = manifest.read_bytes()
    manifest.rename(manifest.with_name(f".{MANIFEST}.new"))
    assert corpus.embed(name) == 1
    assert manifest.read_bytes() == expected
    assert list(corpus.content(name)) == FILES[name]


def test_features_that_a_disk_cannot_take_are_refused_before_they_are_computed(corpus):
    with room_for(200), pytest.raises(OSError, match="too large") as error:
        corpus.embed("elmo")
    assert str(error.value.filename).endswith("features.npy") and corpus.content("elmo") == {}


def test_coverage_is_told_and_kept(corpus, caplog):
    caplog.set_level("INFO")
    corpus.embed("wiki")
    assert "4 of 6 word forms have a vector (3 as they are, 1 as the number 0, 0 in their other case)" in caplog.text
    assert "3 of 8 tokens share the unknown vector" in caplog.text
    kept = json.loads((corpus.layout.features("s", "wiki") / "words.json").read_text())
    assert kept["coverage"]["unknown"] == 2 and len(kept["source"]["sha256"]) == 64
    words, vectors = read_corpus_vectors(corpus.layout.features("s", "wiki"))
    assert words == ["Ada", "came", ".", "0"] and vectors[3].tolist() == [7, 8]


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("elmo", lambda corpus: write_elmo(corpus.folder, changed(dim=7), random_weights())),
        ("elmo", lambda corpus: (corpus.folder / "weights.hdf5").unlink()),
        ("elmo", lambda corpus: (corpus.folder / "options.json").write_text("{")),
        ("wiki", lambda corpus: (corpus.folder / "v.txt").write_text("9 2\n" + VECTORS)),
        ("wiki", lambda corpus: (corpus.folder / "v.txt").unlink()),
    ],
)
def test_a_failure_leaves_nothing_half_written_and_earlier_features_as_they_were(name, damage, corpus):
    corpus.embed(name)
    before = corpus.content(name)
    damage(corpus)
    corpus.documents(TRAIN[:1])
    with pytest.raises(CmanError, match="wanted"):
        corpus.embed(name)
    assert corpus.content(name) == before


def test_a_process_that_dies_between_the_two_files_leaves_no_old_index_to_new_features(corpus, monkeypatch):
    for name, module in (("elmo", frozen), ("wiki", words)):
        corpus.embed(name)
        corpus.documents(TRAIN[::-1])

        def dies(*arguments: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(module, "write_json", dies)
            with pytest.raises(KeyboardInterrupt):
                corpus.embed(name)
        assert list(corpus.content(name)) == FILES[name][:1]
        corpus.documents()


def test_an_unknown_name_is_refused_before_anything_is_read(corpus):
    with pytest.raises(UsageError, match="found 'bert', wanted one of minilm, elmo, wiki"):
        corpus.embed("bert")
