"""Forbidden transitions of the CRF, and what it refuses."""

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


def bio_allowed() -> Tensor:
    """O, B-x, I-x, B-y: I-x may only follow B-x and I-x."""
    allowed = torch.ones(5, 4, dtype=torch.bool)
    allowed[:, 2] = torch.tensor([False, True, True, False, False])
    return allowed


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=3), st.booleans(), st.integers(0, 2**20))
def test_constrained_decoding_finds_the_best_of_the_allowed_paths(lengths, per_position, seed):
    case, allowed = Problem(4, lengths, per_position, seed), bio_allowed()
    tags, scores = crf_decode(*case.arguments, allowed=allowed)
    partition = crf_log_partition(*case.arguments, allowed=allowed)
    for sentence, length in enumerate(lengths):
        path = tuple(tags[sentence, :length].tolist())
        assert permitted(path, allowed)
        assert float(scores[sentence]) == pytest.approx(max(case.paths(sentence, allowed).values()), abs=1e-10)
        assert case.score(sentence, path) == pytest.approx(float(scores[sentence]), abs=1e-10)
        assert float(partition[sentence]) == pytest.approx(case.log_partition(sentence, allowed), abs=1e-9)


@FORMS
def test_constraints_are_obeyed_however_much_the_emissions_speak_against_them(per_position):
    case, allowed = Problem(4, [5, 1], per_position), bio_allowed()
    case.emissions[:, :, 2] = 1e6
    tags, _ = crf_decode(*case.arguments, allowed=allowed)
    assert tags.tolist() == [[1, 2, 2, 2, 2], [tags[1, 0].item(), -1, -1, -1, -1]]
    assert tags[1, 0] != 2


@FORMS
def test_forbidden_transitions_give_zero_gradients_and_no_nan(per_position):
    case, allowed = Problem(4, [4, 2], per_position), bio_allowed()
    potentials = case.requiring_grad()
    crf_log_partition(*potentials, case.lengths, allowed=allowed).sum().backward()
    assert all(torch.isfinite(value.grad).all() for value in potentials)
    forbidden = potentials[1].grad[..., ~allowed[:-1]]
    assert not forbidden.any() and not potentials[2].grad[2].any()


@FORMS
def test_transitions_of_minus_infinity_forbid_without_nan(per_position):
    case, allowed = Problem(4, [4, 2], per_position), bio_allowed()
    case.transitions[..., ~allowed[:-1]] = -INFINITY
    case.start[2] = -INFINITY
    potentials = case.requiring_grad()
    gold = torch.tensor([[1, 2, 0, 3], [0, 1, 0, 0]])
    nll = crf_nll(*potentials, gold, case.lengths)
    nll.sum().backward()
    expected = [case.log_partition(row, allowed) for row in range(2)]
    assert crf_log_partition(*case.arguments).tolist() == pytest.approx(expected)
    assert torch.isfinite(nll).all() and all(torch.isfinite(value.grad).all() for value in potentials)
    marginals = crf_marginals(*case.arguments)
    torch.testing.assert_close(marginals[0].sum(1), torch.ones(4).double())


def test_the_gradient_under_constraints_is_right_for_what_is_allowed():
    case, allowed = Problem(4, [3, 2], False), bio_allowed()

    def partition(*given: Tensor) -> Tensor:
        return crf_log_partition(*given, case.lengths, allowed=allowed)

    assert torch.autograd.gradcheck(partition, case.requiring_grad())


@FORMS
def test_a_sentence_without_any_allowed_path_has_minus_infinity_and_a_zero_gradient(per_position):
    case = Problem(2, [3, 1], per_position)
    allowed = torch.tensor([[False, False], [False, False], [True, True]])  # one token is fine, two are impossible
    potentials = case.requiring_grad()
    total = crf_log_partition(*potentials, case.lengths, allowed=allowed)
    assert total[0] == -INFINITY and torch.isfinite(total[1])
    total.sum().backward()
    assert all(torch.isfinite(value.grad).all() for value in potentials)
    assert not potentials[0].grad[0].any()
    assert float(potentials[0].grad[1, 0].sum()) == pytest.approx(1)


def test_marginals_of_a_sentence_without_any_path_hold_no_nan():
    case = Problem(2, [3], False)
    case.transitions[:] = -INFINITY
    assert torch.isfinite(crf_marginals(*case.arguments)).all()


OPERATIONS = {
    "decode": lambda case: crf_decode(*case.arguments),
    "log_partition": lambda case: crf_log_partition(*case.arguments),
    "marginals": lambda case: crf_marginals(*case.arguments),
    "nll": lambda case: crf_nll(*case.potentials, case.gold, case.lengths),
    "span_marginals": lambda case: crf_span_marginals(
        *case.arguments, torch.tensor([[0, 0, 2]]), case.gold, torch.tensor([1])
    ),
}
WRONG = {
    "emissions": torch.zeros(4, 3).double(),
    "transitions": torch.zeros(2, 2).double(),
    "start": torch.zeros(2).double(),
    "end": torch.zeros(3, 1).double(),
    "lengths": torch.tensor([1]),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_wrong_shape_is_refused_by_the_name_of_the_argument(operation, name):
    case = Problem(3, [4, 2], False)
    setattr(case, name, WRONG[name])
    with pytest.raises(ValueError, match=f"^{name}: "):
        OPERATIONS[operation](case)


@pytest.mark.parametrize("lengths", [[0, 2], [5, 2], [-1, 2]], ids=str)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_length_outside_of_one_to_the_padded_length_is_refused(operation, lengths):
    case = Problem(3, [4, 2], False)
    case.lengths = torch.tensor(lengths)
    with pytest.raises(ValueError, match=r"^lengths: .* wanted 1 to 4"):
        OPERATIONS[operation](case)


@pytest.mark.parametrize("shape", [(1, 4), (4,), (2, 5)], ids=str)
def test_gold_tags_of_another_shape_are_refused_and_not_broadcast(shape):
    case = Problem(3, [4, 2], False)
    with pytest.raises(ValueError, match=r"^tags: "):
        crf_nll(*case.potentials, torch.zeros(shape, dtype=torch.int64), case.lengths)


@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (4, 1)], ids=str)
def test_constraints_of_another_shape_are_refused_and_not_broadcast(shape):
    case = Problem(3, [4, 2], False)
    for operation in (crf_decode, crf_log_partition):
        with pytest.raises(ValueError, match=r"^allowed: "):
            operation(*case.arguments, allowed=torch.ones(shape, dtype=torch.bool))
