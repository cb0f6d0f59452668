// Scores of token pairs on CUDA: what interface.h declares, on device pointers.
//
//   s[b][i][j][r] = bias[r] + sum_d V[r][d] tanh(a[b][i][d] + c[b][j][d])
//
// cuda_tile.cuh      the sum over d for a tile of pairs
// cuda_gradient.cuh  a tile's gradients
// cuda_blocks.cuh    which block has which tile
// cuda_gold.cuh      what gold cells change in the loss
// cuda_select.cuh    cells above a threshold
//
// A block has a tile of 32 heads (16 if there are few tiles: then more blocks
// share the work) and 32 tails of a sentence, with at most 12 labels; more
// labels are more blocks, which sum again. It has 8 threads a head. Forward, a
// warp has 8 heads and 16 tails, a thread 2 x 2 pairs; a warp whose pairs are
// all padding rests. The scores of a tile pass through shared memory on their
// way out, so that rows of the table are written as they lie in memory.
//
// Memory: a, c and V are read once a tile, the scores or their gradient pass
// once in all, and nothing else of the size of pairs exists: pair_bce keeps a
// tile's scores in shared memory, where they become their own gradient. Shared
// memory, float32, R = 6 (R = 12): scores 24 (48) KiB, backward 56 (80), bce 56
// (80). A block's tile waits in shared memory for the gradients, and scores go
// there before their exponentials are taken, one at a time: with 12 labels they
// would not all fit the 128 registers of a thread.
//
// What bounds it: instructions. An element (i, j, d) takes R + 2 issue slots
// forward, one of them the reciprocal, on a pipe that takes one in 8 cycles: at
// R = 6 both limits are 8 cycles of a scheduler for 32 elements. On top come
// (4 + R) / 16 slots of loads, about 1 for the exponentials of 32 heads and 32
// tails (1.5 with 16 heads), and 5 R / D for the way out: 10.3 at R = 6,
// D = 128. A multiprocessor has 24 warps to issue from, each with 16
// independent reciprocals at a time. Backward takes 6 + 2 R, with everything 21
// at R = 6, and 16 warps. pair_bce takes both and saves the table's way out and
// back. Two elements could share a reciprocal, but at R = 6 that only moves the
// work to the slots, and for |a| > 10 it would need a third path.
//
// Atomics add what blocks share, one for 32 elements (16 with 16 heads) of da
// and of dc, so the last bits of gradients and losses vary from run to run,
// unless results come in parts; scores and selected cells do not.
//
// A length that is none (below 0 or above N) makes its sentence's scores, its
// loss, and one row each of da and dc NaN. Nothing is read out of bounds.

#include <algorithm>
#include <type_traits>

#include "pairs/cuda_blocks.cuh"
#include "pairs/cuda_gold.cuh"
#include "pairs/cuda_gradient.cuh"
#include "pairs/cuda_select.cuh"
#include "pairs/cuda_tile.cuh"

