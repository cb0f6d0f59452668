"""ELMo against published vectors and against plain loops, whatever stands beside a sentence in its batch."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cman.errors import CmanError
from cman.features.elmo import network
from cman.features.elmo.network import BiLm, characters, spell
from cman.features.elmo.weights import ElmoOptions, read_options, read_weights
from tests.features.tiny_elmo import CHARS, OPTIONS, PlainElmo, changed, random_weights, write_elmo

FIXTURE = os.environ.get("CMAN_ELMO_FIXTURE")
SENTENCES = [
    ["Ada", "Lovelace", "wrote", "notes"],
    ["."],
    ["the", "the", "the", "unfathomably", "long", "word", "is", "cut", "élan", "字"],
    ["Paris", ",", "1843", "—", "and", "so", "on", "."],
]


def tiny(options=OPTIONS, weights=None) -> BiLm:
    model = BiLm(ElmoOptions.model_validate(options))
    model.load(random_weights(options) if weights is None else weights)
    return model.eval()


def layers(model: BiLm, sentences, state=None):
    ids, lengths = characters(sentences, model.options.char_cnn.max_characters_per_token)
    with torch.inference_mode():
        values, after = model(ids, lengths, state)
    return [values[row, 1 : 1 + len(tokens)].numpy() for row, tokens in enumerate(sentences)], after


# ---- published vectors


@pytest.mark.skipif(
    FIXTURE is None, reason="CMAN_ELMO_FIXTURE names no folder with AllenNLP's ELMo fixture (test_fixtures/elmo)"
)
def test_the_vectors_of_allennlps_fixture_come_out_when_state_is_carried():
    folder = Path(str(FIXTURE))
    options = read_options(folder / "options.json")
    model = BiLm(options)
    model.load(read_weights(folder / "lm_weights.hdf5", options, folder / "options.json"))
    stream = [line.split() for line in json.loads((folder / "sentences.json").read_text())[0]]
    size = options.lstm.projection_dim
    with h5py.File(folder / "lm_embeddings_0.hdf5", "r") as file:
        expected = [file[str(index)][...] for index in range(len(stream))]
    assert len(stream) == 10
    state = None
    for index, (tokens, published) in enumerate(zip(stream, expected, strict=True)):
        (found,), state = layers(model, [tokens], state)
        top = found[:, -1].reshape(len(tokens), 2, size).transpose(1, 0, 2)
        np.testing.assert_allclose(top, published, rtol=0, atol=1e-5)
        (alone,), _ = layers(model, [tokens])
        apart = np.abs(alone[:, -1].reshape(len(tokens), 2, size).transpose(1, 0, 2) - published).max()
        assert apart < 1e-5 if index == 0 else apart > 0.1, "only the first sentence begins with an empty state"


# ---- an independent computation


def test_all_layers_are_those_of_plain_loops():
    for changes in (
        {}, {"activation": "tanh"}, {"use_skip_connections": False}, {"n_highway": 0}, {"n_layers": 1},
        {"n_layers": 3}, {"cell_clip": None, "proj_clip": None}, {"cell_clip": 3, "proj_clip": 3},
    ):  # fmt: skip
        options = changed(**changes)
        weights = random_weights(options, seed=len(str(changes)))
        found, _ = layers(tiny(options, weights), SENTENCES)
        for tokens, values in zip(SENTENCES, found, strict=True):
            expected = PlainElmo(options, weights).read(tokens)
            assert values.shape == expected.shape == (len(tokens), options["lstm"]["n_layers"] + 1, 8)
            np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5, err_msg=str(changes))


def test_clips_and_residuals_decide_something_in_these_sentences():
    """Otherwise the test above would not see them."""
    weights = random_weights()
    reference = PlainElmo(OPTIONS, weights).read(SENTENCES[0])
    for changes in ({"cell_clip": None}, {"proj_clip": None}, {"use_skip_connections": False}):
        assert np.abs(PlainElmo(changed(**changes), weights).read(SENTENCES[0]) - reference).max() > 0.01, changes


def test_carried_state_is_that_of_plain_loops():
    weights = random_weights()
    model, plain, state = tiny(weights=weights), PlainElmo(OPTIONS, weights), None
    for tokens in SENTENCES:
        (found,), state = layers(model, [tokens], state)
        np.testing.assert_allclose(found, plain.read(tokens), rtol=0, atol=1e-5)


def test_each_stream_of_a_batch_carries_a_state_of_its_own():
    model = tiny()
    _, first = layers(model, [SENTENCES[0], SENTENCES[2]])
    together, _ = layers(model, [SENTENCES[3], SENTENCES[1]], first)
    for row, (before, after) in enumerate(((SENTENCES[0], SENTENCES[3]), (SENTENCES[2], SENTENCES[1]))):
        _, state = layers(model, [before])
        (alone,), _ = layers(model, [after], state)
        np.testing.assert_allclose(together[row], alone, rtol=0, atol=1e-5)


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=CHARS + 3)
sentences = st.lists(st.lists(words, min_size=1, max_size=7), min_size=1, max_size=5)


@settings(max_examples=40)
@given(sentences)
def test_what_else_is_in_a_batch_changes_no_vector(batch):
    model = TINY
    together, _ = layers(model, batch)
    for tokens, found in zip(batch, together, strict=True):
        (alone,), _ = layers(model, [tokens])
        np.testing.assert_allclose(found, alone, rtol=0, atol=1e-5)


TINY = tiny()


def test_long_sentences_and_many_forms_go_in_steps_with_the_same_result(monkeypatch):
    sentence = [f"w{number}" for number in range(70)]
    model = tiny()
    (unsplit,), _ = layers(model, [sentence])
    monkeypatch.setattr(network, "STEPS", 7)
    monkeypatch.setattr(network, "FORMS_A_STEP", 9)
    (stepped,), _ = layers(model, [sentence])
    np.testing.assert_allclose(stepped, unsplit, rtol=0, atol=1e-6)
    np.testing.assert_allclose(unsplit, PlainElmo(OPTIONS, random_weights()).read(sentence), rtol=0, atol=1e-5)


# ---- characters


def test_a_word_is_its_bytes_between_marks_and_padding_each_one_higher():
    assert spell("é", 6) == [259, 0xC3 + 1, 0xA9 + 1, 260, 261, 261]
    assert spell("abcdef", 6) == [259, 98, 99, 100, 101, 260], "as many bytes as fit"


@given(words, st.integers(3, 60))
def test_every_word_has_the_same_number_of_characters_within_the_lookup(word, size):
    ids = spell(word, size)
    assert len(ids) == size and min(ids) >= 1 and max(ids) <= 261
    assert ids[0] == 259 and ids.count(260) == 1


def test_sentences_stand_between_marks_and_zeros_fill_the_shorter():
    ids, lengths = characters([["a"], ["a", "b"]], 4)
    assert lengths.tolist() == [3, 4]
    assert ids[0].tolist() == [[259, 257, 260, 261], [259, 98, 260, 261], [259, 258, 260, 261], [0, 0, 0, 0]]


# ---- files that do not belong together


def refused(folder: Path, options=OPTIONS, weights=None) -> str:
    options_path, weights_path = write_elmo(folder, options, weights)
    with pytest.raises(CmanError) as caught:
        read_weights(weights_path, read_options(options_path), options_path)
    return str(caught.value)


CELL = "RNN_0/RNN/MultiRNNCell/Cell{}/LSTMCell/"


def test_options_that_disagree_with_their_weights_are_named_by_file_and_field(tmp_path):
    for changes, field, stored, expected in (
        ({"dim": 6}, CELL.format(0) + "W_0", "(8, 20)", "(8, 24)"),
        ({"projection_dim": 8}, "CNN_proj/W_proj", "(9, 4)", "(9, 8)"),
        ({"n_layers": 3}, CELL.format(2) + "W_0", "nothing", "(8, 20)"),
        ({"n_layers": 1}, CELL.format(1) + "B", "(20,)", "nothing"),
        ({"n_highway": 1}, "CNN_high_1/W_carry", "(9, 9)", "nothing"),
        ({"n_highway": 3}, "CNN_high_2/W_carry", "nothing", "(9, 9)"),
        ({"embedding": {"dim": 16}}, "char_embed", "(261, 3)", "(261, 16)"),
        ({"filters": [[1, 4], [2, 3]]}, "CNN_proj/W_proj", "(9, 4)", "(7, 4)"),
        ({"filters": [[1, 4], [3, 3], [2, 2]]}, "CNN/W_cnn_1", "(1, 2, 3, 3)", "(1, 3, 3, 3)"),
    ):
        message = refused(tmp_path, changed(**changes), random_weights())
        assert message.startswith(f"{tmp_path / 'weights.hdf5'}: field {field}: found "), changes
        assert stored in message.partition("wanted")[0] and expected in message.partition("wanted")[2], changes
        assert str(tmp_path / "options.json") in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["options.json", "weights.hdf5"], "nothing is written"


def test_options_that_are_incomplete_out_of_range_or_something_else_are_named_by_field(tmp_path):
    for options, field in (
        (changed(projection_dim=None), "lstm.projection_dim"),
        (changed(dim=0), "lstm.dim"),
        (changed(cell_clip=-1), "lstm.cell_clip"),
        (changed(n_characters=261), "char_cnn.n_characters"),
        (changed(activation="gelu"), "char_cnn.activation"),
        (changed(filters=[]), "char_cnn.filters"),
        (changed(filters=[[1]]), "char_cnn.filters.0"),
        (changed(max_characters_per_token=2), "char_cnn.max_characters_per_token"),
        ({}, ""), ([], ""), ({"lstm": OPTIONS["lstm"]}, ""),
        ({**OPTIONS, "bidirectional": False}, "bidirectional: found False"),
    ):  # fmt: skip
        message = refused(tmp_path, options)
        assert message.startswith(f"{tmp_path / 'options.json'}: field {field}"), options
        assert "found" in message and "wanted" in message


def test_weights_that_are_missing_not_finite_or_cut_short_are_refused(tmp_path):
    weights = random_weights()
    weights["CNN_proj/b_proj"][1] = np.nan
    assert "field CNN_proj/b_proj: found a value that is not finite" in refused(tmp_path / "nan", weights=weights)
    options_path, weights_path = write_elmo(tmp_path / "cut")
    content = weights_path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"no HDF5", None):
        weights_path.unlink() if damaged is None else weights_path.write_bytes(damaged)
        with pytest.raises(CmanError, match=r"weights\.hdf5: cannot be read"):
            read_weights(weights_path, read_options(options_path), options_path)
