// The sum over d for a tile of pairs, the part that all of cuda_operations.cu
// share.
//
// A tile is `rows` heads and 32 tails. Its a and c pass through shared memory,
// `depth` values of d at a time, as e^2a and e^2c, so exponentials are counted
// by token and tile, and an element (i, j, d) costs
//
//   q = 1 / (1 + e^2a e^2c)         one FMA, one reciprocal
//   sum[r] += V[r][d] q             R FMA
//
// since tanh(a + c) = 1 - 2 q; the score is bias + sum_d V - 2 sum. The
// instruction rcp.approx is right to an ulp, as is everything before it, so no
// Newton step follows. A tile where some |a| or |c| is not within 21.5 (the
// product must stay below the largest float), and all of float64, takes the
// direct path instead: q = (1 - tanh(a + c)) / 2.
//
// Threads: a thread holds I x J pairs with L sums each. V is laid out (d, L)
// and read as broadcasts, a and c by rows padded by 16 bytes, so that 8 tails
// lie in 8 different groups of banks. What is read as 16 bytes costs a thread
// with 2 x 2 pairs (4 + L) / 16 of an instruction an element.
#pragma once

#include <cstdint>

#include "pairs/interface.h"
#include "simd/cuda_launch.h"

namespace cman {
namespace {

constexpr int tile_tails = 32;
constexpr int most_labels = 12;  // of one chunk, which is L at most

// How many d are in shared memory at once; rows are padded by 16 bytes.
template <typename T>
constexpr int depth = 256 / sizeof(T);
template <typename T>
constexpr int row_stride = depth<T> + 16 / sizeof(T);

__device__ __forceinline__ float fused(float x, float y, float z) {
  return fmaf(x, y, z);
}
__device__ __forceinline__ double fused(double x, double y, double z) {
  return fma(x, y, z);
}
__device__ __forceinline__ float hyperbolic(float x) { return tanhf(x); }
__device__ __forceinline__ double hyperbolic(double x) { return tanh(x); }
__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }
__device__ __forceinline__ float log_of_one_plus(float x) { return log1pf(x); }
__device__ __forceinline__ double log_of_one_plus(double x) { return log1p(x); }

// Sixteen bytes at a time; `count` fills them exactly.
template <int count>
__device__ __forceinline__ void load(const float* from, float (&to)[count]) {
  static_assert(count % 4 == 0, "whole loads only");
#pragma unroll
  for (int k = 0; k < count; k += 4) {
    const float4 four = *reinterpret_cast<const float4*>(from + k);
    to[k] = four.x, to[k + 1] = four.y, to[k + 2] = four.z, to[k + 3] = four.w;
  }
}
template <int count>
__device__ __forceinline__ void load(const double* from, double (&to)[count]) {
  static_assert(count % 2 == 0, "whole loads only");
#pragma unroll
  for (int k = 0; k < count; k += 2) {
    const double2 two = *reinterpret_cast<const double2*>(from + k);
    to[k] = two.x, to[k + 1] = two.y;
  }
}

template <typename T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int bits = 16; bits > 0; bits >>= 1) {
    value += __shfl_xor_sync(full_warp, value, bits);
  }
  return value;
}

// The length of a sentence; -1 if it is none, and then nothing of it is read.
template <typename T>
__device__ __forceinline__ int64_t length_of(const PairBatch<T>& input,
                                             int64_t sentence) {
  const int64_t length = input.lengths[sentence];
  return length < 0 || length > input.length ? -1 : length;
}

template <typename T>
__device__ __forceinline__ T not_a_number() {
  return static_cast<T>(__int_as_float(0x7fffffff));
}

// Whether a value is too far out for the exponentials' product, or no number.
__device__ __forceinline__ bool is_far(float x) { return !(fabsf(x) <= 21.5f); }

// Copies depth values, from d on, of `rows` tokens to shared memory, as they
// are or as factors; zeros (ones) behind the end of a row and for tokens that
// are not there. token(row) is the address of a token's values or null. Returns
// whether this thread has met a value that is far out.
template <bool factors, typename T, typename Token>
__device__ __forceinline__ bool load_tile(T* tile, int rows, int64_t d,
                                          int64_t size, const Token& token) {
  bool far = false;
  const int at = threadIdx.x % depth<T>;  // blocks have whole rows of threads
  const int step = blockDim.x / depth<T>;
  const bool here = d + at < size;
#pragma unroll 4
  for (int row = threadIdx.x / depth<T>; row < rows; row += step) {
    const T* const from = token(row);
    T value = 0;
    if (here && from != nullptr) value = from[d + at];
    if constexpr (factors) {
      far |= is_far(value);
      value = expf(2 * value);
    }
    tile[row * row_stride<T> + at] = value;
  }
  return far;
}

// V of `count` labels from the first on, from d on, as (depth, L); else zeros.
template <int L, typename T>
__device__ __forceinline__ void load_weights(T* tile, const PairBatch<T>& input,
                                             int64_t first, int count,
                                             int64_t d) {
  for (int k = threadIdx.x; k < L * depth<T>; k += blockDim.x) {
    const int r = k / depth<T>, at = k % depth<T>;
    T value = 0;
    if (r < count && d + at < input.size) {
      value = input.V[(first + r) * input.size + d + at];
    }
    tile[at * L + r] = value;
  }
}