namespace cman {
namespace {

// Kernels -------------------------------------------------------------------

template <typename T, int L>
__global__ void __launch_bounds__(most_threads<T>, L <= 6 ? 3 : 2)
    scores_kernel(PairBatch<T> input, Cut cut, T* scores) {
  CMAN_DYNAMIC_SHARED(T, shared);
  const int64_t length = length_of(input, int64_t{blockIdx.x} / cut.blocks());
  const PairTile tile = tile_of_block(input, cut, length);
  if (tile.heads > 0 && tile.tails > 0) {
    const ThreadPairs mine(tile);
    score_pairs<L>(input, tile, mine, shared, shared);
  }
  __syncthreads();
  const T padding = length < 0 ? not_a_number<T>() : T(0);
  for_each_cell<L>(
      input, tile, scores, shared,
      [&](T& to, const T& from, bool inside) { to = inside ? from : padding; });
}

template <typename T, int L>
__global__ void __launch_bounds__(most_threads<T>, 2)
    backward_kernel(PairBatch<T> input, Cut cut, const T* grad,
                    PairGradients<T> out) {
  CMAN_DYNAMIC_SHARED(T, shared);
  const int64_t length = length_of(input, int64_t{blockIdx.x} / cut.blocks());
  const PairTile tile = tile_of_block(input, cut, length);
  if (length < 0) spoil_gradients(input, tile, out.da, out.dc);
  if (tile.heads == 0 || tile.tails == 0) return;
  CMAN_SHARED(PairTile, kept_tile, 1);
  if (threadIdx.x == 0) kept_tile[0] = tile;
  const int cells = tile.rows * tile_tails * L;
  for (int k = threadIdx.x; k < cells; k += blockDim.x) shared[k] = 0;
  __syncthreads();
  for_each_cell<L>(input, tile, grad, shared,
                   [](const T& from, T& to, bool inside) {
                     if (inside) to = from;
                   });
  __syncthreads();
  add_gradients<L>(input, kept_tile[0], shared, shared + cells,
                   gradients_of_tile(input, cut, kept_tile[0], out));
}

// The loss alone if no gradients are wanted. As if there were no gold.
template <typename T, int L>
__global__ void __launch_bounds__(most_threads<T>, 2)
    bce_kernel(PairBatch<T> input, Cut cut, T* loss, PairGradients<T> out) {
  CMAN_DYNAMIC_SHARED(T, shared);
  CMAN_SHARED(T, warp_loss, most_threads<T> / 32);
  const bool differentiate = out.wanted();
  const int64_t length = length_of(input, int64_t{blockIdx.x} / cut.blocks());
  const PairTile tile = tile_of_block(input, cut, length);
  if (length < 0) {
    const bool first = tile.head == 0 && tile.tail == 0 && tile.label == 0;
    if (first && threadIdx.x == 0) loss[tile.sentence] = not_a_number<T>();
    if (differentiate) spoil_gradients(input, tile, out.da, out.dc);
  }
  if (tile.heads == 0 || tile.tails == 0) return;
  CMAN_SHARED(PairTile, kept_tile, 1);
  if (threadIdx.x == 0) kept_tile[0] = tile;
  const int cells = differentiate ? tile.rows * tile_tails * L : 0;
  const ThreadPairs mine(tile);
  score_pairs<L>(input, tile, mine, shared + cells, shared);
  T sum = 0;
#pragma unroll 1
  for (int k = 0; k < 4 * L; ++k) {  // scores of this thread's own
    const int head = mine.head + k / L / 2 * 4, r = k % L;
    const int tail = mine.tail + k / L % 2 * 8;
    T& cell = shared[(head * tile_tails + tail) * L + r];
    T sigmoid = 0;
    if (head < tile.heads && tail < tile.tails && r < tile.labels) {
      sum += softplus(cell, sigmoid);
    }
    if (differentiate) cell = sigmoid;
  }
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) warp_loss[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < static_cast<int>(blockDim.x) / 32; ++w) {
      sum += warp_loss[w];
    }
    const PairTile& own = kept_tile[0];
    int64_t part = 0;
    if (out.in_parts) {
      const int64_t chunk = own.label / cut.labels;
      part = chunk * cut.heads * cut.tails + Part(cut, own).sentence;
    }
    atomicAdd(loss + part * input.batch + own.sentence, sum);
  }
  if (!differentiate) return;
  __syncthreads();
  const PairTile& again = kept_tile[0];
  add_gradients<L>(input, again, shared, shared + again.rows * tile_tails * L,
                   gradients_of_tile(input, cut, again, out));
}

// Launchers -----------------------------------------------------------------

int64_t quotient(int64_t count, int64_t by) { return (count + by - 1) / by; }

unsigned grid_of(int64_t blocks) {
  if (blocks > 0x7fffffff) {
    throw std::runtime_error("pairs: too many for one call");
  }
  return static_cast<unsigned>(blocks);
}

// Tiles of 16 heads in float64, whose registers and memory are twice as large,
// and where tiles of 32 would be fewer than two for each multiprocessor.
template <typename T>
Cut cut_of(const PairBatch<T>& input) {
  Cut cut;
  cut.chunks = quotient(input.labels, most_labels);
  cut.labels = input.labels == 0
                   ? 0
                   : static_cast<int>(quotient(input.labels, cut.chunks));
  cut.tails = std::max<int64_t>(quotient(input.length, tile_tails), 1);
  const int64_t blocks = input.batch * cut.tails * cut.tails * cut.chunks;
  const bool few = sizeof(T) == 8 || blocks < 2 * multiprocessors();
  cut.rows = few ? 16 : 32;
  cut.heads = std::max<int64_t>(quotient(input.length, cut.rows), 1);
  return cut;
}

// Calls with the smallest L that a chunk's labels fit in, as a constant.
template <typename T, typename Call>
void with_labels(int labels, const Call& call) {
  if constexpr (sizeof(T) == 4) {
    if (labels <= 2) return call(std::integral_constant<int, 2>());
    if (labels > 4 && labels <= 6)
      return call(std::integral_constant<int, 6>());
    if (labels > 6 && labels <= 8)
      return call(std::integral_constant<int, 8>());
    if (labels > 8 && labels <= 10) {
      return call(std::integral_constant<int, 10>());
    }
  }
  if (labels <= 4) return call(std::integral_constant<int, 4>());
  call(std::integral_constant<int, 12>());
}

// Queues kernel<T, L> with 8 threads to a head for each block of the cut.
template <typename T, typename... P, typename... A>
void launch_blocks(void (*kernel)(PairBatch<T>, Cut, P...),
                   const PairBatch<T>& input, const Cut& cut, int elements,
                   Stream stream, A... arguments) {
  launch(kernel, grid_of(input.batch * cut.blocks()), cut.rows * 8,
         elements * sizeof(T), stream, input, cut, arguments...);
}

template <typename T>
void launch_scores(const PairBatch<T>& input, T* scores, Stream stream) {
  if (input.length == 0) return;
  const Cut cut = cut_of(input);
  with_labels<T>(cut.labels, [&](auto size) {
    constexpr int L = decltype(size)::value;
    const int elements =
        std::max(tile_elements<T, L>(cut.rows), cut.rows * tile_tails * L);
    launch_blocks(scores_kernel<T, L>, input, cut, elements, stream, scores);
  });
}

