"""`torch.ops.cman.*` beyond the compiled kernels: fake kernels, second derivatives, or all of them in plain PyTorch."""

import torch
from torch import Tensor
from torch.library import Library

from cman.kernels import reference, twice

CRF = "Tensor emissions, Tensor transitions, Tensor start, Tensor end"
PAIRS = "Tensor a, Tensor c, Tensor V, Tensor? bias"
# As csrc/library.cpp declares them; a test compares the two.
SCHEMAS = (
    f"crf_decode({CRF}, Tensor lengths, *, Tensor? allowed=None, int nbest=1) -> (Tensor, Tensor)",
    f"crf_log_partition({CRF}, Tensor lengths, *, Tensor? allowed=None) -> Tensor",
    f"crf_nll({CRF}, Tensor tags, Tensor lengths, *, Tensor? allowed=None) -> Tensor",
    f"crf_marginals({CRF}, Tensor lengths, *, Tensor? allowed=None) -> Tensor",
    f"pair_scores({PAIRS}, Tensor lengths) -> Tensor",
    f"pair_bce({PAIRS}, Tensor gold, Tensor lengths, *, float pos_weight=1.0) -> Tensor",
    f"pair_select({PAIRS}, Tensor anchors, Tensor lengths, float threshold) -> (Tensor, Tensor)",
)
HEAD = 16  # of the workspace, about the call
GROUP = 16  # sentences that the CPU's widest registers interleave

_library: Library | None = None  # kept: what it registered goes when it is collected


def define_in_python() -> None:
    """Define the operations with the reference as their implementation, on every device."""
    global _library
    _library = Library("cman", "DEF")  # type: ignore[no-untyped-call]
    for schema in SCHEMAS:
        name = schema.partition("(")[0]
        _library.define(schema)  # type: ignore[no-untyped-call]
        _library.impl(name, getattr(reference, name), "CompositeImplicitAutograd")  # type: ignore[no-untyped-call]


def complete_compiled() -> None:
    """Add to the compiled operations what Python does as well: fake kernels and second derivatives."""
    global _library
    _library = Library("cman", "IMPL")  # type: ignore[no-untyped-call]
    _library.impl("_crf_backward_twice", twice.crf_backward, "CompositeImplicitAutograd")  # type: ignore[no-untyped-call]
    _library.impl("_pair_scores_backward_twice", twice.pair_scores_backward, "CompositeImplicitAutograd")  # type: ignore[no-untyped-call]
    _library.impl("_pair_bce_backward_twice", twice.pair_bce_backward, "CompositeImplicitAutograd")  # type: ignore[no-untyped-call]
    _library.impl("_crf_decode_nbest", _decode_nbest, "CompositeImplicitAutograd")  # type: ignore[no-untyped-call]
    for name, fake in (
        ("_crf_decode", _crf_decode),
        ("_crf_forward", _crf_forward),
        ("_crf_backward", _crf_backward),
        ("_crf_marginals", _crf_marginals),
        ("_pair_scores", _pair_scores),
        ("_pair_scores_backward", _pair_scores_backward),
        ("_pair_bce", _pair_bce),
        ("_pair_select", _pair_select),
    ):
        torch.library.register_fake(f"cman::{name}", fake, lib=_library)


def _decode_nbest(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    lengths: Tensor,
    allowed: Tensor | None,
    nbest: int,
) -> tuple[Tensor, Tensor]:
    return reference.crf_decode(emissions, transitions, start, end, lengths, allowed=allowed, nbest=nbest)


# Fake kernels: the shapes and types of results, without computing them.


def _crf_decode(
    emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor, allowed: Tensor, nbest: int
) -> tuple[Tensor, Tensor]:
    batch, length, _ = emissions.shape
    if nbest == 1:
        return lengths.new_empty((batch, length)), emissions.new_empty(batch)
    return lengths.new_empty((batch, nbest, length)), emissions.new_empty((batch, nbest))


def _crf_forward(
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    tags: Tensor | None,
    lengths: Tensor,
    allowed: Tensor | None,
    keep: bool,
) -> tuple[Tensor, Tensor]:
    # The workspace's size is the kernels' own affair; a graph passes it on unread, so only its place counts here.
    return emissions.new_empty(emissions.shape[0]), emissions.new_empty(_workspace_size(emissions) if keep else 0)


def _crf_backward(
    grad: Tensor,
    workspace: Tensor,
    emissions: Tensor,
    transitions: Tensor,
    start: Tensor,
    end: Tensor,
    tags: Tensor | None,
    lengths: Tensor,
    allowed: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        emissions.new_empty(emissions.shape),
        transitions.new_empty(transitions.shape),
        start.new_empty(start.shape),
        end.new_empty(end.shape),
    )


def _crf_marginals(
    emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor, lengths: Tensor, allowed: Tensor | None
) -> Tensor:
    return emissions.new_empty(emissions.shape)


def _pair_scores(a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, lengths: Tensor) -> Tensor:
    return a.new_empty((a.shape[0], a.shape[1], a.shape[1], V.shape[0]))


def _pair_scores_backward(
    grad: Tensor, a: Tensor, c: Tensor, V: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return a.new_empty(a.shape), c.new_empty(c.shape), V.new_empty(V.shape), V.new_empty(V.shape[0])


def _pair_bce(
    a: Tensor,
    c: Tensor,
    V: Tensor,
    bias: Tensor | None,
    gold: Tensor,
    lengths: Tensor,
    pos_weight: float,
    differentiate: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    kept = a.shape[0] if differentiate else 0
    shape = (kept, a.shape[1], a.shape[2])
    gradients = a.new_empty(shape), a.new_empty(shape), a.new_empty((kept, *V.shape)), a.new_empty((kept, V.shape[0]))
    return (a.new_empty(a.shape[0]), *gradients)


def _pair_select(
    a: Tensor, c: Tensor, V: Tensor, bias: Tensor | None, anchors: Tensor, lengths: Tensor, threshold: float
) -> tuple[Tensor, Tensor]:
    found = torch.library.get_ctx().new_dynamic_size()
    return anchors.new_empty((found, 4)), a.new_empty(found)


def _workspace_size(emissions: Tensor) -> int:
    """Return what crf_workspace_size and crf_workspace_size_cuda of csrc/ return."""
    batch, length, tags = emissions.shape
    if emissions.device.type == "cuda":
        return batch * (2 * length * tags + 1)
    rows = -(-batch // GROUP) * GROUP
    return HEAD + rows * (2 + 2 * length * tags)
