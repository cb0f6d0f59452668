"""Every kernel beside its definition on random batches (`make fuzz`): values, gradients, transforms, and refusals."""

import inspect
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from crf_problem import Problem, problem
from implementations import need_compiled
from pair_problem import Pairs, pairs
from torch import Tensor
from transforms import ONE_BY_ONE, REFUSALS, TRANSFORMS

from cman import kernels
from cman.kernels import differentiable, reference

TOLERANCE = {torch.float32: {"rtol": 2e-5, "atol": 5e-5}, torch.float64: {"rtol": 1e-9, "atol": 1e-9}}
POTENTIALS = ("emissions", "transitions", "start", "end")
CRF = ("crf_log_partition", "crf_nll", "crf_marginals", "crf_decode")
PAIR = ("pair_scores", "pair_bce", "pair_select")
LSTM = ("x", "W", "U", "lstm_bias")
# What PyTorch cannot do with some batches: results of several sizes, and what is of no use in one of no pairs.
REFUSED = rf"{REFUSALS}|stack expects each tensor|appears to not have been used|does not require grad"
# What one argument is spoiled by.
SPOILED: dict[str, Callable[[Tensor], Tensor]] = {
    "another shape": lambda value: value.unsqueeze(0),
    "one row less": lambda value: value[:-1],
    "one column more": lambda value: torch.cat([value, value[..., :1]], -1),
    "another type": lambda value: value.to(torch.int32),
    "half precision": lambda value: value.to(torch.float16) if value.is_floating_point() else value,
    "out of range": lambda value: value + 1000,
    "below zero": lambda value: -1 - value,
    "NaN": lambda value: value * float("nan") if value.is_floating_point() else value,
    "infinity": lambda value: value * float("inf") if value.is_floating_point() else value,
    "sparse": lambda value: value.to_sparse(),
    "nothing": lambda value: value[:0],
    "turned": lambda value: value.transpose(0, -1),
}


class Batch:
    """Random arguments of every kernel, by name, in a random type and layout."""

    def __init__(self, chance: random.Random) -> None:
        self.dtype = chance.choice((torch.float32, torch.float64))
        lengths = [chance.randint(0, 7) for _ in range(chance.randint(0, 4))]
        how: dict[str, Any] = {"seed": chance.randrange(2**20), "extra": chance.randint(0, 2)}
        tags = chance.choice((1, 2, 3, 5, 9, 12, 17))
        self.crf: Problem = problem(tags, lengths, scale=chance.choice((0.1, 1.0, 30.0)), **how)
        self.pairs: Pairs = pairs(lengths, size=chance.randint(1, 9), labels=chance.randint(1, 4), **how)
        allowed = torch.rand(tags + 1, tags) < chance.choice((0.5, 0.9, 1.0)) if chance.random() < 0.5 else None
        self.arguments: dict[str, Tensor | None] = {
            **dict(zip(POTENTIALS, self.crf.to(self.dtype).potentials, strict=True)),
            **dict(zip(("a", "c", "V", "bias"), self.pairs.to(self.dtype).arguments[:4], strict=True)),
            **dict(zip(LSTM, self._lstm(chance, lengths, how["extra"]), strict=True)),
            "tags": self.crf.gold,
            "lengths": self.crf.lengths,
            "allowed": allowed,
            "gold": self.pairs.gold(chance.randint(0, 5), how["seed"]),
            "anchors": self.pairs.anchors(chance.random(), how["seed"]),
        }
        for name, value in self.arguments.items():
            if value is not None and chance.random() < 0.3:
                self.arguments[name] = _strided(value)
        self.nbest, self.threshold = chance.choice((1, 1, 2, 4)), chance.uniform(-1, 1)

    def _lstm(self, chance: random.Random, lengths: list[int], extra: int) -> list[Tensor]:
        size, units, scale = chance.randint(1, 5), chance.randint(1, 9), chance.choice((0.1, 1.0, 5.0))
        shape = (len(lengths), max(lengths, default=0) + extra, size)
        shapes = (shape, (4 * units, size), (4 * units, units), (4 * units,))
        return [scale * torch.randn(each, dtype=self.dtype) for each in shapes]

    def call(self, library: Any, name: str, **changed: Tensor | None) -> Any:
        given = {**self.arguments, **changed}
        function, lengths = getattr(library, name), given["lengths"]
        if name in CRF:
            tags = (given["tags"],) if name == "crf_nll" else ()
            more = {"nbest": self.nbest} if name == "crf_decode" else {}
            return function(*(given[each] for each in POTENTIALS), *tags, lengths, allowed=given["allowed"], **more)
        if name == "lstm":
            x, *weights = (given[each] for each in LSTM)
            return function(x, lengths, *weights, self.nbest > 1)
        first = tuple(given[each] for each in ("a", "c", "V", "bias"))
        if name == "pair_select":
            return function(*first, given["anchors"], lengths, self.threshold)
        return function(*first, *((given["gold"],) if name == "pair_bce" else ()), lengths)

    def scores(self, library: Any, name: str, **changed: Tensor) -> Tensor:
        """What is differentiable of a result; the definition of what is selected does not choose by a derivative."""
        if name == "pair_select" and library is reference:
            cells = self.call(library, name, **{key: value.detach() for key, value in changed.items()})[0]
            every: Tensor = self.call(library, "pair_scores", **changed)
            return every[cells.unbind(1)]
        result = self.call(library, name, **changed)
        scores: Tensor = result[1] if isinstance(result, tuple) else result
        return scores


