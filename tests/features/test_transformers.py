"""Transformers of several families, made here with random weights, and what each does with odd and over-long input."""

import json
from pathlib import Path
from shutil import copy, copytree

import numpy as np
import pytest
import torch

from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.transformer.encoder import TransformerEncoder
from cman.fetch.models import EncoderSource, model_directory
from tests.features.tiny_bert import SIZES, bert, word_pieces


def byte_pieces(folder: Path, unknown: str | None = "<unk>", framed: bool = True) -> None:
    """A byte-level tokenizer without merges: as many pieces as bytes."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    symbols = ["<s>", "<pad>", "</s>", "<unk>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({symbol: index for index, symbol in enumerate(symbols)}, []))
    tokenizer.normalizer = normalizers.Strip()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if framed:
        tokenizer.post_processor = processors.BertProcessing(("</s>", 2), ("<s>", 0))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=unknown, pad_token="<pad>").save_pretrained(folder)


def roberta(folder: Path) -> None:
    from transformers import RobertaConfig, RobertaModel

    byte_pieces(folder)
    sizes = {"vocab_size": 260, "max_position_embeddings": 14, "pad_token_id": 1}
    RobertaModel(RobertaConfig(**sizes, **SIZES)).save_pretrained(folder)


def distilbert(folder: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    word_pieces(folder)
    sizes = {"dim": 8, "n_heads": 2, "n_layers": 2, "hidden_dim": 8, "max_position_embeddings": 12}
    DistilBertModel(DistilBertConfig(vocab_size=16, **sizes)).save_pretrained(folder)


def electra(folder: Path) -> None:
    from transformers import ElectraConfig, ElectraModel

    word_pieces(folder)
    sizes = {"vocab_size": 16, "embedding_size": 4, "max_position_embeddings": 12}
    ElectraModel(ElectraConfig(**sizes, **SIZES)).save_pretrained(folder)


def t5(folder: Path) -> None:
    from transformers import T5Config, T5Model

    byte_pieces(folder)
    sizes = {"vocab_size": 260, "d_model": 8, "d_kv": 4, "d_ff": 8, "num_layers": 2, "num_heads": 2}
    T5Model(T5Config(**sizes)).save_pretrained(folder)


def gpt2(folder: Path) -> None:
    from transformers import GPT2Config, GPT2Model

    byte_pieces(folder, framed=False)
    GPT2Model(GPT2Config(vocab_size=260, n_positions=12, n_embd=8, n_layer=2, n_head=2)).save_pretrained(folder)


CPU = torch.device("cpu")
FAMILIES = {family.__name__: family for family in (bert, roberta, distilbert, electra, t5, gpt2)}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("models")
    for name, make in FAMILIES.items():
        make(root / name)
    return root


def encoder(folder: Path) -> TransformerEncoder:
    return TransformerEncoder.frozen(EncoderSource(path=folder), "e", CPU)


def features(opened: TransformerEncoder, *documents: Document) -> list[np.ndarray]:
    values = dict(opened.features(documents))
    return [values[index] for index in range(len(documents))]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_each_token_a_vector_in_each_layer(family, folders):
    opened = encoder(folders / family)
    assert (opened.layers, opened.size) == (3, 8)
    found = features(opened, Document("a", ("ada", "came", "from", "paris", ".") * 8), Document("b", ("c",)))
    assert [values.shape for values in found] == [(40, 3, 8), (1, 3, 8)]
    for values in found:
        assert np.isfinite(values).all() and np.abs(values).max(axis=(1, 2)).min() > 0


def test_a_window_leaves_room_for_special_pieces_and_positions_that_are_none(folders):
    windows = {family: encoder(folders / family).pieces.window for family in ("bert", "roberta", "gpt2")}
    assert windows == {"bert": 10, "roberta": 10, "gpt2": 12}


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2"])
def test_features_beside_a_longer_sentence_are_those_of_a_sentence_alone(family, folders):
    opened = encoder(folders / family)
    short, long = Document("s", ("ada", "came")), Document("l", ("paris",) * 30)
    np.testing.assert_allclose(features(opened, short, long)[0], features(opened, short)[0], rtol=5e-3, atol=5e-3)


def test_a_word_of_more_pieces_than_the_window_is_the_mean_of_all_of_them(folders):
    opened = encoder(folders / "roberta")
    word = "abcdefghij" * 7
    assert len(opened.pieces.tokenizer.encode(word, add_special_tokens=False).ids) == 70 > opened.pieces.window
    (alone,) = features(opened, Document("w", (word,)))
    # The same pieces as tokens of their own are read in the same windows.
    (pieces,) = features(opened, Document("p", tuple(word)))
    np.testing.assert_allclose(alone[0], pieces.astype(np.float32).mean(0), rtol=5e-3, atol=5e-3)
    (other,) = features(opened, Document("w", (word[:-1] + "z",)))
    assert np.abs(other.astype(float) - alone).max() > 1e-3, "its last piece counts"


def test_a_word_that_the_tokenizer_itself_gives_up_is_the_unknown_piece(folders):
    opened = encoder(folders / "bert")
    found = features(opened, Document("a", ("ada", "a" * 101)), Document("b", ("ada", "字")))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0].shape, (2, 3, 8))


@pytest.mark.parametrize(
    ("family", "odd"),
    [("bert", "\u200b"), ("bert", "\u00ad"), ("bert", " "), ("roberta", " "), ("roberta", "\t")],
    ids=ascii,
)
def test_a_token_without_a_piece_is_read_as_the_unknown_piece_in_its_place(family, odd, folders):
    opened = encoder(folders / family)
    assert not opened.pieces.tokenizer.encode(odd, add_special_tokens=False).ids
    ids, owners = opened.pieces.pieces(Document("odd", ("a", odd, "b")))
    assert owners.tolist() == [0, 1, 2] and ids[1] == opened.pieces.unknown
    (found,) = features(opened, Document("odd", ("a", odd, "b")))
    assert found.shape == (3, 3, 8) and np.abs(found[1]).max() > 0


def test_a_token_without_a_piece_is_named_if_the_encoder_has_no_unknown_piece(tmp_path, folders):
    from transformers import GPT2Config, GPT2Model

    byte_pieces(tmp_path, unknown=None, framed=False)
    GPT2Model(GPT2Config(vocab_size=260, n_positions=12, n_embd=8, n_layer=1, n_head=1)).save_pretrained(tmp_path)
    with pytest.raises(CmanError, match=r"document 'odd': token 1 \(' '\) has no piece"):
        features(encoder(tmp_path), Document("odd", ("a", " ")))


def test_a_tokenizer_that_raises_for_a_word_is_named_in_one_sentence(tmp_path):
    bert(tmp_path)
    tokenizer = tmp_path / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace('"[UNK]": 1', '"[UNX]": 1'))
    with pytest.raises(CmanError, match=r"the tokenizer cannot read a text \(.*UNK.*\); wanted one with a piece"):
        features(encoder(tmp_path), Document("odd", ("a", "tokyo")))


# ---- what makes another encoder


def test_each_file_of_a_model_is_part_of_its_identity(folders, tmp_path):
    copytree(folders / "bert", tmp_path / "bert")
    seen = [encoder(tmp_path / "bert").identity()]
    assert seen == [encoder(folders / "bert").identity()]
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        assert name in seen[0]["files"]
        opened = encoder(tmp_path / "bert")
        with (tmp_path / "bert" / name).open("ab") as stream:
            stream.write(b"\n")
        assert opened.identity() not in seen
        copy(folders / "bert" / name, tmp_path / "bert" / name)


# ---- what is refused


def test_a_model_that_cannot_be_loaded_is_named_with_its_folder_in_one_sentence(folders, tmp_path):
    copytree(folders / "bert", tmp_path / "m")
    for name, content in (
        ("model.safetensors", None),
        ("model.safetensors", "cut"),
        ("config.json", '{"model_type": "no-such-model"}'),
        ("config.json", "{"),
        ("tokenizer.json", "{}"),
    ):
        path = tmp_path / "m" / name
        path.unlink() if content is None else path.write_text(content)
        with pytest.raises(CmanError) as caught:
            encoder(tmp_path / "m")
        assert str(caught.value).startswith(f"encoders.e: {tmp_path / 'm'}: "), (name, content)
        assert "\n" not in str(caught.value)
        copy(folders / "bert" / name, path)


def test_a_window_too_small_for_any_piece_is_refused(tmp_path):
    from transformers import BertConfig, BertModel

    word_pieces(tmp_path)
    BertModel(BertConfig(vocab_size=16, max_position_embeddings=3, **SIZES)).save_pretrained(tmp_path)
    with pytest.raises(CmanError, match="found a window of 1 pieces, wanted 2 at least"):
        encoder(tmp_path)


# ---- models of the hub


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No network for the hub's client, and a cache of its own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_name_without_a_connection_fails_in_one_sentence_that_says_what_to_do(offline):
    for revision in (None, "main"):
        with pytest.raises(CmanError) as caught:
            source = EncoderSource(name="google-bert/bert-base-cased", revision=revision)
            TransformerEncoder.frozen(source, "bert", CPU)
        message = str(caught.value)
        assert message.startswith("encoders.bert.name: 'google-bert/bert-base-cased' is not in the hub's cache")
        assert "cannot be downloaded (" in message and "under the key 'path'" in message and "\n" not in message
    assert not offline.exists() or not any(path.is_file() for path in offline.rglob("*")), "nothing is left behind"


def test_a_name_that_cannot_be_one_is_refused_in_one_sentence(offline):
    for name in ("a/b/c", "../up", "no such", ""):
        with pytest.raises(CmanError, match=r"^encoders\.e\.name: .*; wanted a connection and a model's name"):
            model_directory(EncoderSource(name=name), "e")


def test_a_name_in_the_hubs_cache_needs_no_connection(offline, folders):
    """The cache is laid out as the hub's client keeps it: a reference to a revision, and a folder for it."""
    revision = "0123456789abcdef0123456789abcdef01234567"
    kept = offline / "models--someone--bert"
    copytree(folders / "bert", kept / "snapshots" / revision)
    (kept / "refs").mkdir()
    (kept / "refs/main").write_text(revision)
    for requested in (None, "main", revision):
        opened = TransformerEncoder.frozen(EncoderSource(name="someone/bert", revision=requested), "e", CPU)
        assert opened.identity() == encoder(folders / "bert").identity()
    (kept / "snapshots" / revision / "config.json").unlink()
    with pytest.raises(CmanError, match=r"'someone/bert' has no config\.json"):
        model_directory(EncoderSource(name="someone/bert"), "e")


def test_an_identity_is_plain_json(folders):
    identity = encoder(folders / "bert").identity()
    assert json.loads(json.dumps(identity)) == identity
