// What gold cells change in the binary cross-entropy. cuda_operations.cu has
// added softplus(s) for every cell as if there were no gold; a gold cell's term
// is weight softplus(-s) instead:
//
//   loss += weight softplus(-s) - softplus(s)
//   dloss/ds += -weight sigmoid(-s) - sigmoid(s)
//
// A warp has a sentence and adds its entries in their order, so that sums are
// the same in every run. For each it first looks whether an equal entry stands
// earlier, in which case it adds nothing: S^2 / 2 comparisons in all, which is
// little for the few relations that sentences have. Lanes are values of d. An
// entry that is no cell makes its sentence's loss NaN, and the first sentence's
// if its own is none; nothing is read or written through it.
#pragma once

#include "pairs/cuda_gradient.cuh"

namespace cman {
namespace {

constexpr int gold_threads = 128;

// softplus(s), log(1 + e^s), and sigmoid(s), the logistic function.
template <typename T>
__device__ __forceinline__ T softplus(T s, T& sigmoid) {
  const T e = exponential(s < 0 ? s : -s);  // NaN stays NaN
  sigmoid = (s < 0 ? e : T(1)) / (1 + e);
  return (s > 0 ? s : T(0)) + log_of_one_plus(e);
}

// Whether an entry equal to the k-th stands before it; the whole warp calls it.
__device__ __forceinline__ bool listed_before(const PairGold& gold, int64_t k) {
  const int64_t* const cell = gold.cells + 4 * k;
  const int64_t b = cell[0], i = cell[1], j = cell[2], r = cell[3];
  for (int64_t from = 0; from < k; from += 32) {
    const int64_t at = from + threadIdx.x % 32;
    const int64_t* const other = gold.cells + 4 * at;
    const bool same = at < k && other[0] == b && other[1] == i &&
                      other[2] == j && other[3] == r;
    if (__any_sync(full_warp, same)) return true;
  }
  return false;
}

// What the k-th entry, one of sentence b, changes; the whole warp calls it.
template <typename T>
__device__ __forceinline__ void add_gold(const PairBatch<T>& input,
                                         const PairGold& gold, int64_t k,
                                         int64_t b, T weight, T* loss,
                                         const PairGradients<T>& out) {
  const int lane = threadIdx.x % 32;
  const int64_t* const cell = gold.cells + 4 * k;
  const int64_t i = cell[1], j = cell[2], r = cell[3];
  const int64_t length = cell[0] == b ? length_of(input, b) : -1;
  if (i < 0 || i >= length || j < 0 || j >= length || r < 0 ||
      r >= input.labels) {
    if (lane == 0) atomicAdd(loss + b, not_a_number<T>());
    return;
  }
  if (listed_before(gold, k)) return;
  const int64_t size = input.size;
  const int64_t head = (b * input.length + i) * size;
  const int64_t tail = (b * input.length + j) * size;
  const T* const V = input.V + r * size;
  T s = 0;
  for (int64_t d = lane; d < size; d += 32) {
    s = fused(V[d], hyperbolic(input.a[head + d] + input.c[tail + d]), s);
  }
  s = warp_sum(s);
  if (input.bias != nullptr) s += input.bias[r];
  T sigmoid, sigmoid_of_minus;
  const T as_none = softplus(s, sigmoid);
  const T as_gold = softplus(-s, sigmoid_of_minus);
  if (lane == 0) atomicAdd(loss + b, fused(weight, as_gold, -as_none));
  if (!out.wanted()) return;
  const T g = fused(-weight, sigmoid_of_minus, -sigmoid);
  if (lane == 0) atomicAdd(out.dbias + b * input.labels + r, g);
  for (int64_t d = lane; d < size; d += 32) {
    const T t = hyperbolic(input.a[head + d] + input.c[tail + d]);
    const T w = g * V[d] * fused(-t, t, T(1));
    atomicAdd(out.da + head + d, w);
    atomicAdd(out.dc + tail + d, w);
    atomicAdd(out.dV + (b * input.labels + r) * size + d, g * t);
  }
}

template <typename T>
__global__ void __launch_bounds__(gold_threads)
    gold_kernel(PairBatch<T> input, PairGold gold, T weight, T* loss,
                PairGradients<T> out) {
  const int lane = threadIdx.x % 32;
  const int64_t b =
      int64_t{blockIdx.x} * (gold_threads / 32) + threadIdx.x / 32;
  if (b >= input.batch) return;
  for (int64_t from = 0; from < gold.count; from += 32) {
    bool mine = false;
    if (from + lane < gold.count) {
      const int64_t of = gold.cells[4 * (from + lane)];
      mine = of == b || (b == 0 && (of < 0 || of >= input.batch));
    }
    unsigned left = __ballot_sync(full_warp, mine);
    while (left != 0) {
      add_gold(input, gold, from + __ffs(static_cast<int>(left)) - 1, b, weight,
               loss, out);
      left &= left - 1;
    }
  }
}

}  // namespace
}  // namespace cman
