"""The performance-critical operations: C++ and CUDA where they are built, plain PyTorch everywhere else.

    from cman.kernels import crf_decode, crf_log_partition, crf_marginals, crf_nll, crf_span_marginals
    from cman.kernels import lstm, pair_bce, pair_scores, pair_select

They are also `torch.ops.cman.*`, work in `torch.compile` and under autocast, and are differentiable. Every operation
takes batches padded on the right with `lengths`, and what stands in the padding never matters.
`cman.kernels.reference` defines each in plain PyTorch under the same name.
"""

from cman.kernels import reference
from cman.kernels.crf import crf_decode, crf_log_partition, crf_marginals, crf_nll, crf_span_marginals
from cman.kernels.library import KernelChoice, backend, use_kernels
from cman.kernels.pairs import pair_bce, pair_scores, pair_select
from cman.kernels.recurrent import lstm

__all__ = [
    "KernelChoice",
    "backend",
    "crf_decode",
    "crf_log_partition",
    "crf_marginals",
    "crf_nll",
    "crf_span_marginals",
    "lstm",
    "pair_bce",
    "pair_scores",
    "pair_select",
    "reference",
    "use_kernels",
]