// bias[r] + sum_d V[r][d] of some labels, a warp for each; for after a barrier.
template <typename T>
__device__ __forceinline__ void load_bases(T* bases, const PairBatch<T>& input,
                                           int64_t first, int count) {
  const int lane = threadIdx.x % 32;
  for (int r = threadIdx.x / 32; r < count; r += blockDim.x / 32) {
    T sum = 0;
    for (int64_t d = lane; d < input.size; d += 32) {
      sum += input.V[(first + r) * input.size + d];
    }
    sum = warp_sum(sum);
    if (input.bias != nullptr) sum += input.bias[first + r];
    if (lane == 0) bases[r] = sum;
  }
}

// The products of `steps` values of d, rounded up to a multiple of 4: tiles are
// filled to their depth, with V = 0 behind the end.
template <int I, int J, int L>
__device__ __forceinline__ void add_factorised(const float* const (&heads)[I],
                                               const float* const (&tails)[J],
                                               const float* weights, int steps,
                                               float (&sums)[I][J][L]) {
#pragma unroll 1
  for (int d = 0; d < steps; d += 4) {
    float a[I][4], c[J][4];
#pragma unroll
    for (int i = 0; i < I; ++i) load(heads[i] + d, a[i]);
#pragma unroll
    for (int j = 0; j < J; ++j) load(tails[j] + d, c[j]);
#pragma unroll
    for (int half = 0; half < 4; half += 2) {
      float v[2 * L];  // two values of d: whole loads, as L is even
      load(weights + (d + half) * L, v);
#pragma unroll
      for (int k = 0; k < 2; ++k) {
#pragma unroll
        for (int i = 0; i < I; ++i) {
#pragma unroll
          for (int j = 0; j < J; ++j) {
            const float q =
                approx_reciprocal(fused(a[i][half + k], c[j][half + k], 1.0f));
#pragma unroll
            for (int r = 0; r < L; ++r) {
              sums[i][j][r] = fused(v[k * L + r], q, sums[i][j][r]);
            }
          }
        }
      }
    }
  }
}

template <typename T, int I, int J, int L>
__device__ __forceinline__ void add_direct(const T* const (&heads)[I],
                                           const T* const (&tails)[J],
                                           const T* weights, int steps,
                                           T (&sums)[I][J][L]) {
#pragma unroll 1
  for (int d = 0; d < steps; ++d) {
#pragma unroll
    for (int i = 0; i < I; ++i) {
#pragma unroll
      for (int j = 0; j < J; ++j) {
        const T x = hyperbolic(heads[i][d] + tails[j][d]);
        const T q = fused(T(-0.5), x, T(0.5));
#pragma unroll
        for (int r = 0; r < L; ++r) {
          sums[i][j][r] = fused(weights[d * L + r], q, sums[i][j][r]);
        }
      }
    }
  }
}

// Shared memory of a tile: a of `rows` heads, c of the tails, V.
template <typename T, int L>
__host__ __device__ constexpr int tile_elements(int rows) {
  return (rows + tile_tails) * row_stride<T> + depth<T> * L;
}

// All of the sum for a tile; the whole block calls it. This thread's pairs are
// heads first_head + k head_step and tails first_tail + k tail_step; `idle`
// threads have none. head(i) and tail(j) are addresses of a and c, or null.
template <int I, int J, int L, typename T, typename Head, typename Tail>
__device__ __forceinline__ void sum_tile(
    const PairBatch<T>& input, int64_t first_label, int labels, T* shared,
    int rows, const Head& head, const Tail& tail, int first_head, int head_step,
    int first_tail, int tail_step, bool idle, T (&sums)[I][J][L]) {
  T* const a = shared;
  T* const c = a + rows * row_stride<T>;
  T* const weights = c + tile_tails * row_stride<T>;
  const T* heads[I];
  const T* tails[J];
#pragma unroll
  for (int i = 0; i < I; ++i) {
    heads[i] = a + (first_head + i * head_step) * row_stride<T>;
#pragma unroll
    for (int j = 0; j < J; ++j) {
      tails[j] = c + (first_tail + j * tail_step) * row_stride<T>;
#pragma unroll
      for (int r = 0; r < L; ++r) sums[i][j][r] = 0;
    }
  }
  constexpr bool factors = sizeof(T) == sizeof(float);
  for (int64_t d = 0; d < input.size; d += depth<T>) {
    const int64_t left = input.size - d;
    const int steps = left < depth<T> ? static_cast<int>(left) : depth<T>;
    __syncthreads();  // what was in shared memory has been read
    bool far = load_tile<factors>(a, rows, d, input.size, head);
    far |= load_tile<factors>(c, tile_tails, d, input.size, tail);
    load_weights<L>(weights, input, first_label, labels, d);
    const bool direct = __syncthreads_or(far) || !factors;
    if (direct && factors) {  // rare: read them again, as they are
      load_tile<false>(a, rows, d, input.size, head);
      load_tile<false>(c, tile_tails, d, input.size, tail);
      __syncthreads();
    }
    if (idle) continue;
    if constexpr (factors) {
      if (!direct) {
        add_factorised(heads, tails, weights, steps, sums);
        continue;
      }
    }
    add_direct(heads, tails, weights, steps, sums);
  }
}

}  // namespace
}  // namespace cman
