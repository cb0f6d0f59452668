"""Readers of features, vectors, models and stopped runs under mutation, without the manifests that refuse any of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from untrained import DOCUMENT, untrained

from cman.corpora.document import Document
from cman.extract.partial import Partial
from cman.extract.reading import Record
from cman.features.cache import FeatureCache
from cman.features.elmo.weights import read_options, read_weights
from cman.features.frozen import open_encoder, write_cache
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.vectors.words import read_corpus_vectors, read_vectors, write_corpus_vectors
from cman.fetch.models import EncoderSource
from cman.hashes import MANIFEST
from cman.layout import Layout
from cman.lock import Lock, locked
from cman.model.folder import ModelFolder
from cman.model.predict import Predictor
from cman.training.checkpoint import adopt
from tests.features.tiny_bert import bert
from tests.features.tiny_elmo import write_elmo
from tests.fuzz.mutations import Reader
from tests.fuzz.text_readers import well_formed

TEXT = " ".join(DOCUMENT.tokens)
WORDS = set(DOCUMENT.tokens)


def elmo(name: str) -> Callable[[Path], Reader]:
    def made(folder: Path) -> Reader:
        options, weights = write_elmo(folder)
        known = read_options(options)
        if name == "options":
            return Reader(options, lambda: read_options(options))
        return Reader(weights, lambda: read_weights(weights, known, options), finite)

    return made


def finite(arrays: Any) -> None:
    assert all(np.isfinite(each).all() for each in arrays.values())


def word_vectors(binary: bool) -> Callable[[Path], Reader]:
    def made(folder: Path) -> Reader:
        path = folder / ("v.bin" if binary else "v.txt")
        values = np.array([1.5, -2.0], dtype="<f4").tobytes()
        text = b"3 2\nAda 1.5 -2\nlives 0.25 1e-3\nParis 1 2\n"
        path.write_bytes(b"2 2\nAda " + values + b"\nin " + values if binary else text)

        def check(found: tuple[list[str], np.ndarray]) -> None:
            words, vectors = found
            assert len(set(words)) == len(words) == len(vectors) and set(words) <= WORDS
            assert vectors.ndim == 2 and vectors.dtype == np.float32 and np.isfinite(vectors).all()

        return Reader(path, lambda: read_vectors(path, WORDS), check)

    return made


def corpus_vectors(name: str) -> Callable[[Path], Reader]:
    def made(folder: Path) -> Reader:
        (folder / "v.txt").write_text("Ada 1 2\nlives 3 4\n. 5 6\n")
        write_corpus_vectors([DOCUMENT], folder / "v.txt", folder, "0")

        def check(found: tuple[list[str], np.ndarray]) -> None:
            words, vectors = found
            assert all(isinstance(word, str) for word in words) and len(set(words)) == len(words)
            assert vectors.ndim == 2 and len(vectors) == len(words) and vectors.dtype == np.float32

        return Reader(folder / name, lambda: read_corpus_vectors(folder), check)

    return made


def features(name: str) -> Callable[[Path], Reader]:
    def made(folder: Path) -> Reader:
        torch.manual_seed(0)
        bert(folder / "bert")
        source = EncoderSource(path=folder / "bert")
        write_cache([DOCUMENT], open_encoder(source, "some", torch.device("cpu"), Layout()), folder)

        def check(cache: FeatureCache) -> None:
            assert cache.features.dtype == np.float16 and cache.features.ndim == 3
            for document in (DOCUMENT, Document("2", ("a",))):
                try:
                    start = cache.rows(document)
                except Exception as error:
                    assert str(folder) in str(error), error
                    continue
                assert 0 <= start <= len(cache.features) - len(document.tokens)

        return Reader(folder / name, lambda: FeatureCache(folder), check)

    return made


def model(name: str) -> Callable[[Path], Reader]:
    def made(folder: Path) -> Reader:
        untrained(folder / "model")
        (folder / "model" / MANIFEST).unlink()

        def check(loaded: ModelFolder) -> None:
            (found,) = Predictor(loaded, torch.device("cpu")).predict([DOCUMENT])
            well_formed([found])

        return Reader(folder / "model" / name, lambda: ModelFolder.load(folder / "model"), check)

    return made


def encoder(name: str) -> Callable[[Path], Reader]:
    def made(folder: Path) -> Reader:
        bert(folder / "bert")
        source = EncoderSource(path=folder / "bert")
        return Reader(folder / "bert" / name, lambda: TransformerEncoder.open(source, "some"))

    return made


def stopped(folder: Path) -> Reader:
    """The state of a stopped `extract`: whatever it says, what is there afterwards is that state's or as it was."""

    def opened(resume: bool) -> Partial:
        return Partial(folder / "o", folder / "o.errors", {"model": "0"}, resume, Lock(folder / "o.lock", {}))

    first = opened(False)
    first.add([TEXT], [(Record(2, 90, "2"), "why")], Record(2, 90, "2"))
    sound = first.state

    def check(partial: Partial) -> None:
        assert partial.state == sound

    return Reader(folder / "o.partial.json", lambda: opened(True), check)


def marked(folder: Path) -> Reader:
    """The mark of checkpoints: another one is never taken for that of the same run."""
    identity = {"seed": 1, "inputs": {"train.jsonl": "0" * 64}}
    adopt(folder / "run", identity)
    mark = folder / "run" / "run.json"

    def read() -> bool:
        same = json.loads(mark.read_text()) == identity if _is_json(mark) else False
        kept = adopt(folder / "run", identity)
        assert kept == same
        return kept

    return Reader(mark, read)


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except (ValueError, RecursionError):
        return False
    return True


def lock(folder: Path) -> Reader:
    """A lock file of a dead process, which may hold anything: it is taken over or told."""
    path = folder / "o.lock"
    with locked(folder / "o", "written"):
        content = path.read_text()
    path.write_text(json.dumps({**json.loads(content), "process": 2**22 + 1}))

    def read() -> None:
        with locked(folder / "o", "written") as held:
            held.check()

    def check(_: None) -> None:
        path.write_text(content)

    return Reader(path, read, check)


READERS: dict[str, Callable[[Path], Reader]] = {
    "elmo options": elmo("options"),
    "elmo weights": elmo("weights"),
    "vectors as text": word_vectors(False),
    "binary vectors": word_vectors(True),
    "words of a corpus": corpus_vectors("words.json"),
    "vectors of a corpus": corpus_vectors("vectors.npy"),
    "index of features": features("index.json"),
    "features": features("features.npy"),
    "model configuration": model("config.json"),
    "vocabulary": model("vocabulary.json"),
    "model weights": model("model.safetensors"),
    "encoder configuration": encoder("config.json"),
    "tokenizer": encoder("tokenizer.json"),
    "stopped extraction": stopped,
    "mark of checkpoints": marked,
    "lock": lock,
}
