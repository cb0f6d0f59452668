// The scores of one head with all tails of its sentence.
//
// Lanes are tails. A block of JV registers of tails and RB labels is summed
// over d with all its RB * JV sums in registers; for each d there is one
// reciprocal a register of tails, and one broadcast of V for JV registers. The
// sums hold one label of W tails each, but a row of scores has the labels
// innermost, so the block is transposed on its way out, which costs a few
// stores a tail against D steps of summing. Reads `columns` (L2), V (L1);
// writes the row.
#pragma once

#include <cstring>

#include "pairs/cpu_columns.h"
#include "pairs/cpu_factors.h"

namespace cman {
namespace {

// How many registers of tails go with RB labels. Two thirds of the registers
// hold sums; more than 4 of tails would not make V cheaper.
template <typename F, int RB>
constexpr int tails_at_once = (F::registers * 3 / 4) / RB >= 4 ? 4
                              : (F::registers * 3 / 4) / RB >= 1
                                  ? (F::registers * 3 / 4) / RB
                                  : 1;

// One block of the sum over d, and where it goes.
struct ScoreBlock {
  const float* head;     // (D): e^2a, or a in the direct path
  const float* columns;  // (D, stride): e^2c from the first tail on, or c
  int64_t stride;
  int64_t size;          // D
  const float* weights;  // (D, RB): -2 V
  const float* bias;     // (RB): the bias and the sum of V
  float* scores;         // (JV * W, RB)
};

// q - 1/2 of JV registers of tails, with q = 1 / (1 + e^2a e^2c). All terms of
// a sum have the signs of tanh then; terms with q alone would need a correction
// as large as the sum of |V|, whose rounding would show.
template <typename F, int JV>
CMAN_INLINE void reciprocals(const float* head, const float* column,
                             typename F::V (&q)[JV]) {
  const typename F::V one = F::set1(1.0f), half = F::set1(0.5f);
  const typename F::V factor = F::set1(*head);
  for (int v = 0; v < JV; ++v) {
    q[v] = F::sub(
        F::reciprocal(F::fma(factor, F::load(column + v * F::width), one)),
        half);
  }
}

template <typename F, int RB, int JV>
CMAN_INLINE void add_products(const float* weights,
                              const typename F::V (&q)[JV],
                              typename F::V (&sums)[JV][RB]) {
  for (int r = 0; r < RB; ++r) {
    const typename F::V weight = F::set1(weights[r]);
    for (int v = 0; v < JV; ++v) sums[v][r] = F::fma(weight, q[v], sums[v][r]);
  }
}

template <typename F, int RB, int JV>
void score_block(const ScoreBlock& block) {
  using V = typename F::V;
  V sums[JV][RB];
  for (int v = 0; v < JV; ++v) {
    for (int r = 0; r < RB; ++r) sums[v][r] = F::set1(block.bias[r]);
  }
  const float* column = block.columns;
  const float* weights = block.weights;
  constexpr bool ahead = F::registers >= 32 || JV == 1;
  if (!ahead) {
    for (int64_t d = 0; d < block.size; ++d) {
      V q[JV];
      reciprocals<F, JV>(block.head + d, column, q);
      add_products<F, RB, JV>(weights, q, sums);
      column += block.stride;
      weights += RB;
    }
  } else if (block.size > 0) {
    // The reciprocals of the next d are under way while the products of this d
    // are added: their latency is longer than the processor looks ahead. That
    // takes registers.
    V q[JV], next[JV];
    reciprocals<F, JV>(block.head, column, q);
    for (int64_t d = 1; d < block.size; ++d) {
      column += block.stride;
      reciprocals<F, JV>(block.head + d, column, next);
      add_products<F, RB, JV>(weights, q, sums);
      for (int v = 0; v < JV; ++v) q[v] = next[v];
      weights += RB;
    }
    add_products<F, RB, JV>(weights, q, sums);
  }
  store_columns<F, RB, JV>(block.scores, sums);
}

// The direct path: -tanh(a + c) / 2 stands for q - 1/2.
template <typename F, int RB>
void score_block_direct(const ScoreBlock& block) {
  using V = typename F::V;
  V sums[1][RB];
  for (int r = 0; r < RB; ++r) sums[0][r] = F::set1(block.bias[r]);
  for (int64_t d = 0; d < block.size; ++d) {
    const V x = F::add(F::set1(block.head[d]),
                       F::load(block.columns + d * block.stride));
    const V q = F::mul(F::set1(-0.5f), vector_tanh<F>(x).value);
    for (int r = 0; r < RB; ++r) {
      sums[0][r] = F::fma(F::set1(block.weights[d * RB + r]), q, sums[0][r]);
    }
  }
  store_columns<F, RB, 1>(block.scores, sums);
}

// c of W tails from j on, transposed to (D, W).
template <typename F>
void transpose_tails(const PairTails<float>& tails, int64_t j, int64_t size) {
  constexpr int W = F::width;
  const int tokens = lanes_left(tails.count, j, W);
  for (int64_t d = 0; d < size; d += W) {
    typename F::V rows[W];
    for (int t = 0; t < W; ++t) {
      rows[t] = t < tokens ? F::load_first(tails.c + (j + t) * size + d,
                                           lanes_left(size, d, W))
                           : F::zero();
    }
    F::transpose(rows);
    for (int t = 0; t < W; ++t) F::store(tails.corner + (d + t) * W, rows[t]);
  }
}

// A whole row for one chunk of labels; `scores` (n, R) from the first of them.
template <typename F, int RB>
void score_chunk(const PairHeads<float>& heads, int64_t row,
                 const PairTails<float>& tails, ScoreBlock block, float* scores,
                 int64_t labels) {
  constexpr int W = F::width, most = tails_at_once<F, RB>;
  const int64_t registers = tails.stride / W;
  // Some of the labels, or lanes without a token, make a detour; copies of
  // constant size are a few moves each.
  float buffer[most * W * RB];
  for (int64_t v = 0; v < registers;) {
    const int64_t j = v * W;
    const bool far = heads.far[row] || tails.far[v];
    int64_t run = 1;
    while (!far && run < most && v + run < registers && !tails.far[v + run]) {
      ++run;
    }
    const bool whole = labels == RB && j + run * W <= tails.count;
    block.scores = whole ? scores + j * RB : buffer;
    if (far) {
      transpose_tails<F>(tails, j, block.size);
      block.head = heads.a + row * block.size;
      block.columns = tails.corner;
      block.stride = W;
      score_block_direct<F, RB>(block);
    } else {
      block.head = heads.factors + row * block_count<F>(block.size) * W;
      block.columns = tails.columns + j;
      block.stride = tails.stride;
      if (run == 4) {
        score_block<F, RB, most >= 4 ? 4 : 1>(block);
      } else if (run == 3) {
        score_block<F, RB, most >= 3 ? 3 : 1>(block);
      } else if (run == 2) {
        score_block<F, RB, most >= 2 ? 2 : 1>(block);
      } else {
        score_block<F, RB, 1>(block);
      }
    }
    v += run;
    if (whole) continue;
    const int64_t end = v * W < tails.count ? v * W : tails.count;
    for (int64_t t = j; t < end; ++t) {
      std::memcpy(scores + t * labels, buffer + (t - j) * RB,
                  RB * sizeof(float));
    }
  }
}

template <typename F>
void score_row(const PairWeights<float>& weights, const PairHeads<float>& heads,
               int64_t row, const PairTails<float>& tails, float* scores) {
  using Function =
      void (*)(const PairHeads<float>&, int64_t, const PairTails<float>&,
               ScoreBlock, float*, int64_t);
  static constexpr Function functions[forward_labels<F>] = {
      score_chunk<F, 1>,  score_chunk<F, 2>,  score_chunk<F, 3>,
      score_chunk<F, 4>,  score_chunk<F, 5>,  score_chunk<F, 6>,
      score_chunk<F, 7>,  score_chunk<F, 8>,  score_chunk<F, 9>,
      score_chunk<F, 10>, score_chunk<F, 11>, score_chunk<F, 12>};
  ScoreBlock block{};
  block.size = weights.size;
  for (int64_t k = 0; k < chunk_count(weights.labels, forward_labels<F>); ++k) {
    const Chunk chunk = chunk_at(weights.labels, forward_labels<F>, k);
    block.weights = weights.forward + chunk.begin * weights.size;
    block.bias = weights.forward + weights.labels * weights.size + chunk.begin;
    functions[chunk.size - 1](heads, row, tails, block, scores + chunk.begin,
                              weights.labels);
  }
}

}  // namespace
}  // namespace cman
