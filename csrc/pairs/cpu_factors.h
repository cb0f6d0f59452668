// The exponentials of heads and tails, and V in the order in which the kernels
// read it; see plan.h. All of this is work per token, so it counts
// little; what matters is that it leaves the pairs' loops nothing but aligned
// loads of full registers.
//
// Labels go through the kernels in chunks, because a kernel holds something in
// a register for each. Chunks of one call differ by at most one label: 13 are
// 7 + 6, which costs less than 12 + 1.
#pragma once

#include "pairs/plan.h"
#include "simd/exp.h"

namespace cman {
namespace {

struct Chunk {
  int64_t begin;  // its first label
  int size;
};

inline int64_t chunk_count(int64_t labels, int most) {
  return (labels + most - 1) / most;
}

inline Chunk chunk_at(int64_t labels, int most, int64_t index) {
  const int64_t chunks = chunk_count(labels, most);
  const int64_t size = labels / chunks, larger = labels % chunks;
  Chunk chunk;
  chunk.begin = index * size + (index < larger ? index : larger);
  chunk.size = static_cast<int>(size + (index < larger ? 1 : 0));
  return chunk;
}

// The most labels in a chunk: forward, an accumulator and a broadcast each;
// backward, an accumulator each, and V too where there are registers for it.
template <typename F>
constexpr int forward_labels = 12;
template <typename F>
constexpr int backward_labels = F::registers >= 32 ? 12 : 8;

template <typename F>
inline int64_t block_count(int64_t size) {
  return (size + F::width - 1) / F::width;
}

inline int lanes_left(int64_t count, int64_t from, int width) {
  return static_cast<int>(count - from < width ? count - from : width);
}

// Forward: for each chunk, (D, size) of -2 V; behind all chunks, the bias.
// Backward: for each chunk and block of d, (size, W) of 4 V.
template <typename F>
void pack_weights(const PairWeights<float>& weights) {
  constexpr int W = F::width;
  const int64_t size = weights.size, labels = weights.labels;
  constexpr int most = forward_labels<F>;
  for (int64_t k = 0; k < chunk_count(labels, most); ++k) {
    const Chunk chunk = chunk_at(labels, most, k);
    float* packed = weights.forward + chunk.begin * size;
    for (int r = 0; r < chunk.size; ++r) {
      const float* row = weights.V + (chunk.begin + r) * size;
      for (int64_t d = 0; d < size; ++d) {
        packed[d * chunk.size + r] = -2 * row[d];
      }
      weights.forward[labels * size + chunk.begin + r] =
          weights.bias ? weights.bias[chunk.begin + r] : 0.0f;
    }
  }
  if (weights.backward == nullptr) return;
  constexpr int back = backward_labels<F>;
  const int64_t blocks = block_count<F>(size);
  for (int64_t k = 0; k < chunk_count(labels, back); ++k) {
    const Chunk chunk = chunk_at(labels, back, k);
    float* packed = weights.backward + chunk.begin * blocks * W;
    for (int64_t block = 0; block < blocks; ++block) {
      for (int r = 0; r < chunk.size; ++r, packed += W) {
        const float* row = weights.V + (chunk.begin + r) * size + block * W;
        const int lanes = lanes_left(size, block * W, W);
        F::store(packed, F::mul(F::set1(4.0f), F::load_first(row, lanes)));
      }
    }
  }
}

// Lanes of `far` become 1 where |x| is too large, or x is NaN.
template <typename F>
inline typename F::V mark_far(typename F::V far, typename F::V x) {
  const typename F::Mask near = F::less(F::abs(x), F::set1(far_limit));
  return F::select(near, far, F::set1(1.0f));
}

template <typename F>
inline bool is_far(typename F::V far) {
  return F::any(F::greater(far, F::zero()));
}

template <typename F>
void factor_heads(const PairWeights<float>& weights,
                  const PairHeads<float>& heads) {
  using V = typename F::V;
  constexpr int W = F::width;
  const int64_t blocks = block_count<F>(weights.size);
  const V two = F::set1(2.0f);
  for (int64_t i = 0; i < heads.count; ++i) {
    V far = F::zero();
    for (int64_t block = 0; block < blocks; ++block) {
      const V a = F::load_first(heads.a + i * weights.size + block * W,
                                lanes_left(weights.size, block * W, W));
      far = mark_far<F>(far, a);
      F::store(heads.factors + (i * blocks + block) * W,
               vector_exp_near<F>(F::mul(two, a)));
    }
    heads.far[i] = is_far<F>(far);
  }
}

template <typename F>
void factor_tails(const PairWeights<float>& weights,
                  const PairTails<float>& tails, int64_t begin, int64_t end) {
  using V = typename F::V;
  constexpr int W = F::width;
  const int64_t size = weights.size, n = tails.count;
  const V two = F::set1(2.0f);
  for (int64_t j = 0; j < n; j += W) {
    const int tokens = lanes_left(n, j, W);
    V far = F::zero();
    for (int64_t block = 0; block < block_count<F>(size); ++block) {
      const int lanes = lanes_left(size, block * W, W);
      const bool wanted = tails.blocks && begin <= block && block < end;
      V rows[W];
      for (int t = 0; t < W; ++t) {
        if (t >= tokens) {
          rows[t] = F::set1(1.0f);
          continue;
        }
        const V c = F::load_first(tails.c + (j + t) * size + block * W, lanes);
        far = mark_far<F>(far, c);
        if (!wanted && !tails.columns) continue;
        rows[t] = vector_exp_near<F>(F::mul(two, c));
        if (wanted) F::store(tails.blocks + (block * n + j + t) * W, rows[t]);
      }
      if (!tails.columns) continue;
      F::transpose(rows);
      float* column = tails.columns + block * W * tails.stride + j;
      for (int d = 0; d < lanes; ++d)
        F::store(column + d * tails.stride, rows[d]);
    }
    tails.far[j / W] = is_far<F>(far);
  }
}

}  // namespace
}  // namespace cman
