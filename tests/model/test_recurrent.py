"""The recurrent units against PyTorch's own packed ones, and their indifference to padding."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from cman.config.settings import Recurrent as RecurrentSettings
from cman.model.recurrent import Recurrent, Reversal

KINDS = ("bilstm", "lstm", "bigru", "gru", "mlp")
every_kind = pytest.mark.parametrize("kind", KINDS)
LENGTHS = torch.tensor([5, 1, 3, 4])


def unit(kind: str, init: str = "tf", size: int = 6, hidden: int = 4) -> Recurrent:
    torch.manual_seed(1)
    made = Recurrent(size, hidden, RecurrentSettings(kind=kind, init=init))
    for parameter in made.parameters():  # biases of zero could hide that one is forgotten
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made


def inputs(longest: int = 7, size: int = 6) -> Tensor:
    return torch.randn(len(LENGTHS), longest, size, generator=torch.Generator().manual_seed(2))


@every_kind
def test_every_kind_gives_twice_the_hidden_size_for_each_token(kind):
    assert unit(kind)(inputs(), LENGTHS).shape == (4, 7, 8)


@every_kind
def test_a_padded_batch_gives_what_its_sentences_give_alone(kind):
    recurrent, x = unit(kind), inputs()
    together = recurrent(x, LENGTHS)
    for row, n in enumerate(LENGTHS.tolist()):
        alone = recurrent(x[row : row + 1, :n], LENGTHS[row : row + 1])
        torch.testing.assert_close(together[row, :n], alone[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("kind", "reference"), [("bilstm", nn.LSTM), ("bigru", nn.GRU)])
def test_a_bidirectional_unit_equals_torchs_over_packed_sentences(kind, reference):
    recurrent, x = unit(kind, init="torch"), inputs()
    torchs = reference(6, 4, bidirectional=True, batch_first=True)
    for name, value in recurrent.forwards.named_parameters():
        getattr(torchs, name).data.copy_(value.data)
    for name, value in recurrent.backwards.named_parameters():
        getattr(torchs, f"{name}_reverse").data.copy_(value.data)
    packed, _ = torchs(pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first=True, total_length=7)
    inside = torch.arange(7) < LENGTHS.unsqueeze(1)
    torch.testing.assert_close(recurrent(x, LENGTHS)[inside], expected[inside], rtol=0, atol=1e-6)


@every_kind
def test_padding_content_reaches_neither_tokens_nor_weight_gradients(kind):
    inside = torch.arange(7) < LENGTHS.unsqueeze(1)
    results = []
    for garbage in (0.0, 1e4):
        recurrent, x = unit(kind), inputs()
        x[~inside] = garbage
        output = recurrent(x.requires_grad_(), LENGTHS)
        output[inside].square().sum().backward()
        assert not x.grad[~inside].any()
        gradients = [value.grad for value in recurrent.parameters() if value.grad is not None]
        results.append([output.detach()[inside], *gradients])
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_a_unidirectional_unit_never_looks_ahead(kind):
    recurrent, x = unit(kind), inputs()
    changed = x.clone()
    changed[0, 3] += 1
    before, after = recurrent(x, LENGTHS), recurrent(changed, LENGTHS)
    assert torch.equal(before[0, :3], after[0, :3])
    assert not torch.allclose(before[0, 3:5], after[0, 3:5])


@pytest.mark.parametrize("kind", ["bilstm", "bigru"])
def test_a_bidirectional_unit_looks_ahead_and_back(kind):
    recurrent, x = unit(kind), inputs()
    changed = x.clone()
    changed[0, 2] += 1
    before, after = recurrent(x, LENGTHS), recurrent(changed, LENGTHS)
    assert torch.equal(before[0, :2, :4], after[0, :2, :4]) and torch.equal(before[0, 3:5, 4:], after[0, 3:5, 4:])
    assert not torch.allclose(before[0, :2, 4:], after[0, :2, 4:])
    assert not torch.allclose(before[0, 3:5, :4], after[0, 3:5, :4])


def test_the_mlp_reads_each_token_alone():
    recurrent, x = unit("mlp"), inputs()
    torch.testing.assert_close(recurrent(x, LENGTHS)[2, 1], recurrent(x[2:3, 1:2], torch.tensor([1]))[0, 0])


@pytest.mark.parametrize("kind", ["bilstm", "lstm"])
def test_tf_initialisation_has_one_bias_with_a_forget_bias_of_one(kind):
    recurrent = Recurrent(6, 4, RecurrentSettings(kind=kind, init="tf"))
    for direction in filter(None, (recurrent.forwards, recurrent.backwards)):
        hidden = direction.hidden_size
        expected = torch.zeros(4 * hidden)
        expected[hidden : 2 * hidden] = 1  # PyTorch's order of gates: input, forget, cell, output
        assert torch.equal(direction.bias_ih_l0, expected) and direction.bias_ih_l0.requires_grad
        assert not direction.bias_hh_l0.any() and not direction.bias_hh_l0.requires_grad
        bound = (6 / (6 + hidden + 4 * hidden)) ** 0.5
        for weight in (direction.weight_ih_l0, direction.weight_hh_l0):
            assert weight.requires_grad and 0.8 * bound < weight.abs().max() <= bound


def test_the_fixed_bias_stays_zero_while_the_unit_learns():
    recurrent = Recurrent(6, 4, RecurrentSettings())
    optimiser = torch.optim.Adam([value for value in recurrent.parameters() if value.requires_grad], lr=0.1)
    recurrent(inputs(), LENGTHS).square().sum().backward()
    optimiser.step()
    assert not recurrent.forwards.bias_hh_l0.any()
    assert not torch.allclose(recurrent.forwards.bias_ih_l0[:4], torch.zeros(4))


def test_torch_initialisation_leaves_torchs_own_two_trained_biases():
    recurrent = Recurrent(6, 4, RecurrentSettings(init="torch"))
    assert all(value.requires_grad for value in recurrent.parameters())
    assert recurrent.forwards.bias_hh_l0.any()


def test_reversal_turns_each_sentence_around_within_its_length_and_is_its_own_inverse():
    x = torch.arange(4).view(4, 1).repeat(1, 2).unsqueeze(2).float()  # (L, B, 1)
    reverse = Reversal(torch.tensor([3, 1]), 4)
    assert reverse(x)[:, :, 0].t().tolist() == [[2, 1, 0, 3], [0, 1, 2, 3]]
    assert torch.equal(reverse(reverse(x)), x)
