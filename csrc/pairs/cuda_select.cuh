// The cells between anchors whose score is above a threshold, in order.
//
// One kernel does both passes, so that both see the same bits: with `counts` it
// counts a row's cells, without it writes them from the row's offset on. A
// warp has one anchor's row, and its lanes 32 anchors of the sentence at a
// time, so all labels of a cell are one thread's and the place of a cell in its
// row is a prefix sum over the lanes. Anchors are sorted, so those of one
// sentence lie together; 8 rows share the tiles of tails, which reach from the
// first row's sentence to the last row's. An element (i, j, d) costs R + 2
// instructions and (8 + 4 L) / 16 loads.
//
// More than 12 labels go in chunks. A cell's place depends on all labels of the
// lanes before it, so filling first counts a tile's cells, then sums again.
#pragma once

#include "pairs/cuda_tile.cuh"

namespace cman {
namespace {

constexpr int select_rows = 8;
constexpr int select_threads = 32 * select_rows;

template <typename T, int L>
__host__ __device__ constexpr int select_elements() {
  return tile_elements<T, L>(select_rows);
}

struct Anchor {
  int64_t sentence, token;
};

// The k-th anchor; of sentence -1 if there is none or if it is no token of one.
template <typename T>
__device__ __forceinline__ Anchor anchor_at(const PairBatch<T>& input,
                                            const PairAnchors& anchors,
                                            int64_t k) {
  if (k < 0 || k >= anchors.count) return {-1, 0};
  const int64_t sentence = anchors.tokens[2 * k];
  const int64_t token = anchors.tokens[2 * k + 1];
  if (sentence < 0 || sentence >= input.batch || token < 0 ||
      token >= length_of(input, sentence)) {
    return {-1, 0};
  }
  return {sentence, token};
}

// How many anchors next to `from`, in the direction `by`, are of its sentence;
// a whole warp calls it.
__device__ __forceinline__ int64_t neighbours(const PairAnchors& anchors,
                                              int64_t from, int by) {
  const int64_t sentence = anchors.tokens[2 * from];
  for (int64_t found = 0;; found += 32) {
    const int64_t at = from + by * (found + 1 + threadIdx.x % 32);
    const bool same =
        at >= 0 && at < anchors.count && anchors.tokens[2 * at] == sentence;
    const unsigned others = ~__ballot_sync(full_warp, same);
    if (others != 0) return found + __ffs(static_cast<int>(others)) - 1;
  }
}

// The sum of the values of the lanes before this one; total gets that of all.
__device__ __forceinline__ int64_t sum_before(int value, int& total) {
  int sum = value;
#pragma unroll
  for (unsigned delta = 1; delta < 32; delta *= 2) {
    const int other = __shfl_up_sync(full_warp, sum, delta);
    if (threadIdx.x % 32 >= delta) sum += other;
  }
  total = __shfl_sync(full_warp, sum, 31);
  return sum - value;
}

// Marks, which come zeroed, say what is wrong with the anchors: the first that
// some is no token of a sentence, the second that they are out of order or
// twice. All who write, write the same.
template <typename T>
__global__ void __launch_bounds__(select_threads)
    mark_kernel(PairBatch<T> input, PairAnchors anchors, int64_t* marks) {
  const int64_t k = int64_t{blockIdx.x} * select_threads + threadIdx.x;
  if (k >= anchors.count) return;
  const int64_t* const here = anchors.tokens + 2 * k;
  if (anchor_at(input, anchors, k).sentence < 0) marks[0] = 1;
  if (k == 0) return;
  const bool later =
      here[-2] != here[0] ? here[-2] < here[0] : here[-1] < here[1];
  if (!later) marks[1] = 1;
}

template <typename T, int L>
__global__ void __launch_bounds__(select_threads, 2)
    select_kernel(PairBatch<T> input, PairAnchors anchors, T threshold,
                  int chunk_labels, int64_t* counts, const int64_t* offsets,
                  int64_t* cells, T* scores) {
  CMAN_DYNAMIC_SHARED(T, shared);
  CMAN_SHARED(int64_t, range, 2);
  T* const bases = shared + select_elements<T, L>();  // (R)
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t first_row = int64_t{blockIdx.x} * select_rows;
  const int64_t row = first_row + warp;
  const int64_t last_row = min(first_row + select_rows, anchors.count) - 1;
  if (warp == 0) {
    const int64_t before = neighbours(anchors, first_row, -1);
    if (lane == 0) range[0] = first_row - before;
  } else if (warp == 1) {
    const int64_t after = neighbours(anchors, last_row, 1);
    if (lane == 0) range[1] = last_row + 1 + after;
  }
  load_bases(bases, input, 0, static_cast<int>(input.labels));
  __syncthreads();
  const bool filling = counts == nullptr;
  const int64_t begin = range[0], end = range[1];
  const int64_t chunks = (input.labels + chunk_labels - 1) / chunk_labels;
  const Anchor mine = anchor_at(input, anchors, row);
  const auto head = [&](int k) -> const T* {
    const Anchor at = anchor_at(input, anchors, first_row + k);
    if (at.sentence < 0) return nullptr;
    return input.a + (at.sentence * input.length + at.token) * input.size;
  };
  int64_t found = 0;  // cells of this row in the tiles before
  for (int64_t tile = begin; tile < end; tile += tile_tails) {
    const auto tail = [&](int k) -> const T* {
      const Anchor at =
          tile + k < end ? anchor_at(input, anchors, tile + k) : Anchor{-1, 0};
      if (at.sentence < 0) return nullptr;
      return input.c + (at.sentence * input.length + at.token) * input.size;
    };
    const Anchor other = tile + lane < end
                             ? anchor_at(input, anchors, tile + lane)
                             : Anchor{-1, 0};
    const bool pair = mine.sentence >= 0 && mine.sentence == other.sentence;
    const bool idle = !__any_sync(full_warp, pair);
    // With several chunks, filling counts in the first round, writes in the
    // second; with one, the counts are known while the sums are still there.
    const int rounds = filling && chunks > 1 ? 2 : 1;
    int count = 0, total = 0;
    int64_t place = 0;
    for (int round = 0; round < rounds; ++round) {
      for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const int64_t first = chunk * chunk_labels;
        const int labels =
            static_cast<int>(min(input.labels - first, int64_t{chunk_labels}));
        T sums[1][1][L];
        sum_tile<1, 1, L>(input, first, labels, shared, select_rows, head, tail,
                          warp, 1, lane, 1, idle, sums);
        unsigned above = 0;
#pragma unroll
        for (int r = 0; r < L; ++r) {
          if (!pair || r >= labels) continue;
          sums[0][0][r] = fused(T(-2), sums[0][0][r], bases[first + r]);
          if (sums[0][0][r] > threshold) above |= 1u << r;
        }
        if (round == 0) count += __popc(above);
        if (round == 0 && chunk == chunks - 1) {
          place = sum_before(count, total);
          if (filling) place += offsets[min(row, last_row)] + found;
        }
        if (!filling || round < rounds - 1) continue;
#pragma unroll
        for (int r = 0; r < L; ++r) {
          if (!(above >> r & 1)) continue;
          int64_t* const cell = cells + 4 * place;
          cell[0] = mine.sentence, cell[1] = mine.token;
          cell[2] = other.token, cell[3] = first + r;
          scores[place++] = sums[0][0][r];
        }
      }
    }
    found += total;
  }
  if (!filling && lane == 0 && row < anchors.count) counts[row] = found;
}

}  // namespace
}  // namespace cman
