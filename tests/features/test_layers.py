"""What features keep of an encoder's layers: what the mix reads, with the numbers that all layers would give."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cman.config.configuration import parse_configuration
from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.cache import FeatureCache
from cman.features.frozen import DocumentFeatures, is_current, write_cache
from cman.features.layers import kept
from cman.model.inputs import LayerMix

DOCUMENTS = [Document("1", ("Ada", "came", ".")), Document("2", ("Bo", "slept")), Document("3", ("42",))]


class Encoder:
    """Random features of seven layers."""

    layers, size = 7, 20

    def identity(self):
        return {"files": {}, "options": {"layers": 7, "size": 20}}

    def features(self, documents, workers=None):
        for index, document in enumerate(documents):
            stream = np.random.default_rng(len(document.tokens))
            yield index, stream.normal(size=(len(document.tokens), 7, 20)).astype(np.float16)


@pytest.mark.parametrize("mix", ["top", "mean"])
def test_a_model_reads_the_same_numbers_to_the_last_bit_from_what_its_mix_needs(mix):
    stream = torch.Generator().manual_seed(1)
    for tokens, layers, size in ((1, 7, 384), (40, 7, 384), (16, 3, 1024), (5, 13, 7), (9, 25, 33)):
        values = torch.randn(4, tokens, layers, size, generator=stream).half()
        expected = LayerMix(layers, mix)(values)
        reduced = torch.stack([torch.from_numpy(kept(each.numpy(), mix)) for each in values])
        assert reduced.shape == (4, tokens, 1, size)
        assert torch.equal(LayerMix(layers, mix)(reduced), expected)


def test_a_cache_of_one_vector_a_token_says_so_and_is_a_fraction_of_the_size(tmp_path: Path):
    written = {}
    for layers, kind, shape in (("all", "<f2", (6, 7, 20)), ("top", "<f2", (6, 1, 20)), ("mean", "<f4", (6, 1, 20))):
        write_cache(DOCUMENTS, Encoder(), tmp_path / layers, layers=layers)
        cache, memory = FeatureCache(tmp_path / layers), DocumentFeatures(Encoder(), DOCUMENTS, layers=layers)
        written[layers] = cache.features.nbytes
        for features in (cache, memory):
            assert (features.kept, features.layers, features.size) == (layers, 7, 20)
            assert features.features.shape == shape and features.features.dtype == np.dtype(kind)
        np.testing.assert_array_equal(memory.features, cache.features)
        assert [cache.rows(document) for document in DOCUMENTS] == [0, 3, 5]
    assert written["all"] == 7 * written["top"] == 3.5 * written["mean"]


def test_features_are_computed_again_only_where_a_mix_needs_what_they_do_not_keep(tmp_path: Path):
    for there in ("all", "top", "mean"):
        write_cache(DOCUMENTS, Encoder(), tmp_path, layers=there)
        for needed in ("all", "top", "mean"):
            assert is_current(DOCUMENTS, Encoder(), tmp_path, needed) == (there in ("all", needed)), (there, needed)


def test_features_of_before_they_said_so_keep_all_layers_and_what_does_not_fit_is_refused(tmp_path: Path):
    write_cache(DOCUMENTS, Encoder(), tmp_path)
    (tmp_path / "manifest.sha256").unlink()
    index = json.loads((tmp_path / "index.json").read_text())
    del index["kept"], index["layers"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    cache = FeatureCache(tmp_path)
    assert (cache.kept, cache.layers) == ("all", 7) and is_current(DOCUMENTS, Encoder(), tmp_path, "top")
    for wrong in ("top", "mean", "first"):
        (tmp_path / "index.json").write_text(json.dumps(index | {"kept": wrong}))
        with pytest.raises(CmanError, match=r"features\.npy has float16|field kept"):
            FeatureCache(tmp_path)


def test_a_configuration_needs_what_the_experiments_of_a_corpus_read_of_a_frozen_encoder():
    def needed(**changes: str) -> str:
        variants = {
            name: {"base": "cman", "title": name, "changes": {"contextual.mix": mix}} for name, mix in changes.items()
        }
        value = {
            "corpora": {"s": {"format": "conll04-sample"}},
            "experiments": [*changes],
            "variants": variants | {"unused": {"base": "cman", "title": "U", "changes": {}}},
        }
        return parse_configuration(value, "test").layers_of("s", "minilm")

    assert needed(a="top", b="top") == "top" and needed(a="mean") == "mean"
    assert needed() == needed(a="top", b="mean") == needed(a="top", b="scalar") == "all"
