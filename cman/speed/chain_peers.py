"""The peers whose idea of a chain differs from a CRF's: torch-struct (scores of edges) and hmmlearn (probabilities).

torch-struct scores edges, (B, L - 1, K, K) from the new tag's row to the old tag's column, so that the first token's
scores go onto the first edge and the end's onto each sentence's last one. hmmlearn's C++ recursions take one sentence
a call, in float64; they take the logarithm of the start's and the transitions' probabilities and never ask whether
these sum to one, so that the exponentials of any scores do.
"""

from typing import Any

import torch
from torch import Tensor

from cman.speed.inputs import CrfInputs
from cman.speed.operations import Call, Outputs, differentiated
from cman.speed.peers import Contender, _tags_of_lists

# ---- torch-struct


def _edges(lengths: Tensor, emissions: Tensor, transitions: Tensor, start: Tensor, end: Tensor) -> Tensor:
    length = emissions.shape[1]
    first = torch.nn.functional.pad((start + emissions[:, 0]).unsqueeze(1), (0, 0, 0, length - 2))  # (B, L - 1, K)
    last = torch.nn.functional.one_hot(lengths - 2, length - 1)  # (B, L - 1)
    onto = emissions[:, 1:] + last.unsqueeze(2) * end
    return transitions.t() + onto.unsqueeze(3) + first.unsqueeze(2)


def _chain(x: CrfInputs, *leaves: Tensor) -> Any:
    from torch_struct import LinearChainCRF

    return LinearChainCRF(_edges(x.lengths, *(leaves or x.leaves)), lengths=x.lengths)


def _torch_struct_decode(x: CrfInputs) -> Call:
    return lambda: _chain(x).argmax


def _tags_of_edges(raw: Any, x: CrfInputs) -> Outputs:
    tags = torch.cat([raw[:, :1].sum(2).argmax(2), raw.sum(3).argmax(2)], 1)
    return (tags.masked_fill(~x.mask, -1),)


def _torch_struct_log_partition(x: CrfInputs) -> Call:
    return lambda: (_chain(x).partition,)


def _torch_struct_log_partition_backward(x: CrfInputs) -> Call:
    return differentiated(lambda *leaves: _chain(x, *leaves).partition, x.leaves)


def _torch_struct_marginals(x: CrfInputs) -> Call:
    return lambda: _chain(x).marginals


def _marginals_of_edges(raw: Any, x: CrfInputs) -> Outputs:
    return (torch.cat([raw[:, :1].sum(2), raw.sum(3)], 1),)


TORCH_STRUCT = Contender(
    "torch-struct",
    {
        "crf_decode": _torch_struct_decode,
        "crf_log_partition": _torch_struct_log_partition,
        "crf_log_partition_backward": _torch_struct_log_partition_backward,
        "crf_marginals": _torch_struct_marginals,
    },
    {"crf_decode": _tags_of_edges, "crf_marginals": _marginals_of_edges},
    module="torch_struct",
)


# ---- hmmlearn


def _arrays(x: CrfInputs) -> tuple[Any, Any, list[Any]]:
    """Return the start, the transitions, and each sentence's emissions with the end's scores on its last token."""
    emissions = x.emissions.double().clone()
    emissions[torch.arange(len(x.lengths)), x.lengths - 1] += x.end.double()
    frames = [rows[:n].numpy() for rows, n in zip(emissions, x.lengths.tolist(), strict=True)]
    return x.start.double().exp().numpy(), x.transitions.double().exp().numpy(), frames


def _hmmlearn_decode(x: CrfInputs) -> Call:
    from hmmlearn import _hmmc

    start, transitions, sentences = _arrays(x)
    return lambda: [_hmmc.viterbi(start, transitions, frames) for frames in sentences]


def _tags_and_scores(raw: Any, x: CrfInputs) -> Outputs:
    tags = _tags_of_lists([path for _, path in raw], x)
    return *tags, torch.tensor([score for score, _ in raw], dtype=torch.float64)


def _hmmlearn_log_partition(x: CrfInputs) -> Call:
    from hmmlearn import _hmmc

    start, transitions, sentences = _arrays(x)
    return lambda: [_hmmc.forward_log(start, transitions, frames)[0] for frames in sentences]


def _values(raw: Any, x: CrfInputs) -> Outputs:
    return (torch.tensor(raw, dtype=torch.float64),)


def _hmmlearn_marginals(x: CrfInputs) -> Call:
    from hmmlearn import _hmmc

    start, transitions, sentences = _arrays(x)

    def call() -> list[Any]:
        tables = []
        for frames in sentences:
            _, alpha = _hmmc.forward_log(start, transitions, frames)
            joint = alpha + _hmmc.backward_log(start, transitions, frames)
            tables.append(torch.from_numpy(joint).softmax(1))
        return tables

    return call


def _padded(raw: Any, x: CrfInputs) -> Outputs:
    marginals = torch.zeros(x.emissions.shape, dtype=torch.float64)
    for row, table in zip(marginals, raw, strict=True):
        row[: len(table)] = table
    return (marginals,)


HMMLEARN = Contender(
    "hmmlearn",
    {
        "crf_decode": _hmmlearn_decode,
        "crf_log_partition": _hmmlearn_log_partition,
        "crf_marginals": _hmmlearn_marginals,
    },
    {"crf_decode": _tags_and_scores, "crf_log_partition": _values, "crf_marginals": _padded},
    module="hmmlearn",
    cpu_only=True,
)
