"""ELMo as an encoder of a corpus: from a configuration to cached features that a model's scalar mix reads."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from cman.config.inputs import Encoder
from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.cache import FeatureCache
from cman.features.elmo import encoder as elmo_encoder
from cman.features.elmo.encoder import ElmoEncoder
from cman.features.frozen import open_encoder, write_cache
from cman.fetch.models import EncoderSource
from cman.layout import Layout
from tests.features.tiny_elmo import CHARS, OPTIONS, PlainElmo, changed, random_weights, write_elmo

CPU = torch.device("cpu")
DOCUMENTS = [
    Document("long", tuple(f"word{number % 7}" for number in range(30))),
    Document("one", (".",)),
    Document("cut", ("Ada", "x" * (CHARS + 5), "字字字字")),
    Document("again", ("Ada", "came")),
]


def encoder(folder: Path, **keys) -> ElmoEncoder:
    options, weights = write_elmo(folder)
    source = EncoderSource(options=str(options), weights=str(weights), **keys)
    opened = open_encoder(source, "elmo", CPU, Layout(folder / "results"))
    assert isinstance(opened, ElmoEncoder)
    return opened


def features(elmo: ElmoEncoder, documents=DOCUMENTS) -> list[np.ndarray]:
    values = dict(elmo.features(documents))
    assert sorted(values) == list(range(len(documents))), "each document once"
    return [values[index] for index in range(len(documents))]


def test_all_three_layers_of_every_token_are_those_of_plain_loops(tmp_path):
    for document, found in zip(DOCUMENTS, features(encoder(tmp_path)), strict=True):
        expected = PlainElmo(OPTIONS, random_weights()).read(list(document.tokens))
        assert found.shape == (len(document.tokens), 3, 8) and found.dtype == np.float16
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def test_by_itself_a_sentence_does_not_depend_on_the_ones_before_it(tmp_path):
    elmo = encoder(tmp_path)
    for found, backwards in zip(features(elmo), features(elmo, DOCUMENTS[::-1])[::-1], strict=True):
        np.testing.assert_array_equal(found, backwards)


def test_stateful_reads_the_documents_in_their_order_each_from_the_state_of_the_one_before(tmp_path):
    plain = PlainElmo(OPTIONS, random_weights())
    for document, found in zip(DOCUMENTS, features(encoder(tmp_path, stateful=True)), strict=True):
        np.testing.assert_allclose(found, plain.read(list(document.tokens)), rtol=2e-3, atol=2e-3)


def test_batches_are_bounded_and_hold_every_document_once(tmp_path, monkeypatch):
    at_once = features(encoder(tmp_path))
    monkeypatch.setattr(elmo_encoder, "TOKENS_A_BATCH", 10)
    elmo = encoder(tmp_path)
    lengths = [len(document.tokens) for document in DOCUMENTS]
    batches = list(elmo._batches(lengths))
    assert batches == [[1, 3], [2], [0]], "9 tokens with their marks and 4 more would be too many"
    for found, expected in zip(features(elmo), at_once, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


def test_words_that_elmo_cuts_are_counted_aloud(tmp_path, caplog):
    caplog.set_level("INFO")
    features(encoder(tmp_path))
    assert f"2 word forms have more than {CHARS - 2} bytes" in caplog.text


def test_a_cache_of_elmo_has_three_layers_and_says_what_made_it(tmp_path):
    elmo = encoder(tmp_path)
    write_cache(DOCUMENTS, elmo, tmp_path / "cache")
    cache = FeatureCache(tmp_path / "cache")
    assert (cache.layers, cache.size) == (3, 8)
    assert set(cache.encoder["files"]) == {"options", "weights"}
    assert all(len(digest) == 64 for digest in cache.encoder["files"].values())
    start = cache.rows(DOCUMENTS[3])
    np.testing.assert_array_equal(cache.features[start : start + 2], features(elmo)[3])


def test_other_weights_other_options_and_statefulness_have_another_identity(tmp_path):
    identities = [encoder(tmp_path / "a").identity(), encoder(tmp_path / "a", stateful=True).identity()]
    for index, (options, seed) in enumerate(((OPTIONS, 1), (changed(cell_clip=2), 0))):
        paths = write_elmo(tmp_path / str(index), options, random_weights(seed=seed))
        source = EncoderSource(options=str(paths[0]), weights=str(paths[1]))
        identities.append(ElmoEncoder(source, "elmo", CPU, Layout(tmp_path)).identity())
    assert len({json.dumps(identity) for identity in identities}) == 4
    assert encoder(tmp_path / "b").identity() == identities[0], "the place of the files is none of it"


def test_the_scalar_mix_of_a_model_learns_how_much_of_each_layer_it_takes(tmp_path):
    from cman.model.inputs import LayerMix

    values = torch.from_numpy(features(encoder(tmp_path))[0])[None]
    mix = LayerMix(3, "scalar")
    np.testing.assert_allclose(mix(values).detach(), values.float().mean(2), rtol=0, atol=1e-6)
    mix(values).square().sum().backward()
    assert mix.weights.grad is not None and mix.weights.grad.abs().min() > 0


# ---- what is refused


def test_files_that_are_not_there_are_named_with_their_key(tmp_path):
    options, weights = write_elmo(tmp_path)
    for given, key in (((options, tmp_path / "none"), "weights"), ((tmp_path / "none", weights), "options")):
        source = EncoderSource(options=str(given[0]), weights=str(given[1]))
        with pytest.raises(CmanError, match=rf"^encoders\.elmo\.{key}: .*none: cannot be read"):
            ElmoEncoder(source, "elmo", CPU, Layout(tmp_path))


def test_a_given_hash_is_verified_of_given_paths_too(tmp_path):
    options, weights = write_elmo(tmp_path)
    source = EncoderSource(options=str(options), weights=str(weights), sha256={"weights": "0" * 64})
    with pytest.raises(CmanError, match=r"found SHA-256 [0-9a-f]{64}, wanted 0{64}, which the configuration says"):
        ElmoEncoder(source, "elmo", CPU, Layout(tmp_path))


def test_keys_that_do_not_belong_together_are_refused():
    for keys, message in (
        ({"options": "o"}, "both of the keys 'options' and 'weights'"),
        ({"weights": "w"}, "both of the keys 'options' and 'weights'"),
        ({"path": "p", "stateful": True}, "only beside 'options' and 'weights'"),
        ({"path": "p", "sha256": {"weights": "0" * 64}}, "only beside 'options' and 'weights'"),
        ({"options": "o", "weights": "w", "sha256": {"weights": "abc"}}, "sha256.weights"),
        ({"path": "p", "revision": "main"}, "'revision' only beside 'name'"),
    ):
        with pytest.raises(ValidationError, match=message):
            Encoder(**keys)


def test_features_that_float16_cannot_hold_are_refused_and_leave_nothing(tmp_path):
    weights = random_weights()
    weights["CNN_proj/b_proj"][:] = 1e6
    paths = write_elmo(tmp_path, OPTIONS, weights)
    source = EncoderSource(options=str(paths[0]), weights=str(paths[1]))
    elmo = ElmoEncoder(source, "elmo", CPU, Layout(tmp_path))
    with pytest.raises(CmanError, match="document 'one': found a feature that is no number of float16"):
        write_cache(DOCUMENTS, elmo, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
