// Gradients of a tile of pairs from the gradient G of its scores, which lies in
// shared memory as (rows, 32, L), zero where a cell is padding:
//
//   w(i, j, d) = (sum_r G[i][j][r] V[r][d]) (1 - tanh(a + c)^2)
//   da[i][d] += sum_j w     dc[j][d] += sum_i w
//   dV[r][d] += sum_ij G[i][j][r] tanh(a + c)     dbias[r] += sum_ij G[i][j][r]
//
// The tanh are computed again. Lanes are values of d, so nothing is summed
// across lanes: a thread has V, dV and, for the 8 tails of its warp, c and dc
// in registers for its d (two of them in float32, 32 apart), and walks the
// heads. G is read as broadcasts, 16 bytes at once. An element costs, with q =
// 1 / (1 + e^2a e^2c):
//
//   FMA and reciprocal for q, 2 FMA for tanh = 1 - 2 q and (1 - tanh^2) / 4 =
//   q - q^2, R for the sum with G, R for dV, 2 for da and dc: 6 + 2 R
//
// and (8 L / 4 + 6) / 16 loads and stores. Four warps share the tile's tails;
// da lies in shared memory, and at each of four steps a warp adds to heads that
// no other warp has, so that takes no atomics. What leaves the tile is added to
// global memory with atomics: one for 32 elements of da, for `rows` of dc, for
// 32 `rows` of dV. Their order varies, so the last bits of sums do, too, unless
// results come in parts: then each number is added to by one thread alone.
#pragma once

#include "pairs/cuda_tile.cuh"

namespace cman {
namespace {

constexpr int warp_tails = 8;                        // tails of a warp
constexpr int tail_warps = tile_tails / warp_tails;  // warps to a tile's tails
template <typename T>
constexpr int lane_values = sizeof(T) == 4 ? 2 : 1;  // values of d of a lane

// Values of d that a block of `rows` heads has in work at once; it has
// 8 threads a head.
template <typename T>
__host__ __device__ constexpr int span_of(int rows) {
  return rows * 8 / (32 * tail_warps) * 32 * lane_values<T>;
}

// Shared memory beside G: a and da of the heads, later dV of the warps.
template <typename T, int L>
__host__ __device__ constexpr int gradient_elements(int rows) {
  const int tiles = 2 * rows * span_of<T>(rows);
  const int sums = tail_warps * L * span_of<T>(rows);
  return tiles > sums ? tiles : sums;
}

template <typename T>
struct PairGradients {
  T* da;     // (B, N, D)
  T* dc;     // (B, N, D)
  T* dV;     // (R, D), or (B, R, D) if by sentence
  T* dbias;  // (R), or (B, R)
  bool by_sentence;
  bool in_parts;  // and then by sentence, each with its parts in front

  // da has no memory where D = 0, but there is a dbias even then.
  __host__ __device__ bool wanted() const { return dbias != nullptr; }
};

// The pairs of a block.
struct PairTile {
  int64_t sentence, head, tail, label;  // the first of each
  int rows;                             // heads it has room for
  int heads, tails, labels;             // that there are
};

// What a thread holds for its values of d while its warp walks the heads: four
// times V, the gradients, and e^2c, where nothing is far out.
template <typename T, int L>
struct Held {
  static constexpr int K = lane_values<T>;
  T v[L][K], dv[L][K];
  T c[warp_tails][K], dc[warp_tails][K];
};

// What a warp works on: tails of the tile, and values of d from `lane_at` on,
// 32 apart, of a span that starts at `from`.
struct Share {
  int first_tail, tails;
  int span, lane_at;
  int64_t from;