template <typename T>
void launch_backward(const PairBatch<T>& input, const T* grad,
                     const PairGradients<T>& out, Stream stream) {
  const Cut cut = cut_of(input);
  with_labels<T>(cut.labels, [&](auto size) {
    constexpr int L = decltype(size)::value;
    const int elements =
        cut.rows * tile_tails * L + gradient_elements<T, L>(cut.rows);
    launch_blocks(backward_kernel<T, L>, input, cut, elements, stream, grad,
                  out);
  });
}

template <typename T>
void launch_bce(const PairBatch<T>& input, const PairGold& gold, T weight,
                T* loss, const PairGradients<T>& out, Stream stream) {
  if (input.batch == 0) return;
  const Cut cut = cut_of(input);
  with_labels<T>(cut.labels, [&](auto size) {
    constexpr int L = decltype(size)::value;
    const int cells = cut.rows * tile_tails * L;
    int elements = std::max(tile_elements<T, L>(cut.rows), cells);
    if (out.wanted()) {
      elements = std::max(tile_elements<T, L>(cut.rows),
                          gradient_elements<T, L>(cut.rows)) +
                 cells;
    }
    launch_blocks(bce_kernel<T, L>, input, cut, elements, stream, loss, out);
  });
  if (gold.count == 0) return;
  launch(gold_kernel<T>, grid_of(quotient(input.batch, gold_threads / 32)),
         gold_threads, 0, stream, input, gold, weight, loss, out);
}

template <typename T>
void launch_select(const PairBatch<T>& input, const PairAnchors& anchors,
                   T threshold, int64_t* counts, const int64_t* offsets,
                   int64_t* cells, T* scores, Stream stream) {
  if (input.labels == 0) return;
  const Cut cut = cut_of(input);
  with_labels<T>(cut.labels, [&](auto size) {
    constexpr int L = decltype(size)::value;
    const int64_t elements = select_elements<T, L>() + input.labels;
    launch(select_kernel<T, L>, grid_of(quotient(anchors.count, select_rows)),
           select_threads, elements * sizeof(T), stream, input, anchors,
           threshold, cut.labels, counts, offsets, cells, scores);
  });
}

}  // namespace

template <typename T>
void pair_scores(const PairBatch<T>& input, T* scores, Stream stream) {
  launch_scores(input, scores, stream);
}

template <typename T>
PairParts pair_parts(const PairBatch<T>& input) {
  const Cut cut = cut_of(input);
  const int64_t chunks = std::max<int64_t>(cut.chunks, 1);
  const int64_t tiles = cut.heads * cut.tails;
  return {chunks * cut.tails, chunks * cut.heads, tiles, tiles, chunks * tiles};
}

template <typename T>
void pair_scores_backward(const PairBatch<T>& input, const T* grad, T* da,
                          T* dc, T* dV, T* dbias, bool in_parts,
                          Stream stream) {
  launch_backward<T>(input, grad, {da, dc, dV, dbias, in_parts, in_parts},
                     stream);
}

template <typename T>
void pair_bce(const PairBatch<T>& input, const PairGold& gold,
              T positive_weight, T* loss, T* da, T* dc, T* dV, T* dbias,
              bool in_parts, Stream stream) {
  launch_bce<T>(input, gold, positive_weight, loss,
                {da, dc, dV, dbias, true, in_parts}, stream);
}

template <typename T>
void pair_select_count(const PairBatch<T>& input, const PairAnchors& anchors,
                       T threshold, int64_t* counts, int64_t* marks,
                       Stream stream) {
  launch(mark_kernel<T>, grid_of(quotient(anchors.count, select_threads)),
         select_threads, 0, stream, input, anchors, marks);
  launch_select<T>(input, anchors, threshold, counts, nullptr, nullptr, nullptr,
                   stream);
}

template <typename T>
void pair_select_fill(const PairBatch<T>& input, const PairAnchors& anchors,
                      T threshold, const int64_t* offsets, int64_t* cells,
                      T* scores, Stream stream) {
  launch_select<T>(input, anchors, threshold, nullptr, offsets, cells, scores,
                   stream);
}

#define CMAN_INSTANTIATE(T)                                                   \
  template void pair_scores(const PairBatch<T>&, T*, Stream);                 \
  template PairParts pair_parts(const PairBatch<T>&);                         \
  template void pair_scores_backward(const PairBatch<T>&, const T*, T*, T*,   \
                                     T*, T*, bool, Stream);                   \
  template void pair_bce(const PairBatch<T>&, const PairGold&, T, T*, T*, T*, \
                         T*, T*, bool, Stream);                               \
  template void pair_select_count(const PairBatch<T>&, const PairAnchors&, T, \
                                  int64_t*, int64_t*, Stream);                \
  template void pair_select_fill(const PairBatch<T>&, const PairAnchors&, T,  \
                                 const int64_t*, int64_t*, T*, Stream);
CMAN_INSTANTIATE(float)
CMAN_INSTANTIATE(double)
#undef CMAN_INSTANTIATE

}  // namespace cman
