// Multi-head scores of all token pairs of a sentence (equation 16), as raw
// pointers:
//
//   s[b][i][j][r] = bias[r] + sum_d V[r][d] tanh(a[b][i][d] + c[b][j][d])
//
// Everything is contiguous and row-major. Cells with i or j beyond lengths[b]
// are padding: their scores and gradients are 0, and nothing in the padding of
// a, c or a gradient is read as a number (it may be NaN or infinity). No
// function stores an (N, N, D) array; pair_bce and pair_select store no
// (N, N, R) one either. Callers have checked shapes and, on the CPU, indices.
#pragma once

#include <cstdint>

#include "simd/parallel.h"

namespace cman {

template <typename T>
struct PairBatch {
  const T* a;              // (B, N, D) heads: U x + b
  const T* c;              // (B, N, D) tails: W x
  const T* V;              // (R, D)
  const T* bias;           // (R) or null
  const int64_t* lengths;  // (B), 0 to N
  int64_t batch;           // B
  int64_t length;          // N
  int64_t size;            // D
  int64_t labels;          // R
};

// Binary cross-entropy of the scores with gold cells (equation 20), summed over
// a sentence. A gold cell that is listed twice counts once.
struct PairGold {
  const int64_t* cells;  // (S, 4): sentence, head i, tail j, label r
  int64_t count;         // S
};

// Tokens that may be ends of a relation.
struct PairAnchors {
  const int64_t* tokens;  // (M, 2): sentence, token; sorted, each once
  int64_t count;          // M
};

// CPU (cpu_operations.cpp)
// -------------------------------------------------------

// scores (B, N, N, R).
template <typename T>
void pair_scores(const PairBatch<T>& input, T* scores, ParallelFor parallel);

// From grad (B, N, N, R): da, dc (B, N, D), dV (R, D), dbias (R).
template <typename T>
void pair_scores_backward(const PairBatch<T>& input, const T* grad, T* da,
                          T* dc, T* dV, T* dbias, ParallelFor parallel);

// loss (B). Where da is not null, also the gradient of each sentence's own
// loss: da, dc (B, N, D), dV (B, R, D), dbias (B, R). Gold cells count
// `positive_weight` times.
template <typename T>
void pair_bce(const PairBatch<T>& input, const PairGold& gold,
              T positive_weight, T* loss, T* da, T* dc, T* dV, T* dbias,
              ParallelFor parallel);

// A cell above the threshold.
template <typename T>
struct PairCell {
  int64_t sentence, head, tail, label;
  T score;
};

// Hands out the cells between anchors of one sentence whose score is greater
// than `threshold`, sorted by (sentence, head, tail, label). `take` is called
// in the calling thread, with a pointer to `count` cells, until all are handed
// out.
template <typename T>
void pair_select(
    const PairBatch<T>& input, const PairAnchors& anchors, T threshold,
    const std::function<void(const PairCell<T>* cells, int64_t count)>& take,
    ParallelFor parallel);

// CUDA (cuda_operations.cu): the same on device pointers, asynchronous on
// `stream`.
// ---------------------------------------------------------------------------

template <typename T>
void pair_scores(const PairBatch<T>& input, T* scores, Stream stream);

// Blocks add to what they share, in any order. Where sums have to be the same
// in every run, each result comes in parts, as a first dimension, such that no
// two blocks add to the same number; the caller sums the parts.
struct PairParts {
  int64_t da, dc;     // (parts, B, N, D)
  int64_t dV, dbias;  // (parts, B, R, D), (parts, B, R): by sentence
  int64_t loss;       // (parts, B)
};
template <typename T>
PairParts pair_parts(const PairBatch<T>& input);

// da, dc, dV and dbias come zeroed.
template <typename T>
void pair_scores_backward(const PairBatch<T>& input, const T* grad, T* da,
                          T* dc, T* dV, T* dbias, bool in_parts, Stream stream);

// All outputs come zeroed; dV (B, R, D) and dbias (B, R) by sentence.
template <typename T>
void pair_bce(const PairBatch<T>& input, const PairGold& gold,
              T positive_weight, T* loss, T* da, T* dc, T* dV, T* dbias,
              bool in_parts, Stream stream);

// Two passes, because the host must know how many cells there are: counts (M)
// of cells above the threshold in each anchor's row, and marks (2), which come
// zeroed: whether an anchor is no token, and whether they are out of order or
// twice; then, with offsets (M), the exclusive sum of counts, the cells (S, 4)
// and their scores (S).
template <typename T>
void pair_select_count(const PairBatch<T>& input, const PairAnchors& anchors,
                       T threshold, int64_t* counts, int64_t* marks,
                       Stream stream);
template <typename T>
void pair_select_fill(const PairBatch<T>& input, const PairAnchors& anchors,
                      T threshold, const int64_t* offsets, int64_t* cells,
                      T* scores, Stream stream);

}  // namespace cman
