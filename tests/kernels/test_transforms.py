"""Every operation under every transform of PyTorch: the right derivative or a refusal, never a silent 0."""

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from crf_problem import bio_allowed, problem
from implementations import need_compiled
from pair_problem import pairs
from torch import Tensor
from torch.func import jvp
from transforms import ONE_BY_ONE, REFUSALS, TRANSFORMS, Function

from cman import kernels
from cman.kernels import differentiable, reference

CRF = problem(4, [5, 1, 0, 3], extra=1)
CRF.gold = torch.tensor([[1, 2, 2, 0, 3, 0], [0] * 6, [0] * 6, [1, 2, 0, 0, 0, 0]])
PAIRS = pairs([4, 1, 0, 3], labels=3, extra=1)
ANCHORS = torch.tensor([[0, 0], [0, 2], [0, 3], [3, 1]])
GOLD = torch.tensor([[0, 1, 2, 0], [3, 0, 2, 1]])
OPTIONS = {"allowed": bio_allowed()}


def crf_of(name: str, *more: Tensor, **options: Any) -> Callable[[Any, Tensor, Tensor], Tensor]:
    def call(library: Any, emissions: Tensor, transitions: Tensor) -> Tensor:
        result = getattr(library, name)(emissions, transitions, CRF.start.double(), CRF.end.double(), *more,
                                        CRF.lengths, **options)  # fmt: skip
        return result[1] if isinstance(result, tuple) else result

    return call


def pair_of(
    name: str, *before: Any, after: tuple[Any, ...] = (), **options: Any
) -> Callable[[Any, Tensor, Tensor], Tensor]:
    def call(library: Any, a: Tensor, V: Tensor) -> Tensor:
        c, bias = PAIRS.arguments[1].double(), PAIRS.arguments[3].double()
        result = getattr(library, name)(a, c, V, bias, *before, PAIRS.lengths, *after, **options)
        return result[1] if isinstance(result, tuple) else result

    return call


CRF_INPUTS = CRF.emissions.double(), CRF.transitions.double()
PAIR_INPUTS = PAIRS.arguments[0].double(), PAIRS.arguments[2].double()
OPERATIONS: dict[str, tuple[Callable[[Any, Tensor, Tensor], Tensor], tuple[Tensor, Tensor]]] = {
    "crf_log_partition": (crf_of("crf_log_partition"), CRF_INPUTS),
    "crf_log_partition constrained": (crf_of("crf_log_partition", **OPTIONS), CRF_INPUTS),
    "crf_nll": (crf_of("crf_nll", CRF.gold), CRF_INPUTS),
    "crf_nll constrained": (crf_of("crf_nll", CRF.gold, **OPTIONS), CRF_INPUTS),
    "crf_marginals": (crf_of("crf_marginals"), CRF_INPUTS),
    "crf_marginals constrained": (crf_of("crf_marginals", **OPTIONS), CRF_INPUTS),
    "crf_decode": (crf_of("crf_decode"), CRF_INPUTS),
    "crf_decode constrained": (crf_of("crf_decode", **OPTIONS), CRF_INPUTS),
    "pair_scores": (pair_of("pair_scores"), PAIR_INPUTS),
    "pair_bce": (pair_of("pair_bce", GOLD, pos_weight=2.0), PAIR_INPUTS),
    "pair_select": (pair_of("pair_select", ANCHORS, after=(0.0,)), PAIR_INPUTS),
}


def defined(name: str) -> Function:
    """The definition by operations of PyTorch alone, whose derivatives are PyTorch's."""
    operation, _ = OPERATIONS[name]
    if name == "pair_select":
        a, c, V, bias, lengths = (each.double() if each.is_floating_point() else each for each in PAIRS.arguments)
        cells, _ = reference.pair_select(a, c, V, bias, ANCHORS, lengths, 0.0)
        return lambda a, V: reference.pair_scores(a, c, V, bias, lengths)[cells.unbind(1)]
    library = differentiable if name.startswith(("crf_l", "crf_n", "crf_m")) else reference
    return lambda *given: operation(library, *given)


