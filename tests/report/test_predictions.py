"""Predictions beside gold: read from runs and records, refused where the scores were made from something else."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from cman.corpora.document import Document, Entity, Relation, write_documents
from cman.corpora.ranking import write_ranking
from cman.errors import CmanError
from cman.evaluation.ranking import ranking_scores
from cman.evaluation.scores import score_documents
from cman.files import write_json
from cman.hashes import sha256
from cman.report.predictions import predictions_file, read_predicted
from cman.report.results import read_run

GOLD = (
    Document("1", ("Ada", "in", "Rome"), (Entity("Peop", 0, 1), Entity("Loc", 2, 3)), (Relation("Live_In", 0, 1),)),
    Document("2", ("Bo", "sleeps"), (Entity("Peop", 0, 1),)),
)
FOUND = (
    Document("1", ("Ada", "in", "Rome"), (Entity("Peop", 0, 1, 0.9), Entity("Org", 2, 3, 0.6)), ()),
    Document("2", ("Bo", "sleeps")),
)


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    folder = tmp_path / "corpora" / "c" / "main"
    for part in ("train", "dev", "test"):
        write_documents(folder / f"{part}.jsonl", GOLD)
    return tmp_path / "corpora"


@pytest.fixture
def folder(tmp_path: Path, corpora: Path) -> Path:
    run = tmp_path / "run"
    train = corpora / "c" / "main" / "train.jsonl"
    facts: dict[str, Any] = {"corpus": "c", "corpus_title": "C", "sample": False, "experiment": "cman", "title": "CMAN"}
    facts |= {"split": "main", "seed": 1, "protocol": "p", "inputs_title": "i"}
    facts["inputs"] = {"results/corpora/c/main/train.jsonl": sha256(train), "results/features/c/m/index.json": "0" * 64}
    write_json(run / "provenance.json", facts)
    write_json(run / "scores.json", score_documents(GOLD, FOUND))
    write_documents(run / "predictions.jsonl", reversed(FOUND))
    return run


def read(folder: Path, corpora: Path) -> Any:
    return read_predicted([read_run(folder)], corpora)


def test_documents_stand_beside_each_other_in_the_order_of_the_corpus(folder, corpora):
    (predicted,) = read(folder, corpora)
    assert predicted.gold == GOLD and predicted.found == FOUND


def test_a_record_is_read_from_its_packed_predictions(folder, corpora):
    plain = folder / "predictions.jsonl"
    (folder / "predictions.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert predictions_file(folder).name == "predictions.jsonl.gz"
    assert read(folder, corpora)[0].found == FOUND


def test_predictions_that_do_not_give_the_scores_are_refused(folder, corpora):
    other = Document("2", ("Bo", "sleeps"), (Entity("Peop", 0, 1, 0.5),))
    write_documents(folder / "predictions.jsonl", [FOUND[0], other])
    with pytest.raises(
        CmanError, match=r"predictions.jsonl: does not match scores.json beside it: entities under strict"
    ):
        read(folder, corpora)


def test_a_ranking_that_does_not_give_the_scores_is_refused(folder, corpora):
    ranking = {"1": (Relation("Live_In", 0, 1, 0.3),)}
    write_ranking(folder / "ranking.jsonl", ranking)
    scores = score_documents(GOLD, FOUND) | {"ranking": ranking_scores(GOLD, FOUND, ranking, None)}
    write_json(folder / "scores.json", scores)
    assert read(folder, corpora)[0].run.ranking == {"average_precision": 0.0, "f1_dev_threshold": None}
    write_json(folder / "scores.json", scores | {"ranking": scores["ranking"] | {"average_precision": 0.5}})
    with pytest.raises(CmanError, match=r"ranking\.jsonl: does not match scores\.json beside it: field ranking"):
        read(folder, corpora)


def test_a_run_of_another_version_of_its_corpus_is_refused(folder, corpora):
    write_documents(corpora / "c" / "main" / "train.jsonl", GOLD[:1])
    with pytest.raises(CmanError, match=r"was made from another version of c: .*train\.jsonl"):
        read(folder, corpora)


@pytest.mark.parametrize(
    ("documents", "words"),
    [
        (FOUND[:1], "document '2' is missing"),
        ([FOUND[0], Document("2", ("Bo", "sleeps", "."))], "document '2' is missing or has other tokens"),
        ([*FOUND, Document("3", ("more",))], "found 3 documents, wanted the 2"),
    ],
    ids=["missing", "other tokens", "one too many"],
)
def test_predictions_of_other_documents_are_refused(folder, corpora, documents, words):
    write_documents(folder / "predictions.jsonl", documents)
    with pytest.raises(CmanError, match=words):
        read(folder, corpora)


def test_a_packed_file_that_is_cut_off_is_named(folder, corpora):
    packed = gzip.compress((folder / "predictions.jsonl").read_bytes())
    (folder / "predictions.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(CmanError, match=r"predictions.jsonl.gz: cannot be unpacked"):
        read(folder, corpora)
