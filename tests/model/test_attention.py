"""Attention and gate against the printed equations, computed with loops in NumPy."""

import math

import numpy as np
import pytest
import torch
from small import small
from torch import Tensor, nn

from cman.config.settings import Attention
from cman.model.attention import BLA, BSA, LabelEncoder, MultiHeadAttention, token_mask
from cman.model.label_gate import LabelGate

LENGTHS = torch.tensor([4, 1, 3])
MASK = token_mask(LENGTHS, 5)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    return [power / sum(powers) for power in powers]


def layer_norm(row: np.ndarray, norm: nn.LayerNorm) -> np.ndarray:
    normalised = (row - row.mean()) / math.sqrt(row.var() + norm.eps)
    return normalised * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def by_equations(attention: MultiHeadAttention, query: Tensor, memory: Tensor, n: int, scale: float) -> np.ndarray:
    """Equations 4 to 7 for one sentence of n tokens."""
    weights = {name: value.detach().double().numpy() for name, value in attention.named_parameters()}
    q, k, v = (x.double().numpy() @ weights[f"{name}.weight"].T for name, x in
               (("query", query), ("key", memory), ("value", memory)))  # fmt: skip
    size = q.shape[1] // attention.heads
    rows = []
    for i in range(len(query)):
        heads = []
        for head in range(attention.heads):
            part = slice(head * size, (head + 1) * size)
            shares = softmax([float(q[i, part] @ k[j, part]) / scale for j in range(n)])
            heads.append(sum(share * v[j, part] for j, share in enumerate(shares)))
        residual = query[i].double().numpy()
        if "residual.weight" in weights:
            residual = weights["residual.weight"] @ residual
        rows.append(layer_norm(weights["out.weight"] @ np.concatenate(heads) + residual, attention.norm))
    return np.stack(rows)


@pytest.mark.parametrize("query_size", [8, 6], ids=["same-size", "other-size"])
@pytest.mark.parametrize("residual", ["auto", "always"])
@pytest.mark.parametrize(("scale", "root"), [("head", math.sqrt(2)), ("full", math.sqrt(8))])
def test_attention_is_equations_4_to_7(scale, root, residual, query_size):
    torch.manual_seed(0)
    attention = MultiHeadAttention(query_size, 8, Attention(heads=4, scale=scale, residual_proj=residual))
    nn.init.normal_(attention.norm.weight), nn.init.normal_(attention.norm.bias)
    query, memory = normal(3, 5, query_size), normal(3, 5, 8, seed=1)
    found = attention(query, memory, MASK)
    assert found.shape == (3, 5, 8)
    for row, n in enumerate(LENGTHS.tolist()):
        expected = by_equations(attention, query[row], memory[row], n, root)
        np.testing.assert_allclose(found[row, :n].detach().numpy(), expected[:n], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("residual", "query", "projected"), [("auto", 8, False), ("auto", 6, True),
                                                              ("always", 8, True)])  # fmt: skip
def test_the_query_is_projected_only_where_the_sizes_or_the_setting_ask_for_it(residual, query, projected):
    attention = MultiHeadAttention(query, 8, Attention(heads=2, residual_proj=residual))
    assert any(name.startswith("residual.") for name, _ in attention.named_parameters()) is projected


def test_attention_equals_torchs_with_the_same_weights():
    torch.manual_seed(0)
    attention = MultiHeadAttention(8, 8, Attention(heads=4))
    torchs = nn.MultiheadAttention(8, 4, bias=False, batch_first=True)
    with torch.no_grad():
        torchs.in_proj_weight.copy_(torch.cat([attention.query.weight, attention.key.weight, attention.value.weight]))
        torchs.out_proj.weight.copy_(attention.out.weight)
    query, memory = normal(3, 5, 8), normal(3, 5, 8, seed=1)
    attended, _ = torchs(query, memory, memory, key_padding_mask=~MASK)
    expected = attention.norm(attended + query)
    torch.testing.assert_close(attention(query, memory, MASK)[MASK], expected[MASK], rtol=0, atol=1e-5)


def test_masked_positions_of_the_memory_matter_neither_to_the_output_nor_to_gradients():
    attention = MultiHeadAttention(8, 8, Attention(heads=4))
    query, results = normal(3, 5, 8), []
    for garbage in (0.0, 1e4):
        memory = normal(3, 5, 8, seed=1)
        memory[~MASK] = garbage
        attention.zero_grad()
        output = attention(query, memory.requires_grad_(), MASK)
        output[MASK].square().sum().backward()
        assert not memory.grad[~MASK].any()
        results.append([output.detach()[MASK], attention.key.weight.grad.clone(), attention.value.weight.grad.clone()])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)


