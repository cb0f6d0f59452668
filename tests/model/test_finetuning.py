"""A trained encoder: what frozen features would be, with gradients, in windows, and complete in the model's folder."""

import shutil

import numpy as np
import pytest
import torch
from small import small

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.batch import EncodedDocuments
from cman.features.frozen import DocumentFeatures
from cman.features.transformer.encoder import TransformerEncoder
from cman.fetch.models import EncoderSource
from cman.model.build import build_model
from cman.model.folder import ModelFolder
from cman.model.predict import predict
from tests.features.tiny_bert import bert

CPU = torch.device("cpu")
SHORT, ODD = Document("s", ("ada", "came", "paris")), Document("o", ("a", "\u200b", "parisis", "."))
LONG = Document("l", ("ada", "came", "from", "parisis", ".") * 8)  # 48 pieces in windows of 10


@pytest.fixture
def folder(tmp_path):
    torch.manual_seed(0)
    bert(tmp_path / "bert")
    return tmp_path / "bert"


def opened(folder, **settings):
    return TransformerEncoder(folder, "tiny", **settings)


def layers_of(encoder, documents, vocabulary):
    encoded = EncodedDocuments(documents, vocabulary, None, annotated=False, pieces=encoder.pieces)
    batch = encoded.batch(range(len(documents)))
    return encoder(batch.windows, tuple(batch.words.shape)), batch


def built(folder, vocabulary, **changes):
    settings = small({"encoder.trainable": True} | changes)
    torch.manual_seed(1)
    encoder = opened(folder, checkpointing=settings.encoder.checkpointing)
    return build_model(settings, vocabulary, None, None, encoder), settings


def test_in_evaluation_mode_it_gives_the_frozen_features_also_of_long_sentences_in_windows(folder, vocabulary):
    documents = [SHORT, LONG, ODD]
    found, batch = layers_of(opened(folder).eval(), documents, vocabulary)
    frozen = TransformerEncoder.frozen(EncoderSource(path=folder), "e", CPU)
    assert batch.windows.ids.shape[0] > len(documents) and batch.windows.ids.shape[1] == 12
    features = DocumentFeatures(frozen, documents)
    for row, document in enumerate(documents):
        start, length = features.rows(document), len(document.tokens)
        expected = features.features[start : start + length]
        np.testing.assert_allclose(found[row, :length].detach().numpy(), expected, rtol=2e-3, atol=2e-3)
        assert not found[row, length:].any()


def test_many_windows_are_read_in_parts_with_the_same_result(folder, vocabulary, monkeypatch):
    encoder = opened(folder).eval()
    whole, _ = layers_of(encoder, [SHORT, LONG], vocabulary)
    monkeypatch.setattr("cman.features.transformer.encoder.PIECES_A_BATCH", 24)
    parts, _ = layers_of(encoder, [SHORT, LONG], vocabulary)
    torch.testing.assert_close(parts, whole)


def test_training_has_dropout_and_evaluation_has_none(folder, vocabulary):
    encoder = opened(folder)
    assert not torch.equal(*(layers_of(encoder, [SHORT], vocabulary)[0] for _ in range(2)))
    encoder.eval()
    assert torch.equal(*(layers_of(encoder, [SHORT], vocabulary)[0] for _ in range(2)))


def gradients(folder, vocabulary, batch_of, **changes):
    model, _ = built(folder, vocabulary, **changes)
    batch = batch_of(pieces=model.inputs.encoder.pieces, contextual=False).batch([0, 3, 4])
    torch.manual_seed(5)
    x = model.train().inputs(batch)
    sum(model.losses(x, batch).values()).backward()
    return {name: value.grad for name, value in model.inputs.encoder.named_parameters()}


def test_gradients_reach_every_layer_of_the_encoder(folder, vocabulary, encode):
    found = gradients(folder, vocabulary, encode)
    reached = {name for name, value in found.items() if value is not None and value.abs().max() > 0}
    # The pooler serves whole sentences; keys have a bias that attention cannot tell from none.
    assert all("pooler" in name or name.endswith("key.bias") for name in set(found) - reached)


def test_gradient_checkpointing_gives_the_same_gradients(folder, vocabulary, encode):
    expected = gradients(folder, vocabulary, encode)
    found = gradients(folder, vocabulary, encode, **{"encoder.checkpointing": True})
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        if value is not None:
            torch.testing.assert_close(found[name], value)


def test_mixed_precision_is_of_training_alone(folder, vocabulary):
    plain, mixed = opened(folder, precision="float32"), opened(folder, precision="bf16-mixed")
    for training in (False, True):
        for module in mixed.train(training).modules():
            if isinstance(module, torch.nn.Dropout):
                module.eval()
        found, expected = (layers_of(each, [SHORT], vocabulary)[0] for each in (mixed, plain.eval()))
        assert torch.equal(found, expected) is not training
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, rtol=0.1, atol=0.1)


def test_a_saved_model_predicts_the_same_when_its_original_encoder_is_gone(folder, vocabulary, corpus, tmp_path):
    model, settings = built(folder, vocabulary)
    for value in model.inputs.encoder.parameters():
        value.data += 0.1 * torch.randn_like(value)
    encoder = EncoderSource(path=folder)
    saved = ModelFolder(model.eval(), vocabulary, settings, encoder, model.inputs.contextual, {})
    expected = predict(saved, [*corpus, LONG], None, CPU)
    saved.save(tmp_path / "model")
    shutil.rmtree(folder)
    loaded = ModelFolder.load(tmp_path / "model")
    assert predict(loaded, [*corpus, LONG], None, CPU) == expected
    loaded.save(tmp_path / "again")
    for path in (path for path in (tmp_path / "model").rglob("*") if path.is_file()):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(tmp_path / "model")).read_bytes()


def test_cached_features_are_refused_by_a_model_with_an_encoder_of_its_own(folder, vocabulary, corpus):
    model, settings = built(folder, vocabulary)
    tuned = ModelFolder(model.eval(), vocabulary, settings, EncoderSource(path=folder), model.inputs.contextual, {})
    features = DocumentFeatures(TransformerEncoder.frozen(EncoderSource(path=folder), "e", CPU), corpus)
    with pytest.raises(CmanError, match="found cached ones, wanted none"):
        predict(tuned, corpus, features, CPU)


def test_a_folder_without_its_encoder_is_refused(folder, vocabulary, tmp_path):
    model, settings = built(folder, vocabulary)
    ModelFolder(model, vocabulary, settings, EncoderSource(path=folder), model.inputs.contextual, {}).save(
        tmp_path / "model"
    )
    shutil.rmtree(tmp_path / "model" / "encoder")
    with pytest.raises(CmanError, match=r"encoder/.*: found no such file"):
        ModelFolder.load(tmp_path / "model")
    (tmp_path / "model" / "manifest.sha256").unlink()
    with pytest.raises(CmanError, match="encoder: cannot be loaded"):
        ModelFolder.load(tmp_path / "model")
