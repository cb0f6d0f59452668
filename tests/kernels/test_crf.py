"""The linear-chain CRF against enumeration of all paths, and at its edges: padding, constraints, extremes."""

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
def test_the_log_partition_sums_over_all_paths(problem):
    case = Problem(**problem)
    expected = [case.log_partition(sentence) for sentence in range(len(case.lengths))]
    assert crf_log_partition(*case.arguments).tolist() == pytest.approx(expected, rel=1e-10, abs=1e-10)


@settings(deadline=None, max_examples=25)
@given(problems)
def test_the_decoded_path_has_the_best_score_of_all_paths_and_this_score_is_returned(problem):
    case = Problem(**problem)
    tags, scores = crf_decode(*case.arguments)
    for sentence, length in enumerate(case.lengths.tolist()):
        path = tuple(tags[sentence, :length].tolist())
        best = max(case.paths(sentence).values())
        assert case.score(sentence, path) == pytest.approx(best, abs=1e-10)
        assert float(scores[sentence]) == pytest.approx(best, abs=1e-10)


@settings(deadline=None, max_examples=25)
@given(problems)
def test_marginals_are_the_probability_mass_of_the_paths_through_a_tag(problem):
    case = Problem(**problem)
    marginals = crf_marginals(*case.arguments)
    expected = torch.zeros_like(marginals)
    for sentence in range(len(case.lengths)):
        for path, probability in case.probabilities(sentence).items():
            for t, tag in enumerate(path):
                expected[sentence, t, tag] += probability
    torch.testing.assert_close(marginals, expected, rtol=1e-9, atol=1e-10)


@settings(deadline=None, max_examples=25)
@given(problems)
def test_the_nll_is_minus_the_log_probability_of_the_gold_path(problem):
    case = Problem(**problem)
    nll = crf_nll(*case.potentials, case.gold, case.lengths)
    for sentence, length in enumerate(case.lengths.tolist()):
        path = tuple(case.gold[sentence, :length].tolist())
        assert float(nll[sentence]) == pytest.approx(-math.log(case.probabilities(sentence)[path]), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(problems, st.data())
def test_a_span_marginal_is_the_mass_of_the_paths_with_its_tags_and_without_the_next_one(problem, data):
    case = Problem(**problem)
    spans, following, expected = [], [], []
    for sentence, length in enumerate(case.lengths.tolist()):
        first = data.draw(st.integers(0, length - 1))
        after = data.draw(st.integers(first + 1, length))
        onward = data.draw(st.integers(-1, case.tags - 1))  # -1: nothing continues the stretch
        wanted = tuple(case.gold[sentence, first:after].tolist())
        spans.append([sentence, first, after])
        following.append(onward)
        expected.append(
            sum(
                probability
                for path, probability in case.probabilities(sentence).items()
                if path[first:after] == wanted and not (after < length and path[after] == onward)
            )
        )
    given_spans, next_tag = torch.tensor(spans), torch.tensor(following)
    result = crf_span_marginals(*case.arguments, given_spans, case.gold, next_tag)
    assert result.tolist() == pytest.approx(expected, abs=1e-10)


def test_span_marginals_of_no_span_are_empty():
    case = Problem(3, [2], False)
    nothing = torch.zeros(0, dtype=torch.int64)
    assert crf_span_marginals(*case.arguments, nothing.view(0, 3), case.gold, nothing).shape == (0,)


def test_ties_go_to_the_lowest_tag_everywhere_in_the_path():
    tags, scores = crf_decode(
        torch.zeros(1, 4, 3), torch.zeros(3, 3), torch.zeros(3), torch.zeros(3), torch.tensor([4])
    )
    assert tags.tolist() == [[0, 0, 0, 0]]
    assert scores.tolist() == [0.0]


@FORMS
def test_the_gradient_of_the_log_partition_is_right_for_every_potential(per_position):
    case = Problem(3, [4, 1, 2], per_position, extra=1)
    assert torch.autograd.gradcheck(lambda *given: crf_log_partition(*given, case.lengths), case.requiring_grad())


@FORMS
def test_the_gradient_of_the_nll_is_right_for_every_potential(per_position):
    case = Problem(3, [4, 1, 2], per_position, extra=1)
    assert torch.autograd.gradcheck(lambda *given: crf_nll(*given, case.gold, case.lengths), case.requiring_grad())


@settings(deadline=None, max_examples=25)
@given(problems)
def test_the_gradient_of_the_log_partition_at_the_emissions_is_the_marginals(problem):
    case = Problem(**problem)
    potentials = case.requiring_grad()
    crf_log_partition(*potentials, case.lengths).sum().backward()
    torch.testing.assert_close(potentials[0].grad, crf_marginals(*case.arguments))


@FORMS
def test_the_gradient_at_the_transitions_sums_to_the_number_of_steps(per_position):
    case = Problem(4, [5, 3, 1], per_position)
    potentials = case.requiring_grad()
    crf_log_partition(*potentials, case.lengths).sum().backward()
    assert float(potentials[1].grad.sum()) == pytest.approx(9 - 3)
    if per_position:
        assert not potentials[1].grad[:, 0].any(), "no transition leads to the first token"


def test_the_gradient_is_weighted_by_what_comes_from_above():
    case = Problem(3, [3, 2], False)
    potentials = case.requiring_grad()
    (crf_log_partition(*potentials, case.lengths) * torch.tensor([2.0, 0.0])).sum().backward()
    expected = crf_marginals(*case.arguments) * torch.tensor([2.0, 0.0])[:, None, None]
    torch.testing.assert_close(potentials[0].grad, expected)
