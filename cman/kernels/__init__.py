"""The performance-critical operations, each defined by plain PyTorch code.

    from cman.kernels import crf_decode, crf_log_partition, crf_marginals, crf_nll, pair_scores

Every operation takes batches padded on the right with `lengths`, and what stands in the padding never matters.
"""

from cman.kernels.crf import crf_decode, crf_log_partition, crf_marginals, crf_nll, crf_span_marginals
from cman.kernels.pairs import pair_scores

__all__ = ["crf_decode", "crf_log_partition", "crf_marginals", "crf_nll", "crf_span_marginals", "pair_scores"]
