// The gradients of a, c and V of some rows of a sentence, and the loss of a row
// of scores.
//
// Lanes are dimensions d, so no sum ever crosses lanes. For one block of d, a
// few rows i and all tails j: V and its gradient stay in registers, da[i] is a
// register that is stored once, dc[j] is read and written in a strip of
// n * W floats that stays in the L1 cache. The gradient of a score is
// broadcast.
//
// With q = 1 / (1 + e^2a e^2c): tanh = 1 - 2q and 1 - tanh^2 = 4 (q - q^2). The
// gradient of V sums grad (q - 1/2), whose terms have both signs as tanh has:
// a sum of grad q, corrected afterwards, would lose digits. Sums of floats are
// no longer than the rows of one call; then they are added in double.
#pragma once

#include "pairs/cpu_forward.h"

namespace cman {
namespace {

// One pass over pairs: rows of `heads`, all tails, one block of d, one chunk.
struct GradientBlock {
  int64_t block;         // of d
  int lanes;             // dimensions in the block
  const float* weights;  // (RB, W): 4 V
  int64_t label;         // the chunk's first label
  bool first;            // whether da is written, not added to
};

// What one pair of tokens needs: (1 - tanh^2) / 4 and -tanh / 2.
template <typename F>
struct Pair {
  typename F::V slope, centred;
};

template <typename F>
CMAN_INLINE Pair<F> factored_pair(typename F::V head, const float* tail) {
  const typename F::V q =
      F::reciprocal(F::fma(head, F::load(tail), F::set1(1.0f)));
  return {F::fnma(q, q, q), F::sub(q, F::set1(0.5f))};
}

template <typename F>
inline Pair<F> direct_pair(typename F::V head, const float* tail, int lanes) {
  const Tanh<F> t = vector_tanh<F>(F::add(head, F::load_first(tail, lanes)));
  return {F::mul(F::set1(0.25f), t.slope), F::mul(F::set1(-0.5f), t.value)};
}

// Adds a pair's part to dV and dc; returns its part of da.
template <typename F, int RB>
CMAN_INLINE typename F::V add_pair(const Pair<F>& pair,
                                   const typename F::V (&weights)[RB],
                                   typename F::V (&dV)[RB], const float* grad,
                                   float* dc) {
  using V = typename F::V;
  // Two sums, because one would be a long chain of dependent steps.
  V sums[2];
  for (int r = 0; r < RB; ++r) {
    const V g = F::set1(grad[r]);
    sums[r % 2] =
        r < 2 ? F::mul(g, weights[r]) : F::fma(g, weights[r], sums[r % 2]);
    dV[r] = F::fma(g, pair.centred, dV[r]);
  }
  const V sum = RB == 1 ? sums[0] : F::add(sums[0], sums[RB > 1]);
  const V d = F::mul(sum, pair.slope);
  F::store(dc, F::add(F::load(dc), d));
  return d;
}

// `count` tails of one row, on one of the two paths; `da` grows by their parts.
template <typename F, int RB>
CMAN_INLINE typename F::V factored_run(const typename F::V (&weights)[RB],
                                       typename F::V (&dV)[RB],
                                       typename F::V head, const float* tails,
                                       const float* grad, int64_t labels,
                                       float* dc, int64_t count,
                                       typename F::V da) {
  for (int64_t j = 0; j < count; ++j) {
    const Pair<F> pair = factored_pair<F>(head, tails + j * F::width);
    da = F::add(da, add_pair<F, RB>(pair, weights, dV, grad + j * labels,
                                    dc + j * F::width));
  }
  return da;
}

template <typename F, int RB>
inline typename F::V direct_run(const typename F::V (&weights)[RB],
                                typename F::V (&dV)[RB], typename F::V head,
                                const float* tails, int64_t tail_stride,
                                int lanes, const float* grad, int64_t labels,
                                float* dc, int64_t count, typename F::V da) {
  for (int64_t j = 0; j < count; ++j) {
    const Pair<F> pair = direct_pair<F>(head, tails + j * tail_stride, lanes);
    da = F::add(da, add_pair<F, RB>(pair, weights, dV, grad + j * labels,
                                    dc + j * F::width));
  }
  return da;
}

template <typename F, int RB>
void gradient_block(const PairWeights<float>& weights,
                    const PairHeads<float>& heads,
                    const PairTails<float>& tails,
                    const PairGradients<float>& gradients,
                    const GradientBlock& block) {
  using V = typename F::V;
  constexpr int W = F::width;
  const int64_t n = tails.count, size = weights.size;
  const int64_t blocks = block_count<F>(size), offset = block.block * W;
  V packed[RB], dV[RB];
  for (int r = 0; r < RB; ++r) {
    packed[r] = F::load(block.weights + r * W);
    dV[r] = F::zero();
  }
  for (int64_t i = 0; i < heads.count; ++i) {
    const float* grad =
        gradients.grad + i * gradients.grad_stride + block.label;
    V da = F::zero();
    for (int64_t j = 0; j < n;) {
      const bool far = heads.far[i] || tails.far[j / W];
      int64_t end = j + W;
      while (end < n && (heads.far[i] || tails.far[end / W]) == far) end += W;
      end = end < n ? end : n;
      float* dc = gradients.dc + (block.block * n + j) * W;
      if (far) {
        const V a = F::load_first(heads.a + i * size + offset, block.lanes);
        da = direct_run<F, RB>(packed, dV, a, tails.c + j * size + offset, size,
                               block.lanes, grad + j * weights.labels,
                               weights.labels, dc, end - j, da);
      } else {
        const V a = F::load(heads.factors + i * blocks * W + offset);
        da = factored_run<F, RB>(
            packed, dV, a, tails.blocks + (block.block * n + j) * W,
            grad + j * weights.labels, weights.labels, dc, end - j, da);
      }
      j = end;
    }
    float* out = gradients.da + i * size + offset;
    if (!block.first) da = F::add(da, F::load_first(out, block.lanes));
    F::store_first(out, da, block.lanes);
  }
  for (int r = 0; r < RB; ++r) {
    alignas(64) float lanes[W];
    F::store(lanes, dV[r]);
    double* sum = gradients.dV + (block.label + r) * blocks * W + offset;
    for (int lane = 0; lane < W; ++lane) sum[lane] -= 2.0 * lanes[lane];
  }
}

// Functions for 1, 2, ..., `most` labels; entries beyond stay null.
template <typename F>
struct GradientFunctions {
  using Function = void (*)(const PairWeights<float>&, const PairHeads<float>&,
                            const PairTails<float>&,
                            const PairGradients<float>&, const GradientBlock&);
  static constexpr int most = backward_labels<F>;
  template <int RB>
  static constexpr Function pick() {
    return gradient_block < F, RB <= most ? RB : 1 > ;
  }
};

template <typename F>
void gradient_rows(const PairWeights<float>& weights,
                   const PairHeads<float>& heads, const PairTails<float>& tails,
                   const PairGradients<float>& gradients) {
  using Functions = GradientFunctions<F>;
  static constexpr typename Functions::Function functions[12] = {
      Functions::template pick<1>(),  Functions::template pick<2>(),
      Functions::template pick<3>(),  Functions::template pick<4>(),
      Functions::template pick<5>(),  Functions::template pick<6>(),
      Functions::template pick<7>(),  Functions::template pick<8>(),
      Functions::template pick<9>(),  Functions::template pick<10>(),
      Functions::template pick<11>(), Functions::template pick<12>()};
  constexpr int most = backward_labels<F>;
  const int64_t blocks = block_count<F>(weights.size);
  GradientBlock block;
  for (block.block = gradients.begin; block.block < gradients.end;
       ++block.block) {
    block.lanes = lanes_left(weights.size, block.block * F::width, F::width);
    for (int64_t k = 0; k < chunk_count(weights.labels, most); ++k) {
      const Chunk chunk = chunk_at(weights.labels, most, k);
      block.label = chunk.begin;
      block.first = k == 0;
      block.weights =
          weights.backward +
          (chunk.begin * blocks + block.block * chunk.size) * F::width;
      functions[chunk.size - 1](weights, heads, tails, gradients, block);
    }
  }
}

template <typename F>
void sum_row(const float* grad, int64_t n, int64_t labels, double* dbias) {
  constexpr int W = F::width;
  for (int64_t r = 0; r < labels; r += W) {
    const int lanes = lanes_left(labels, r, W);
    typename F::V sum = F::zero();
    for (int64_t j = 0; j < n; ++j) {
      sum = F::add(sum, F::load_first(grad + j * labels + r, lanes));
    }
    alignas(64) float each[W];
    F::store(each, sum);
    for (int lane = 0; lane < lanes; ++lane) dbias[r + lane] += each[lane];
  }
}

template <typename F>
double softplus_row(float* scores, int64_t count, bool sigmoid) {
  using V = typename F::V;
  constexpr int W = F::width;
  V sum = F::zero();
  for (int64_t k = 0; k < count; k += W) {
    const int lanes = lanes_left(count, k, W);
    const Logistic<F> value =
        vector_logistic<F>(F::load_first(scores + k, lanes));
    sum = F::add(sum, F::select(F::first(lanes), value.softplus, F::zero()));
    if (sigmoid) F::store_first(scores + k, value.sigmoid, lanes);
  }
  alignas(64) float each[W];
  F::store(each, sum);
  double total = 0;
  for (int lane = 0; lane < W; ++lane) total += each[lane];
  return total;
}

template <typename F>
constexpr PairKernels<float> kernels_of() {
  return {F::width,     pack_weights<F>,  factor_tails<F>, factor_heads<F>,
          score_row<F>, gradient_rows<F>, sum_row<F>,      softplus_row<F>};
}

}  // namespace
}  // namespace cman