  __device__ __forceinline__ bool here(int k, int64_t size) const {
    return from + lane_at + 32 * k < size;
  }
};

// An element whose tanh is t and whose scores' gradients are g: adds to dV,
// returns 4 sum_r g V.
template <typename T, int L>
__device__ __forceinline__ T add_element(T t, const T* g, int k,
                                         Held<T, L>& held) {
  T u = g[0] * held.v[0][k];
  held.dv[0][k] = fused(g[0], t, held.dv[0][k]);
#pragma unroll
  for (int r = 1; r < L; ++r) {
    u = fused(g[r], held.v[r][k], u);
    held.dv[r][k] = fused(g[r], t, held.dv[r][k]);
  }
  return u;
}

// Heads with the warp's tails: exponentials of heads (span to a row), G and da
// from the first head on.
template <int L>
__device__ __forceinline__ void add_heads(const Share& share, int count,
                                          const float* heads, const float* grad,
                                          float* da, Held<float, L>& held) {
#pragma unroll 1
  for (int i = 0; i < count; ++i) {
    const int at = i * share.span + share.lane_at;
    const float a[2] = {heads[at], heads[at + 32]};
    float sum[2] = {da[at], da[at + 32]};
#pragma unroll
    for (int j = 0; j < warp_tails; j += 2) {
      float g[2 * L];  // of two tails: whole loads, as L is even
      load(grad + (i * tile_tails + j) * L, g);
#pragma unroll
      for (int e = 0; e < 2; ++e) {
#pragma unroll
        for (int k = 0; k < 2; ++k) {
          const float q =
              approx_reciprocal(fused(a[k], held.c[j + e][k], 1.0f));
          const float slope = fused(-q, q, q);  // a quarter of 1 - t^2
          const float u =
              add_element(fused(-2.0f, q, 1.0f), g + e * L, k, held);
          sum[k] = fused(u, slope, sum[k]);
          held.dc[j + e][k] = fused(u, slope, held.dc[j + e][k]);
        }
      }
    }
    da[at] = sum[0], da[at + 32] = sum[1];
  }
}

// The same with a and c (size to a row, at this lane's first d) in place of
// exponentials, and dc in global memory; rare in float32.
template <typename T, int L>
__device__ __forceinline__ void add_heads_directly(const Share& share,
                                                   int count, const T* a,
                                                   const T* c, int64_t size,
                                                   const T* grad, T* da, T* dc,
                                                   Held<T, L>& held) {
#pragma unroll
  for (int k = 0; k < lane_values<T>; ++k) {
    if (!share.here(k, size)) continue;
#pragma unroll 1
    for (int j = 0; j < share.tails; ++j) {
      const T tail = c[j * size + 32 * k];
      T sum = 0;
#pragma unroll 1
      for (int i = 0; i < count; ++i) {
        const T t = hyperbolic(a[i * size + 32 * k] + tail);
        const T slope = fused(T(-0.25) * t, t, T(0.25));
        const T u = add_element(t, grad + (i * tile_tails + j) * L, k, held);
        da[i * share.span + share.lane_at + 32 * k] += u * slope;
        sum = fused(u, slope, sum);
      }
      atomicAdd(dc + j * size + 32 * k, sum);
    }
  }
}

// dbias of a tile: a warp a label, lanes are tails.
template <typename T, int L>
__device__ __forceinline__ void add_bias_gradient(const PairTile& tile,
                                                  const T* grad, T* dbias) {
  const int lane = threadIdx.x % 32;
  for (int r = threadIdx.x / 32; r < tile.labels; r += blockDim.x / 32) {
    T sum = 0;
    for (int i = 0; i < tile.heads; ++i) {
      sum += grad[(i * tile_tails + lane) * L + r];
    }
    sum = warp_sum(sum);
    if (lane == 0) atomicAdd(dbias + tile.label + r, sum);
  }
}

// V, and c as exponentials (float32); whether some c is far out.
template <typename T, int L>
__device__ __forceinline__ bool load_held(const PairBatch<T>& input,
                                          const PairTile& tile,
                                          const Share& share, const T* c,
                                          Held<T, L>& held) {
  const T* const V = input.V + tile.label * input.size + share.from;
  bool far = false;
#pragma unroll
  for (int k = 0; k < lane_values<T>; ++k) {
    const bool here = share.here(k, input.size);
    const int at = share.lane_at + 32 * k;
#pragma unroll
    for (int r = 0; r < L; ++r) {
      held.dv[r][k] = held.v[r][k] = 0;
      if (here && r < tile.labels) held.v[r][k] = 4 * V[r * input.size + at];
    }
    if constexpr (sizeof(T) == sizeof(float)) {
#pragma unroll
      for (int j = 0; j < warp_tails; ++j) {
        T value = 0;
        if (here && j < share.tails) value = c[j * input.size + 32 * k];
        far |= is_far(value);
        held.c[j][k] = expf(2 * value);
        held.dc[j][k] = 0;
      }
    }
  }
  return far;
}

// a of the heads as exponentials (float32), and zeros for da.
template <typename T>
__device__ __forceinline__ bool load_heads(const PairTile& tile,
                                           const Share& share, const T* a,
                                           int64_t size, T* heads, T* da) {
  bool far = false;
  for (int k = threadIdx.x; k < tile.rows * share.span; k += blockDim.x) {
    const int row = k / share.span, at = k % share.span;
    if constexpr (sizeof(T) == sizeof(float)) {
      T value = 0;
      if (row < tile.heads && share.from + at < size) {
        value = a[row * size + at];
      }
      far |= is_far(value);
      heads[k] = expf(2 * value);
    }
    da[k] = 0;
  }
  return far;
}

// Everything above for the tile; the whole block calls it, after a barrier.
template <int L, typename T>
__device__ __forceinline__ void add_gradients(const PairBatch<T>& input,
                                              const PairTile& tile,
                                              const T* grad, T* shared,
                                              const PairGradients<T>& out) {
  constexpr bool factors = sizeof(T) == sizeof(float);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int quarter = tile.rows / tail_warps;
  const int64_t size = input.size;
  Share share;
  share.first_tail = warp % tail_warps * warp_tails;
  share.tails = min(warp_tails, tile.tails - share.first_tail);
  share.span = span_of<T>(tile.rows);
  share.lane_at = warp / tail_warps * 32 * lane_values<T> + lane;
  T* const heads = shared;                        // (rows, span) of a
  T* const da = shared + tile.rows * share.span;  // (rows, span)
  T* const sums = shared;                         // (tail_warps, L, span) of dV
  add_bias_gradient<T, L>(tile, grad, out.dbias);
  for (share.from = 0; share.from < size; share.from += share.span) {
    const int64_t sentence = tile.sentence * input.length * size + share.from;
    const int64_t head = sentence + tile.head * size;
    const int64_t tail =
        sentence + (tile.tail + share.first_tail) * size + share.lane_at;
    __syncthreads();  // what was in shared memory has been read
    Held<T, L> held;
    bool far = load_heads(tile, share, input.a + head, size, heads, da);
    far |= load_held(input, tile, share, input.c + tail, held);
    const bool direct = __syncthreads_or(far) || !factors;
    for (int step = 0; step < tail_warps; ++step) {
      const int begin = (warp + step) % tail_warps * quarter;
      const int count = min(quarter, tile.heads - begin);
      const T* const g = grad + (begin * tile_tails + share.first_tail) * L;
      const int row = begin * share.span;
      if (share.tails > 0 && direct) {
        add_heads_directly(
            share, count, input.a + head + begin * size + share.lane_at,
            input.c + tail, size, g, da + row, out.dc + tail, held);
      }
      if constexpr (factors) {
        if (share.tails > 0 && !direct) {
          add_heads(share, count, heads + row, g, da + row, held);
        }
      }
      __syncthreads();
    }
    for (int k = threadIdx.x; k < tile.heads * share.span; k += blockDim.x) {
      const int i = k / share.span, at = k % share.span;
      if (share.from + at < size)
        atomicAdd(out.da + head + i * size + at, da[k]);
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < lane_values<T>; ++k) {
#pragma unroll
      for (int j = 0; j < warp_tails; ++j) {
        if (!direct && j < share.tails && share.here(k, size)) {
          atomicAdd(out.dc + tail + j * size + 32 * k, held.dc[j][k]);
        }
      }
#pragma unroll
      for (int r = 0; r < L; ++r) {
        sums[(warp % tail_warps * L + r) * share.span + share.lane_at +
             32 * k] = held.dv[r][k];
      }
    }
    __syncthreads();
    for (int k = threadIdx.x; k < tile.labels * share.span; k += blockDim.x) {
      const int r = k / share.span, at = k % share.span;
      if (share.from + at >= size) continue;
      T sum = 0;
#pragma unroll
      for (int w = 0; w < tail_warps; ++w) sum += sums[w * L * share.span + k];
      atomicAdd(out.dV + (tile.label + r) * size + share.from + at, sum);
    }
  }
}

}  // namespace
}  // namespace cman