def _strided(value: Tensor) -> Tensor:
    """The same values, but not one after another."""
    wide = torch.zeros(*value.shape, 2, dtype=value.dtype)
    wide[..., 0] = value
    return wide[..., 0]


def assert_same(found: Any, expected: Any, batch: Batch, what: str) -> None:
    pairs_of = zip(*(each if isinstance(each, tuple) else (each,) for each in (found, expected)), strict=True)
    for one, other in pairs_of:
        tolerance = TOLERANCE[batch.dtype] if one.is_floating_point() else {"rtol": 0.0, "atol": 0.0}
        scale = max(1.0, float(batch.crf.emissions.abs().max())) if batch.crf.emissions.numel() else 1.0
        torch.testing.assert_close(one, other.to(one.dtype), equal_nan=True, rtol=tolerance["rtol"],
                                   atol=tolerance["atol"] * scale, msg=lambda text: f"{what}: {text}")  # fmt: skip


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or the kind of its error."""
    try:
        return call()
    except (ValueError, TypeError, RuntimeError) as error:
        assert "\n" not in str(error) and len(str(error)) < 300, error
        return type(error)


def check_values(batch: Batch, name: str, number: int) -> None:
    what = f"case {number}, {name}"
    found, expected = (batch.call(library, name) for library in (kernels, reference))
    if name == "crf_decode":  # of two paths of nearly one score either may be the best
        assert_same(found[1], expected[1], batch, what)
        assert torch.equal(found[0] < 0, expected[0] < 0), what
    elif name == "pair_select":
        near = batch.call(reference, name)[1].sub(batch.threshold).abs()
        if len(found[1]) == len(expected[1]) or not (near < 1e-4).any():
            assert_same(found, expected, batch, what)
    else:
        assert_same(found, expected, batch, what)


def check_gradients(batch: Batch, name: str, number: int) -> None:
    inputs = POTENTIALS if name in CRF else ("a", "c", "V", "bias")
    results = []
    for library in (kernels, reference):
        values = {key: batch.arguments[key].detach().double().requires_grad_() for key in inputs}  # type: ignore[union-attr]
        scores = batch.scores(library, name, **values)
        weights = torch.linspace(0.5, 1.5, scores.numel(), dtype=scores.dtype).view_as(scores)
        total = (scores * weights)[scores.isfinite()].sum()
        leaves = list(values.values())
        grads = torch.autograd.grad(total, leaves, allow_unused=True) if total.requires_grad else [None] * len(leaves)
        results.append([torch.zeros_like(v) if g is None else g for g, v in zip(grads, leaves, strict=True)])
    for key, one, other in zip(inputs, *results, strict=True):
        scale = max(1.0, float(other.abs().max())) if other.numel() else 1.0
        torch.testing.assert_close(one / scale, other / scale, rtol=1e-7, atol=1e-7, equal_nan=True,
                                   msg=lambda text, key=key: f"case {number}, {name}, {key}: {text}")  # fmt: skip


def check_transform(batch: Batch, name: str, transform: str, number: int) -> None:
    first, second = ("emissions", "transitions") if name in CRF else ("x", "U") if name == "lstm" else ("a", "V")
    x, y = (batch.arguments[key].detach().double() for key in (first, second))  # type: ignore[union-attr]
    others = {key: value.double() for key, value in batch.arguments.items()
              if value is not None and value.is_floating_point()}  # fmt: skip
    batch.nbest = 1

    def function(library: Any) -> Callable[..., Tensor]:
        def call(x: Tensor, y: Tensor) -> Tensor:
            return batch.scores(library, name, **{**others, first: x, second: y})

        return call

    library = differentiable if name in CRF[:3] else reference
    if not function(library)(x, y).isfinite().all():
        batch.arguments["allowed"] = None  # infinity times 0 is not a derivative
    try:
        found = TRANSFORMS[transform](function(kernels), x, y)
    except RuntimeError as error:
        assert re.search(REFUSED, str(error)), (number, name, transform, error)
        return
    try:
        expected = ONE_BY_ONE.get(transform, TRANSFORMS[transform])(function(library), x, y)
    except RuntimeError as error:  # where there is nothing to derive, the definition may refuse
        assert re.search(REFUSED, str(error)) and not found.any(), (number, name, transform, error)
        return
    scale = max(1.0, float(expected.detach().abs().nan_to_num(0, 0, 0).max())) if expected.numel() else 1.0
    torch.testing.assert_close(found / scale, expected / scale, rtol=1e-5, atol=1e-7, equal_nan=True,
                               msg=lambda text: f"case {number}, {name}, {transform}: {text}")  # fmt: skip


def check_refusal(batch: Batch, name: str, number: int, chance: random.Random) -> None:
    """One spoiled argument: both refuse it, or both have the same result."""
    names = [each for each in batch.arguments if batch.arguments[each] is not None]
    spoiled, how = chance.choice(names), chance.choice(list(SPOILED))
    value = batch.arguments[spoiled]
    assert value is not None
    try:
        wrong = SPOILED[how](value)
    except (RuntimeError, IndexError):
        return
    if how == "sparse":  # which the definitions leave to PyTorch
        bias, wanted = ("lstm_bias" if name == "lstm" else "bias"), spoiled.removeprefix("lstm_")
        if wanted in inspect.signature(getattr(kernels, name)).parameters and (wanted != "bias" or spoiled == bias):
            with pytest.raises(ValueError, match=f"^{wanted}: got a sparse tensor, wanted a dense one$"):
                batch.call(kernels, name, **{spoiled: wrong})
        return
    found, expected = (outcome(lambda library=library: batch.call(library, name, **{spoiled: wrong}))
                       for library in (kernels, reference))  # fmt: skip
    what = f"case {number}, {name}, {spoiled}: {how}"
    if isinstance(found, type) or isinstance(expected, type):
        assert found is expected, f"{what}: {found}, not {expected}"
    elif how not in ("NaN", "infinity", "half precision", "out of range") and name not in ("crf_decode", "pair_select"):
        assert_same(found, expected, batch, what)


def test_kernels_are_their_definitions_on_random_batches_or_refuse(cases):
    need_compiled()
    wrong: dict[str, str] = {}

    def check(kind: str, function: Callable[..., None], *given: Any) -> None:
        try:
            function(*given)
        except Exception as error:
            wrong.setdefault(kind, f"{type(error).__name__}: {str(error)[:500]}")

    for number in range(cases):
        chance = random.Random(number)
        torch.manual_seed(number)
        batch = Batch(chance)
        for name in (*CRF, *PAIR, "lstm"):
            check(f"values of {name}", check_values, batch, name, number)
            check(f"refusals of {name}", check_refusal, batch, name, number, chance)
        name = chance.choice(("crf_log_partition", "crf_nll", *PAIR))
        check(f"gradients of {name}", check_gradients, batch, name, number)
        name, transform = chance.choice((*CRF, *PAIR, "lstm")), chance.choice(list(TRANSFORMS))
        check(f"{transform} of {name}", check_transform, batch, name, transform, number)
    assert not wrong, "\n".join(f"{kind}: {each}" for kind, each in wrong.items())
