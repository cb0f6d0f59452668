// How cuda_operations.cu cuts tables of pairs into blocks, and what all blocks
// do: find their tile, compute its scores, and move scores between shared
// memory and the table.
#pragma once

#include "pairs/cuda_gradient.cuh"
#include "pairs/cuda_tile.cuh"

namespace cman {
namespace {

// Of a block: 8 a head.
template <typename T>
constexpr int most_threads = sizeof(T) == 4 ? 256 : 128;

// How a call is cut into blocks.
struct Cut {
  int rows;              // heads of a tile
  int64_t heads, tails;  // tiles a sentence
  int64_t chunks;        // of labels
  int labels;            // of a chunk; the last may have fewer

  // Of a sentence.
  __host__ __device__ int64_t blocks() const { return heads * tails * chunks; }
};

template <typename T>
__device__ __forceinline__ PairTile tile_of_block(const PairBatch<T>& input,
                                                  const Cut& cut,
                                                  int64_t length) {
  int64_t at = blockIdx.x;
  PairTile tile;
  tile.tail = at % cut.tails * tile_tails, at /= cut.tails;
  tile.head = at % cut.heads * cut.rows, at /= cut.heads;
  tile.label = at % cut.chunks * cut.labels;
  tile.sentence = at / cut.chunks;
  tile.rows = cut.rows;
  const auto within = [](int64_t count, int most) {
    return static_cast<int>(max(int64_t{0}, min(count, int64_t{most})));
  };
  tile.heads = within(length - tile.head, cut.rows);
  tile.tails = within(length - tile.tail, tile_tails);
  tile.labels = within(input.labels - tile.label, cut.labels);
  return tile;
}

// The pairs of this thread: heads first + 0 and 4, tails first + 0 and 8.
struct ThreadPairs {
  int head, tail;
  bool idle;  // all of its warp's pairs are padding

  __device__ __forceinline__ explicit ThreadPairs(const PairTile& tile) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    head = warp / 2 * 8, tail = warp % 2 * 16;
    idle = head >= tile.heads || tail >= tile.tails;
    head += lane / 8, tail += lane % 8;
  }
};

// Scores of this thread's pairs go to `cells` (rows, 32, L), where no other
// thread looks before a barrier; the memory of the sum, `shared`, may begin
// there too. The whole block calls it.
template <int L, typename T>
__device__ __forceinline__ void score_pairs(const PairBatch<T>& input,
                                            const PairTile& tile,
                                            const ThreadPairs& mine, T* shared,
                                            T* cells) {
  CMAN_SHARED(T, bases, most_labels);
  load_bases(bases, input, tile.label, tile.labels);
  const int64_t sentence = tile.sentence * input.length;
  const T* const a = input.a + (sentence + tile.head) * input.size;
  const T* const c = input.c + (sentence + tile.tail) * input.size;
  const auto head = [&](int i) {
    return i < tile.heads ? a + i * input.size : nullptr;
  };
  const auto tail = [&](int j) {
    return j < tile.tails ? c + j * input.size : nullptr;
  };
  T sums[2][2][L];
  sum_tile<2, 2, L>(input, tile.label, tile.labels, shared, tile.rows, head,
                    tail, mine.head, 4, mine.tail, 8, mine.idle, sums);
  __syncthreads();  // bases are there, and the tile has been read
#pragma unroll
  for (int r = 0; r < L; ++r) {
    const T base = r < tile.labels ? bases[r] : T(0);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        const int cell = (mine.head + 4 * i) * tile_tails + mine.tail + 8 * j;
        cells[cell * L + r] = fused(T(-2), sums[i][j][r], base);
      }
    }
  }
}

// Between a block's (rows, 32, L) in shared memory and the table in global
// memory: move(global, shared, inside) for each cell of the table that the
// block has, where inside says whether it is no padding.
template <int L, typename T, typename Table, typename Move>
__device__ __forceinline__ void for_each_cell(const PairBatch<T>& input,
                                              const PairTile& tile,
                                              Table* table, T* shared,
                                              const Move& move) {
  const int64_t length = input.length, labels = input.labels;
  const int columns =
      static_cast<int>(min(length - tile.tail, int64_t{tile_tails}));
  for (int i = threadIdx.x / 32; i < tile.rows; i += blockDim.x / 32) {
    if (tile.head + i >= length) break;
    const int64_t first =
        (tile.sentence * length + tile.head + i) * length + tile.tail;
    Table* const to = table + first * labels + tile.label;
    T* const from = shared + i * tile_tails * L;
    const bool inside = i < tile.heads;
    if (labels == L) {  // as they lie in shared memory
      for (int k = threadIdx.x % 32; k < columns * L; k += 32) {
        move(to[k], from[k], inside && k < tile.tails * L);
      }
    } else {
      for (int k = threadIdx.x % 32; k < columns * L; k += 32) {
        const int j = k / L, r = k % L;
        if (r < tile.labels) {
          move(to[j * labels + r], from[k], inside && j < tile.tails);
        }
      }
    }
  }
}

// Which part of a result the tile adds to: of da, dc, and of what is by
// sentence alone. Tiles of the same heads differ in tails or in labels.
struct Part {
  int64_t da, dc, sentence;

  __device__ __forceinline__ Part(const Cut& cut, const PairTile& tile)
      : da(0), dc(0), sentence(0) {
    const int64_t chunk = cut.labels == 0 ? 0 : tile.label / cut.labels;
    const int64_t head = tile.head / cut.rows, tail = tile.tail / tile_tails;
    da = chunk * cut.tails + tail;
    dc = chunk * cut.heads + head;
    sentence = head * cut.tails + tail;
  }
};

// Where the tile's gradients begin.
template <typename T>
__device__ __forceinline__ PairGradients<T> gradients_of_tile(
    const PairBatch<T>& input, const Cut& cut, const PairTile& tile,
    PairGradients<T> out) {
  int64_t at = out.by_sentence ? tile.sentence : 0;
  if (out.in_parts) {
    const Part part(cut, tile);
    const int64_t tokens = input.batch * input.length * input.size;
    out.da += part.da * tokens;
    out.dc += part.dc * tokens;
    at = part.sentence * input.batch + tile.sentence;
  }
  out.dV += at * input.labels * input.size;
  out.dbias += at * input.labels;
  return out;
}

template <typename T>
__device__ __forceinline__ void spoil_gradients(const PairBatch<T>& input,
                                                const PairTile& tile, T* da,
                                                T* dc) {
  if (tile.head != 0 || tile.tail != 0 || tile.label != 0) return;
  if (input.length == 0) return;
  for (int64_t d = threadIdx.x; d < input.size; d += blockDim.x) {
    const int64_t at = tile.sentence * input.length * input.size + d;
    da[at] = dc[at] = not_a_number<T>();
  }
}

}  // namespace
}  // namespace cman
