"""Bit flips and cuts in every kind of artefact, 616 of them: one that would change a result is refused."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from fake_runs import fake_run
from untrained import DOCUMENT, untrained

from cman.config.settings import Training
from cman.corpora.document import Document, read_documents, write_documents
from cman.errors import CmanError
from cman.evaluation.scores import score_files
from cman.extract.extraction import Extraction
from cman.extract.extractor import Extractor
from cman.extract.partial import Partial
from cman.extract.reading import Record
from cman.extract.run import extraction_line
from cman.features.cache import FeatureCache
from cman.features.frozen import open_encoder, write_cache
from cman.features.vectors.words import read_corpus_vectors, write_corpus_vectors
from cman.fetch.models import EncoderSource
from cman.hashes import MANIFEST
from cman.layout import Layout
from cman.lock import Lock
from cman.manifest import list_files
from cman.model.folder import ModelFolder
from cman.report.predictions import read_documents as read_predictions
from cman.report.record import record
from cman.report.results import read_run
from cman.training.average import WeightAverage
from cman.training.checkpoint import Checkpoint, Progress, adopt
from tests.extract.test_encoder import trained_with
from tests.features.tiny_bert import bert

DAMAGES = 28  # of each of 22 files
TEXT = " ".join(DOCUMENT.tokens)
REFUSED = object()


class Artefact(NamedTuple):
    """A file, and what is read of it: `REFUSED`, a CmanError, or a value to compare."""

    path: Path
    read: Callable[[], Any]


def model(folder: Path) -> list[Artefact]:
    untrained(folder)

    def read() -> Any:
        loaded = ModelFolder.load(folder)
        weights = {name: value.tolist() for name, value in loaded.model.state_dict().items()}
        return weights, loaded.settings, loaded.vocabulary, loaded.trained_on, loaded.language

    return [Artefact(folder / name, read) for name in ("model.safetensors", "config.json", "vocabulary.json", MANIFEST)]


def features(folder: Path) -> list[Artefact]:
    torch.manual_seed(0)
    bert(folder / "bert")
    source = EncoderSource(path=folder / "bert")
    write_cache([DOCUMENT], open_encoder(source, "some", torch.device("cpu"), Layout()), folder)
    (folder / "v.txt").write_text("Ada 1 2\nlives 3 4\n. 5 6\n")
    write_corpus_vectors([DOCUMENT], folder / "v.txt", folder / "vectors", "0")
    trained_with(source, folder / "model")

    def cached() -> Any:
        cache = FeatureCache(folder)
        return cache.features.tolist(), cache.documents, cache.encoder, cache.corpus

    def vectors() -> Any:
        words, values = read_corpus_vectors(folder / "vectors")
        return words, values.tolist()

    def encoded() -> Any:
        return Extractor.load(folder / "model", device="cpu", threads=1)(TEXT)

    return [
        Artefact(folder / "features.npy", cached),
        Artefact(folder / "index.json", cached),
        Artefact(folder / "vectors" / "vectors.npy", vectors),
        Artefact(folder / "vectors" / "words.json", vectors),
        Artefact(folder / "bert" / "model.safetensors", encoded),
        Artefact(folder / "bert" / "tokenizer.json", encoded),
    ]


def checkpoints(folder: Path) -> list[Artefact]:
    torch.manual_seed(0)
    net = torch.nn.Linear(3, 3)
    state = (net, net, torch.optim.Adam(net.parameters()), WeightAverage(net, Training(), 1))  # type: ignore[arg-type]
    checkpoint = Checkpoint(folder / "select.ckpt", Lock(folder / "lock", {}))
    checkpoint.save(*state, Progress(history=[{"epoch": 1}]))
    weights = [value.tolist() for value in net.state_dict().values()]
    identity = {"seed": 1, "inputs": {"train.jsonl": "0" * 64}}
    adopt(folder / "run", identity)
    mark = (folder / "run" / "run.json").read_bytes()

    def restored() -> Any:
        progress = checkpoint.restore(*state)
        return (progress, [value.tolist() for value in net.state_dict().values()]) if progress.history else REFUSED

    def adopted() -> Any:
        kept = adopt(folder / "run", identity)
        (folder / "run" / "run.json").write_bytes(mark)
        return True if kept else REFUSED

    assert restored()[1] == weights
    return [Artefact(checkpoint.path, restored), Artefact(folder / "run" / "run.json", adopted)]


def results(folder: Path) -> list[Artefact]:
    gold, run = folder / "gold.jsonl", fake_run(folder, "c", "cman", (2, 3, 4), (1, 2, 2))
    predicted = run / "predictions.jsonl"
    write_documents(gold, [Document(each.id, each.tokens, each.entities) for each in read_documents(predicted)])
    (run / "history.csv").write_text("stage,epoch,loss_rel\nselect,1,0.5\n")
    list_files(folder, ["gold.jsonl"])
    list_files(run, ["predictions.jsonl", "scores.json", "provenance.json", "history.csv"])
    kept = record(run, folder / "record")

    def scored() -> Any:
        return score_files(gold, predicted)

    def shown() -> Any:
        return read_run(run)

    def recorded() -> Any:
        return read_run(kept), read_predictions(kept / "predictions.jsonl.gz")

    return [
        Artefact(gold, scored),
        Artefact(predicted, scored),
        Artefact(run / "scores.json", shown),
        Artefact(run / "provenance.json", shown),
        Artefact(run / "history.csv", lambda: record(run, folder / "again")),
        Artefact(kept / "predictions.jsonl.gz", recorded),
        Artefact(kept / "scores.json", recorded),
    ]


def partial(folder: Path) -> list[Artefact]:
    def opened(resume: bool) -> Partial:
        return Partial(folder / "o", folder / "o.errors", {"model": "0"}, resume, Lock(folder / "o.lock", {}))

    stopped = opened(False)
    found = [extraction_line(Extraction(name, TEXT, (), ())) for name in "12"]
    stopped.add(found, [(Record(3, 90, "3"), "why")], Record(3, 90, "3"))
    files = [folder / "o.partial", folder / "o.errors", folder / "o.partial.json"]
    sound = [path.read_bytes() for path in files]

    def resumed() -> Any:
        state = opened(True).state
        content = [path.read_bytes() for path in files]
        for path, value in zip(files, sound, strict=True):
            path.write_bytes(value)
        return state, content

    return [Artefact(path, resumed) for path in files]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [model, features, checkpoints, results, partial], ids=lambda kind: kind.__name__)
def test_what_is_damaged_is_refused_or_gives_the_same_result(kind, tmp_path):
    chance, refused, harmless = random.Random(5), 0, 0
    artefacts = kind(tmp_path)
    for artefact in artefacts:
        sound, expected = artefact.path.read_bytes(), artefact.read()
        for number in range(DAMAGES):
            content = bytearray(sound)
            if number % 4 == 0:
                del content[chance.randrange(len(content)) :]
            else:
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            artefact.path.write_bytes(content)
            try:
                found = artefact.read()
            except CmanError as error:
                found = REFUSED
                assert len(str(error)) < 700
            assert found is REFUSED or found == expected, f"{artefact.path}: damage {number} was believed"
            refused, harmless = refused + (found is REFUSED), harmless + (found is not REFUSED)
            artefact.path.write_bytes(sound)
        assert artefact.read() == expected
    print(f"{kind.__name__}: {len(artefacts)} files, {refused} refused, {harmless} without any effect")