def test_the_differentiable_definitions_are_those_of_the_reference():
    for name, (operation, inputs) in OPERATIONS.items():
        if name.startswith(("crf_l", "crf_n", "crf_m")):
            torch.testing.assert_close(operation(differentiable, *inputs), operation(reference, *inputs))


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("library", ["cman", "ops"])
def test_a_transform_of_an_operation_is_right_or_raises(transform, library):
    if library == "ops":
        need_compiled()
    right = []
    for name, (operation, inputs) in OPERATIONS.items():
        used = kernels if library == "cman" else torch.ops.cman
        try:
            found = TRANSFORMS[transform](lambda *given, op=operation, used=used: op(used, *given), *inputs)
        except RuntimeError as error:  # and NotImplementedError, which is one
            assert re.search(REFUSALS, str(error)), (name, error)
            continue
        expected = ONE_BY_ONE.get(transform, TRANSFORMS[transform])(defined(name), *inputs)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7, msg=lambda text, name=name: f"{name}: {text}")
        right.append(name)
    if library == "cman" and "vmap" not in transform:
        assert right == list(OPERATIONS)


def test_half_a_compiled_graph_is_no_way_around_a_refusal():
    need_compiled()
    operation, inputs = OPERATIONS["crf_log_partition"]
    compiled = torch.compile(lambda x, y: operation(kernels, x, y).sum(), backend="aot_eager")
    try:
        found = jvp(compiled, inputs, tuple(map(torch.ones_like, inputs)))[1]
    except Exception as error:
        assert re.search(REFUSALS, str(error)) or "torch.compile" in str(error), error
    else:
        expected = jvp(lambda x, y: operation(differentiable, x, y).sum(), inputs, tuple(map(torch.ones_like, inputs)))[
            1
        ]
        torch.testing.assert_close(found, expected)


def test_nan_in_a_sentence_has_no_best_path_and_in_the_padding_does_not_matter():
    emissions, transitions, start, end = (each.clone() for each in CRF.potentials)
    emissions[1, 3] = math.nan  # the second sentence has one token
    before = kernels.crf_decode(*CRF.arguments)[0]
    assert torch.equal(kernels.crf_decode(emissions, transitions, start, end, CRF.lengths)[0], before)
    emissions[0, 2, 1] = math.nan
    for library in (kernels, reference):
        for nbest in (1, 2):
            with pytest.raises(ValueError, match="emissions: got NaN at sentence 0, token 2, wanted numbers"):
                library.crf_decode(emissions, transitions, start, end, CRF.lengths, nbest=nbest)


def test_sparse_tensors_are_refused_in_one_sentence():
    for place, name in enumerate(("emissions", "transitions", "start", "end", "lengths")):
        given = [each.to_sparse() if number == place else each for number, each in enumerate(CRF.arguments)]
        for function in (kernels.crf_log_partition, kernels.crf_decode, kernels.crf_marginals):
            with pytest.raises(ValueError, match=f"{name}: got a sparse tensor, wanted a dense one"):
                function(*given)
    for place, name in enumerate(("a", "c", "V", "bias", "lengths")):
        given = [each.to_sparse() if number == place else each for number, each in enumerate(PAIRS.arguments)]
        with pytest.raises(ValueError, match=f"{name}: got a sparse tensor, wanted a dense one"):
            kernels.pair_scores(*given)


def test_sentences_without_a_token_have_the_results_and_gradients_of_the_definition():
    empty = CRF.pick(slice(2, 3), 0)
    for case in (empty, CRF.pick(slice(2, 3))):
        for name in ("crf_log_partition", "crf_marginals"):
            found, expected = (
                torch.autograd.grad(getattr(library, name)(*leaves, case.lengths).sum(), leaves, allow_unused=True)
                for library in (kernels, differentiable)
                for leaves in [case.leaves()]
            )
            for one, other, leaf in zip(found, expected, case.potentials, strict=True):
                zero = torch.zeros_like(leaf)
                torch.testing.assert_close(zero if one is None else one, zero if other is None else other)
        assert kernels.crf_decode(*case.arguments)[1].tolist() == [0.0]