def test_heads_that_do_not_divide_the_size_are_refused():
    with pytest.raises(ValueError, match=r"attn\.heads: got 3, wanted a divisor of the model's size 8"):
        MultiHeadAttention(8, 8, Attention(heads=3))


@pytest.mark.parametrize(("kind", "width"), [("vector", 4), ("scalar", 1)])
def test_the_gate_is_equations_10_and_11(kind, width):
    torch.manual_seed(0)
    gate = LabelGate(4, kind)
    nn.init.normal_(gate.labels.bias)
    tokens, labels = normal(2, 3, 4), normal(2, 3, 4, seed=1)
    found = gate(tokens, labels)
    w_x, w_l, b = (x.detach().numpy() for x in (gate.tokens.weight, gate.labels.weight, gate.labels.bias))
    assert w_x.shape == w_l.shape == (width, 4) and b.shape == (width,)
    for row in range(2):
        for t in range(3):
            x, label = tokens[row, t].numpy(), labels[row, t].numpy()
            k = [1 / (1 + math.exp(-float(w_x[i] @ x + w_l[i] @ label + b[i]))) for i in range(width)]
            expected = [(k[i] if kind == "vector" else k[0]) * label[i] for i in range(4)]
            assert found[row, t].tolist() == pytest.approx(expected, abs=1e-6)


def test_a_closed_gate_lets_nothing_of_the_labels_through():
    gate = LabelGate(4, "vector")
    nn.init.constant_(gate.labels.bias, -1e4)
    assert not gate(normal(1, 2, 4), normal(1, 2, 4)).any()


def test_bsa_gives_the_models_width_and_is_a_bare_bilstm_without_self_attention():
    x, lengths = normal(3, 5, 6), LENGTHS
    with_attention, without = BSA(6, small()), BSA(6, small({"bsa.self_attention": False})).eval()
    assert with_attention(x, lengths, MASK).shape == without(x, lengths, MASK).shape == (3, 5, 16)
    assert without.attention is None
    assert torch.equal(without(x, lengths, MASK), without.recurrent(x, lengths))


def test_bla_gives_the_models_width_and_attends_to_gated_encoded_labels():
    settings = small()
    encoder, gate = LabelEncoder(settings), LabelGate(16, "vector")
    unit = BLA(16, encoder, gate, settings).eval()
    query, self_aware, labels = normal(3, 5, 16), normal(3, 5, 16, seed=1), normal(3, 5, 5, seed=2)
    found = unit(query, self_aware, labels, LENGTHS, MASK)
    assert found.shape == (3, 5, 16)
    gated = gate(self_aware, encoder(labels, LENGTHS))
    torch.testing.assert_close(found, unit.attention(query, gated, MASK))


def test_the_gate_may_be_opened_by_the_query_or_be_left_out():
    query, self_aware, labels = normal(3, 5, 16), normal(3, 5, 16, seed=1), normal(3, 5, 5, seed=2)
    settings = small({"gate.source": "query"})
    encoder, gate = LabelEncoder(settings), LabelGate(16, "scalar")
    by_query = BLA(16, encoder, gate, settings).eval()
    expected = by_query.attention(query, gate(query, encoder(labels, LENGTHS)), MASK)
    torch.testing.assert_close(by_query(query, self_aware, labels, LENGTHS, MASK), expected)
    bare = BLA(16, encoder, None, settings).eval()
    expected = bare.attention(query, encoder(labels, LENGTHS), MASK)
    torch.testing.assert_close(bare(query, self_aware, labels, LENGTHS, MASK), expected)


def test_label_encoders_drop_out_in_training_only():
    settings = small({"dropout.recurrent": 0.5})
    encoder, labels = LabelEncoder(settings), normal(3, 5, 5)
    assert (encoder(labels, LENGTHS) == 0).float().mean() > 0.3
    assert torch.equal(encoder.eval()(labels, LENGTHS), encoder(labels, LENGTHS))


def test_the_token_mask_is_true_at_tokens():
    assert token_mask(torch.tensor([2, 0]), 3).tolist() == [[True, True, False], [False, False, False]]
