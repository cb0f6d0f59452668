"""The operations in plain PyTorch: the definition of what each computes, and what runs where nothing is compiled.

Every function here has the signature and the result of its namesake in `cman.kernels`.
"""

from cman.kernels.reference.crf import crf_decode, crf_log_partition, crf_marginals, crf_nll
from cman.kernels.reference.pairs import pair_bce, pair_scores, pair_select
from cman.kernels.reference.recurrent import lstm
from cman.kernels.reference.spans import crf_span_marginals

__all__ = [
    "crf_decode",
    "crf_log_partition",
    "crf_marginals",
    "crf_nll",
    "crf_span_marginals",
    "lstm",
    "pair_bce",
    "pair_scores",
    "pair_select",
]
