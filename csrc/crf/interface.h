// Linear-chain CRF over a batch of sentences, as raw pointers: nothing here
// knows torch. The score of tags y over a sentence of n tokens is
//
//   start[y_1] + sum_t emissions[t][y_t] + sum_{t>1} transitions[y_{t-1}][y_t]
//     + end[y_n]
//
// Everything is contiguous and row-major. What stands in the padding, beyond
// lengths[b], is never read as a number (it may be NaN or infinity) and is
// written as -1 (tags) or 0 (all else). Callers have checked shapes and, on
// the CPU, that 0 <= lengths[b] <= L and that gold tags lie in [0, K).
//
// A sentence of length 0 has the log-partition 0, no tags and no gradient. One
// on which no path is allowed has the log-partition -inf, the loss +inf, the
// marginals 0 and the gradient 0. Ties between paths go to the lowest tag, the
// last token's first.
#pragma once

#include <cstdint>

#include "simd/parallel.h"

namespace cman {

template <typename T>
struct CrfBatch {
  const T* emissions;      // (B, L, K)
  const T* transitions;    // (K, K), from row to column
  const T* start;          // (K)
  const T* end;            // (K)
  const int64_t* lengths;  // (B)
  const bool* allowed;     // (K + 1, K) or null; row K is a sentence's start
  const int64_t* gold;     // (B, L) or null; with it the ops give -log Pr(gold)
  int64_t batch;           // B
  int64_t length;          // L
  int64_t tags;            // K
};

// Stretches of sentences that carry given tags, such as decoded entities.
struct CrfSpans {
  const int64_t* spans;     // (S, 3): sentence, first token, token behind it
  const int64_t* tags;      // (B, L), read within the stretches
  const int64_t* next_tag;  // (S): the tag that would continue it; -1: none
  int64_t count;            // S
};

// Values that a forward pass may keep for the gradient: alpha and exponentials
// by group of sentences, in a layout of its own, plus how each group was
// computed. The size depends on (B, L, K) alone, not on the processor, so that
// it can be told without data.
int64_t crf_workspace_size(int64_t batch, int64_t length, int64_t tags);

// CPU (cpu_operations.cpp)
// ---------------------------------------------------------

// tags (B, L), scores (B).
template <typename T>
void crf_decode(const CrfBatch<T>& input, int64_t* tags, T* scores,
                ParallelFor parallel);

// The n best paths, best first: tags (B, n, L), scores (B, n); places beyond
// the number of allowed paths have the score -inf and the tags -1.
template <typename T>
void crf_decode_nbest(const CrfBatch<T>& input, int64_t n, int64_t* tags,
                      T* scores, ParallelFor parallel);

// result (B): the log-partition or, with gold tags, the negative
// log-likelihood. `workspace`, if not null, has crf_workspace_size elements.
template <typename T>
void crf_forward(const CrfBatch<T>& input, T* workspace, T* result,
                 ParallelFor parallel);

// The gradient of sum_b grad[b] * result[b] after crf_forward on the same
// input: d_emissions (B, L, K), d_transitions (K, K), d_start (K), d_end (K).
template <typename T>
void crf_backward(const CrfBatch<T>& input, const T* workspace, const T* grad,
                  T* d_emissions, T* d_transitions, T* d_start, T* d_end,
                  ParallelFor parallel);

// marginals (B, L, K).
template <typename T>
void crf_marginals(const CrfBatch<T>& input, T* marginals,
                   ParallelFor parallel);

// result (S): the probability of paths that have the stretch's tags and do not
// go on with its next tag; 0 where no path is allowed.
template <typename T>
void crf_span_marginals(const CrfBatch<T>& input, const CrfSpans& spans,
                        T* result, ParallelFor parallel);

// CUDA (cuda_operations.cu): the same on device pointers, asynchronous on
// `stream`, one launch each. `gold` out of range gives NaN, lengths out of
// range NaN and tags -1: checking on the host would have to wait for the
// device.
// ---------------------------------------------------------------------------

int64_t crf_workspace_size_cuda(int64_t batch, int64_t length, int64_t tags);

template <typename T>
void crf_decode(const CrfBatch<T>& input, int64_t* tags, T* scores,
                T* workspace, Stream stream);

template <typename T>
void crf_forward(const CrfBatch<T>& input, T* workspace, T* result,
                 Stream stream);

// Blocks add to d_transitions, d_start and d_end, which come zeroed, in any
// order. Where sums have to be the same in every run these come in parts, as a
// first dimension, and the caller sums them: d_transitions (blocks, K, K), and
// d_start and d_end (B, K).
int64_t crf_blocks_cuda(int64_t batch, int64_t tags);

// A sentence whose backward pass leaves float range is computed anew, its part
// of the workspace too.
template <typename T>
void crf_backward(const CrfBatch<T>& input, T* workspace, const T* grad,
                  T* d_emissions, T* d_transitions, T* d_start, T* d_end,
                  bool in_parts, Stream stream);

template <typename T>
void crf_marginals(const CrfBatch<T>& input, T* workspace, T* marginals,
                   Stream stream);

// With what crf_marginals left; spans, tags and next tags that are none give
// NaN.
template <typename T>
void crf_span_marginals(const CrfBatch<T>& input, const CrfSpans& spans,
                        T* workspace, const T* marginals, T* result,
                        Stream stream);

}  // namespace cman
