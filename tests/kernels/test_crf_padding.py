"""CRF operations on batches as they come: padding, lengths, strides, single tags and tokens, extreme scores."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cman.kernels import crf_decode, crf_log_partition, crf_marginals, crf_nll, crf_span_marginals

INFINITY = float("inf")
FORMS = pytest.mark.parametrize("per_position", [False, True], ids=["shared", "per-position"])
problems = st.fixed_dictionaries(
    {
        "tags": st.integers(1, 4),
        "lengths": st.lists(st.integers(1, 5), min_size=1, max_size=3),
        "per_position": st.booleans(),
        "seed": st.integers(0, 2**20),
    }
)


class Problem:
    """Random float64 potentials of a batch, padded by up to two positions past its longest sentence."""

    def __init__(self, tags: int, lengths: list[int], per_position: bool, seed: int = 0, extra: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        batch, length = len(lengths), max(lengths) + extra
        self.tags = tags
        self.emissions = normal(batch, length, tags)
        self.transitions = normal(batch, length, tags, tags) if per_position else normal(tags, tags)
        self.start, self.end = normal(tags), normal(tags)
        self.lengths = torch.tensor(lengths)
        self.gold = torch.randint(0, tags, (batch, length), generator=generator)

    @property
    def potentials(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.emissions, self.transitions, self.start, self.end

    @property
    def arguments(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        return *self.potentials, self.lengths

    def requiring_grad(self) -> list[Tensor]:
        return [value.clone().requires_grad_() for value in self.potentials]

    def score(self, sentence: int, path: tuple[int, ...]) -> float:
        total = self.start[path[0]] + self.end[path[-1]] + self.emissions[sentence, 0, path[0]]
        for t in range(1, len(path)):
            moves = self.transitions if self.transitions.dim() == 2 else self.transitions[sentence, t]
            total = total + moves[path[t - 1], path[t]] + self.emissions[sentence, t, path[t]]
        return float(total)

    def paths(self, sentence: int, allowed: Tensor | None = None) -> dict[tuple[int, ...], float]:
        every = itertools.product(range(self.tags), repeat=int(self.lengths[sentence]))
        return {path: self.score(sentence, path) for path in every if allowed is None or permitted(path, allowed)}

    def log_partition(self, sentence: int, allowed: Tensor | None = None) -> float:
        scores = list(self.paths(sentence, allowed).values())
        return float(torch.logsumexp(torch.tensor(scores, dtype=torch.float64), 0)) if scores else -INFINITY

    def probabilities(self, sentence: int) -> dict[tuple[int, ...], float]:
        total = self.log_partition(sentence)
        return {path: math.exp(score - total) for path, score in self.paths(sentence).items()}

    def only(self, sentence: int) -> tuple[Tensor, ...]:
        """The arguments of one sentence alone, without padding."""
        n = int(self.lengths[sentence])
        pick = slice(sentence, sentence + 1)
        moves = self.transitions if self.transitions.dim() == 2 else self.transitions[pick, :n]
        return self.emissions[pick, :n], moves, self.start, self.end, self.lengths[pick]


def permitted(path: tuple[int, ...], allowed: Tensor) -> bool:
    steps = zip((len(allowed) - 1, *path), path, strict=False)
    return all(bool(allowed[before, after]) for before, after in steps)


@settings(deadline=None, max_examples=25)
@given(problems)
def test_marginals_sum_to_one_at_tokens_and_to_zero_in_the_padding(problem):
    case = Problem(**problem, extra=1)
    sums = crf_marginals(*case.arguments).sum(2)
    inside = torch.arange(sums.shape[1]) < case.lengths.unsqueeze(1)
    torch.testing.assert_close(sums, inside.double())


def test_a_constant_added_to_a_token_shifts_the_log_partition_by_exactly_that():
    case = Problem(3, [4], False)
    shifted = case.emissions + torch.tensor([1.0, -2.0, 0.5, 7.0])[None, :, None]
    before, after = (crf_log_partition(each, *case.arguments[1:]) for each in (case.emissions, shifted))
    assert float(after - before) == pytest.approx(6.5)


def test_no_random_path_scores_higher_than_the_decoded_one():
    case = Problem(9, [40], False)
    _, best = crf_decode(*case.arguments)
    for _ in range(300):
        path = tuple(torch.randint(0, 9, (40,)).tolist())
        assert case.score(0, path) <= float(best) + 1e-9


@FORMS
def test_a_batch_gives_what_its_sentences_give_alone(per_position):
    case = Problem(4, [5, 1, 3], per_position, extra=2)
    together = crf_log_partition(*case.arguments)
    marginals, (tags, scores) = crf_marginals(*case.arguments), crf_decode(*case.arguments)
    nll = crf_nll(*case.potentials, case.gold, case.lengths)
    for sentence, length in enumerate(case.lengths.tolist()):
        alone = case.only(sentence)
        torch.testing.assert_close(crf_log_partition(*alone)[0], together[sentence])
        torch.testing.assert_close(crf_marginals(*alone)[0], marginals[sentence, :length])
        own_tags, own_score = crf_decode(*alone)
        assert own_tags[0].tolist() == tags[sentence, :length].tolist()
        torch.testing.assert_close(own_score[0], scores[sentence])
        gold = case.gold[sentence : sentence + 1, :length]
        torch.testing.assert_close(crf_nll(*alone[:4], gold, alone[4])[0], nll[sentence])


@pytest.mark.parametrize("garbage", [math.nan, INFINITY, -INFINITY, 1e30], ids=str)
@FORMS
def test_what_stands_in_the_padding_never_matters(garbage, per_position):
    clean = Problem(3, [4, 1, 2], per_position, extra=2)
    dirty = Problem(3, [4, 1, 2], per_position, extra=2)
    outside = torch.arange(dirty.emissions.shape[1]) >= dirty.lengths.unsqueeze(1)
    dirty.emissions[outside] = garbage
    dirty.gold[outside] = -100
    if per_position:
        dirty.transitions[outside] = garbage
        dirty.transitions[:, 0] = garbage  # documented as not read
    results = []
    for case in (clean, dirty):
        potentials = case.requiring_grad()
        nll = crf_nll(*potentials, case.gold, case.lengths)
        nll.sum().backward()
        tags, scores = crf_decode(*case.arguments)
        spans, onward = torch.tensor([[0, 1, 3], [2, 0, 2], [1, 0, 1]]), torch.tensor([2, 1, 0])
        confidences = crf_span_marginals(*case.arguments, spans, clean.gold, onward)
        gradients = [value.grad for value in potentials]
        results.append([nll.detach(), tags, scores, crf_marginals(*case.arguments), confidences, *gradients])
    for expected, found in zip(*results, strict=True):
        assert torch.equal(expected, found)


def test_tags_past_the_length_are_minus_one():
    case = Problem(3, [3, 1], False, extra=1)
    tags, _ = crf_decode(*case.arguments)
    assert (tags[0, 3:] == -1).all() and (tags[1, 1:] == -1).all()
    assert (tags[0, :3] >= 0).all() and tags[1, 0] >= 0


@FORMS
def test_strided_potentials_give_the_same_as_contiguous_ones(per_position):
    case = Problem(3, [4, 2], per_position)
    strided = case.emissions.transpose(0, 1).contiguous().transpose(0, 1)
    assert not strided.is_contiguous()
    expected = crf_log_partition(*case.arguments)
    assert torch.equal(crf_log_partition(strided, *case.arguments[1:]), expected)
    expanded = case.transitions[:1, :1].expand(2, 4, 3, 3) if per_position else case.transitions
    copied = expanded.contiguous()
    rest = (case.start, case.end, case.lengths)
    assert torch.equal(crf_marginals(case.emissions, expanded, *rest), crf_marginals(case.emissions, copied, *rest))


def test_an_empty_batch_gives_empty_results():
    case = Problem(3, [2], False)
    none = (torch.zeros(0, 2, 3).double(), *case.arguments[1:4], torch.zeros(0, dtype=torch.int64))
    assert crf_log_partition(*none).shape == (0,)
    assert crf_marginals(*none).shape == (0, 2, 3)
    assert crf_decode(*none)[0].shape == (0, 2)


@FORMS
def test_a_single_tag_has_one_path_of_probability_one(per_position):
    case = Problem(1, [3, 1], per_position)
    potentials = case.requiring_grad()
    nll = crf_nll(*potentials, case.gold, case.lengths)
    nll.sum().backward()
    assert nll.tolist() == pytest.approx([0, 0], abs=1e-12)
    assert all(torch.allclose(value.grad, torch.zeros_like(value)) for value in potentials)
    assert crf_decode(*case.arguments)[0].tolist() == [[0, 0, 0], [0, -1, -1]]


@FORMS
def test_a_single_token_uses_start_emission_and_end_alone(per_position):
    case = Problem(4, [1], per_position)
    unary = case.start + case.emissions[0, 0] + case.end
    assert float(crf_log_partition(*case.arguments)) == pytest.approx(float(unary.logsumexp(0)))
    torch.testing.assert_close(crf_marginals(*case.arguments)[0, 0], unary.softmax(0))
    assert int(crf_decode(*case.arguments)[0]) == int(unary.argmax())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_huge_emissions_over_a_long_sentence_stay_finite(dtype):
    torch.manual_seed(0)
    emissions = (torch.randn(1, 2000, 5, dtype=dtype).sign() * 1e4).requires_grad_()
    transitions = torch.randn(5, 5, dtype=dtype, requires_grad=True)
    zeros, lengths = torch.zeros(5, dtype=dtype), torch.tensor([2000])
    total = crf_log_partition(emissions, transitions, zeros, zeros, lengths)
    total.backward()
    assert torch.isfinite(total).all() and torch.isfinite(transitions.grad).all()
    assert torch.isfinite(emissions.grad).all()
    tags, score = crf_decode(emissions, transitions, zeros, zeros, lengths)
    assert torch.isfinite(score).all() and (tags >= 0).all()
    chosen = emissions.detach().gather(2, tags.unsqueeze(2)).squeeze(2)
    assert torch.equal(chosen, emissions.detach().amax(2)), "transitions of size 1 cannot outweigh emissions of 10,000"


@pytest.mark.parametrize(("length", "scale"), [(500, 10.0), (2000, 1.0), (2000, 1e4)])
def test_single_precision_marginals_of_a_long_sentence_are_those_of_double_precision(length, scale):
    torch.manual_seed(0)
    emissions, transitions = torch.randn(1, length, 9) * scale, torch.randn(9, 9)
    zeros, lengths = torch.zeros(9), torch.tensor([length])
    exact = crf_marginals(*(value.double() for value in (emissions, transitions, zeros, zeros)), lengths)
    emissions.requires_grad_()
    crf_log_partition(emissions, transitions, zeros, zeros, lengths).sum().backward()
    torch.testing.assert_close(emissions.grad, exact.float(), rtol=0, atol=1e-3)
