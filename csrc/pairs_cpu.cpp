// The scores of all token pairs on the CPU: batches, threads and memory. What
// computes is in the kernels of pairs_cpu_kernels.h, chosen when a call starts.
//
// No pass holds a value per pair and dimension. Scores go from registers to the
// caller's table; the fused loss keeps the scores of a few rows in a buffer of
// the L1 cache, turns them into gradients in place, and uses them up. Beside the
// outputs a thread holds the exponentials of one sentence's tails (twice, in the
// fused loss, as the two passes read them in different orders) and dc.
//
// Results do not depend on the number of threads. A row of scores is computed
// alone. Gradients of scores are shared out by blocks of dimensions, which no
// sum crosses, and by groups of sentences, whose number depends on the shapes
// only; the gradients of V of the groups are added in order. The fused loss
// leaves a sentence to one thread.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <mutex>
#include <vector>

#include "isa.h"
#include "pairs.h"
#include "pairs_cpu_kernels.h"
#include "pairs_gold.h"
#include "pairs_memory.h"

namespace cman {
namespace {

// Costs are in multiply-adds of one lane; a range of work has at least this
// many: about 0.1 ms, against some microseconds to hand it to a thread.
constexpr int64_t least_work = 6 << 20;
// What there is to do beside a multiply-add a label and pass.
constexpr int64_t overhead = 5;
// Rows of one call of a backward kernel: long sums in float lose digits, few
// rows make loading and storing V's gradient count.
constexpr int64_t most_rows = 16, most_pairs = 1024;
// Values in the buffer of scores of the fused loss.
constexpr int64_t most_scores = 8192;
// Enough parts of a backward pass for any number of threads that pays.
constexpr int64_t parts_of_backward = 32;

template <typename T>
const PairKernels<T>& kernels();

template <>
const PairKernels<double>& kernels<double>() {
  return pair_kernels_double();
}

template <>
const PairKernels<float>& kernels<float>() {
#if CMAN_X86
  if (isa() == Isa::avx512) return pair_kernels_avx512();
  if (isa() == Isa::avx2) return pair_kernels_avx2();
#endif
  return pair_kernels_portable();
}

template <typename T>
int64_t pair_cost(const PairBatch<T>& input, int passes) {
  const int64_t slow = sizeof(T) == 8 ? 16 : 1;  // plain loops, exact tanh
  return slow * (input.size + 1) * (passes * input.labels + overhead);
}

template <typename T>
int64_t longest(const PairBatch<T>& input) {
  int64_t most = 0;
  for (int64_t b = 0; b < input.batch; ++b) {
    most = std::max(most, input.lengths[b]);
  }
  return most;
}

// The rows of a, c, da or dc that belong to a sentence.
template <typename T>
int64_t sentence_offset(const PairBatch<T>& input, int64_t sentence) {
  return sentence * input.length * input.size;
}

int64_t rows_at_once(int64_t n) {
  return std::clamp<int64_t>(most_pairs / std::max<int64_t>(n, 1), 1, most_rows);
}

// Zeroes the rows of (N, D) that stand for no token.
template <typename T>
void clear_padding(const PairBatch<T>& input, int64_t sentence, T* rows) {
  T* sentence_rows = rows + sentence_offset(input, sentence);
  std::fill(sentence_rows + input.lengths[sentence] * input.size,
            sentence_rows + input.length * input.size, T(0));
}

}  // namespace

template <typename T>
void pair_scores_cpu(const PairBatch<T>& input, T* scores,
                     ParallelFor parallel) {
  const PairKernels<T>& kernel = kernels<T>();
  const int64_t N = input.length, R = input.labels;
  const Weights<T> weights(kernel, input.V, input.bias, input.size, R, false);
  Shares rows;
  for (int64_t b = 0; b < input.batch; ++b) {
    const int64_t n = input.lengths[b];
    const int64_t cost = round_up(n, kernel.width) * pair_cost(input, 1);
    for (int64_t i = 0; i < N; ++i) rows.add((i < n ? cost : 0) + N * R + 1);
  }
  const int64_t most = longest(input);
  parallel(rows.total(), least_work, [&](int64_t begin, int64_t end) {
    Room<T> room(kernel, weights, most, 1, true, false);
    int64_t entered = -1;
    for (int64_t row = rows.unit(begin); row < rows.unit(end); ++row) {
      const int64_t sentence = row / N, n = input.lengths[sentence];
      T* cells = scores + row * N * R;
      if (row % N >= n) {
        std::fill(cells, cells + N * R, T(0));
        continue;
      }
      if (sentence != entered) {
        room.enter(input.c + sentence_offset(input, sentence), n, 0, 0);
        entered = sentence;
      }
      room.take_rows(input.a + row * input.size, 1);
      kernel.scores(weights.packed, room.heads, 0, room.tails, cells);
      std::fill(cells + n * R, cells + N * R, T(0));
    }
  });
}

template <typename T>
void pair_scores_backward_cpu(const PairBatch<T>& input, const T* grad, T* da,
                              T* dc, T* dV, T* dbias, ParallelFor parallel) {
  const PairKernels<T>& kernel = kernels<T>();
  const int64_t N = input.length, D = input.size, R = input.labels;
  const Weights<T> weights(kernel, input.V, input.bias, D, R, true);
  const int64_t blocks = weights.blocks, strip = blocks * kernel.width;
  Shares sentences;
  for (int64_t b = 0; b < input.batch; ++b) {
    const int64_t n = input.lengths[b];
    sentences.add(n * n * pair_cost(input, 2) + 1);
    clear_padding(input, b, da);
    clear_padding(input, b, dc);
    if (R == 0) {
      const int64_t at = sentence_offset(input, b);
      std::fill(da + at, da + at + n * D, T(0));
    }
  }
  // Parts: for each group of sentences, each block of dimensions.
  const int64_t groups =
      blocks == 0 ? 1
                  : std::clamp<int64_t>(parts_of_backward / blocks, 1,
                                        std::max<int64_t>(input.batch, 1));
  std::vector<int64_t> first(groups + 1, 0);
  Shares parts;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t from = sentences.total() * g / groups;
    const int64_t to = sentences.total() * (g + 1) / groups;
    first[g] = sentences.unit(from);
    first[g + 1] = sentences.unit(to);
    for (int64_t k = 0; k < blocks; ++k) {
      parts.add((to - from) / std::max<int64_t>(blocks, 1) + 1);
    }
  }
  std::vector<double> sums(groups * R * strip, 0.0), biases(groups * R, 0.0);
  const int64_t most = longest(input);

  const auto work = [&](int64_t group, int64_t begin, int64_t end,
                        Room<T>& room) {
    for (int64_t b = first[group]; b < first[group + 1]; ++b) {
      const int64_t n = input.lengths[b], at = sentence_offset(input, b);
      room.enter(input.c + at, n, begin, end);
      for (int64_t i = 0; i < n; i += rows_at_once(n)) {
        const int64_t count = std::min(rows_at_once(n), n - i);
        room.take_rows(input.a + at + i * D, count);
        const T* rows = grad + (b * N + i) * N * R;
        kernel.backward(weights.packed, room.heads, room.tails,
                        {rows, N * R, da + at + i * D, room.dc(),
                         sums.data() + group * R * strip, begin, end});
        if (begin > 0) continue;
        for (int64_t row = 0; row < count; ++row) {
          kernel.sum(rows + row * N * R, n, R, biases.data() + group * R);
        }
      }
      room.leave(dc + at, begin, end);
    }
  };
  parallel(parts.total(), least_work, [&](int64_t begin, int64_t end) {
    const int64_t last = parts.unit(end);
    Room<T> room(kernel, weights, most, most_rows, false, true);
    for (int64_t part = parts.unit(begin); part < last;) {
      const int64_t group = part / blocks;
      const int64_t stop = std::min(last, (group + 1) * blocks);
      work(group, part - group * blocks, stop - group * blocks, room);
      part = stop;
    }
  });
  for (int64_t r = 0; r < R; ++r) {
    double bias = 0;
    for (int64_t g = 0; g < groups; ++g) bias += biases[g * R + r];
    dbias[r] = static_cast<T>(bias);
    for (int64_t d = 0; d < D; ++d) {
      double sum = 0;
      for (int64_t g = 0; g < groups; ++g) sum += sums[(g * R + r) * strip + d];
      dV[r * D + d] = static_cast<T>(sum);
    }
  }
}

namespace {

// One row of the fused loss: scores in, the loss out, and in the scores' place
// their gradient. Gold cells are few, so they are treated one by one: while the
// kernel does the row as if there were none, they hold a score without loss.
template <typename T>
double row_loss(const PairKernels<T>& kernel, T* scores, int64_t count,
                const int64_t* gold, const int64_t* gold_end, int64_t row,
                T positive_weight, bool gradient, std::vector<T>& kept) {
  const double weight = positive_weight;
  double loss = 0;
  kept.clear();
  for (const int64_t* cell = gold; cell < gold_end; ++cell) {
    T& score = scores[*cell - row];
    const double s = score, e = std::exp(-std::fabs(s));
    loss += weight * ((s < 0 ? -s : 0.0) + std::log1p(e));
    kept.push_back(static_cast<T>(-weight * (s < 0 ? 1.0 : e) / (1 + e)));
    if (s == s) score = -std::numeric_limits<T>::max();
  }
  loss += kernel.softplus(scores, count, gradient);
  for (size_t k = 0; k < kept.size(); ++k) scores[gold[k] - row] = kept[k];
  return loss;
}

}  // namespace

template <typename T>
void pair_bce_cpu(const PairBatch<T>& input, const PairGold& gold,
                  T positive_weight, T* loss, T* da, T* dc, T* dV, T* dbias,
                  ParallelFor parallel) {
  const PairKernels<T>& kernel = kernels<T>();
  const int64_t N = input.length, D = input.size, R = input.labels;
  // An empty array may be null as well.
  const bool gradient = da != nullptr || dV != nullptr || dbias != nullptr;
  const Weights<T> weights(kernel, input.V, input.bias, D, R, gradient);
  const int64_t blocks = weights.blocks, strip = blocks * kernel.width;
  const GoldCells cells(input, gold);
  Shares sentences;
  for (int64_t b = 0; b < input.batch; ++b) {
    const int64_t n = input.lengths[b];
    sentences.add(n * n * pair_cost(input, gradient ? 3 : 1) + 1);
  }
  const int64_t most = longest(input);

  parallel(sentences.total(), least_work, [&](int64_t begin, int64_t end) {
    Room<T> room(kernel, weights, most, most_rows, true, gradient);
    const Array<T> scores(
        std::max(most_scores, std::max<int64_t>(most, 1) * R));
    std::vector<double> sums(gradient ? R * strip : 0), biases(R);
    std::vector<T> kept;
    for (int64_t b = sentences.unit(begin); b < sentences.unit(end); ++b) {
      const int64_t n = input.lengths[b], at = sentence_offset(input, b);
      const int64_t row_size = std::max<int64_t>(n * R, 1);
      const int64_t rows =
          std::min(rows_at_once(n), std::max<int64_t>(most_scores / row_size, 1));
      const int64_t* cell = cells.begin(b);
      std::fill(sums.begin(), sums.end(), 0.0);
      std::fill(biases.begin(), biases.end(), 0.0);
      room.enter(input.c + at, n, 0, blocks);
      double total = 0;
      for (int64_t i = 0; i < n; i += rows) {
        const int64_t count = std::min(rows, n - i);
        room.take_rows(input.a + at + i * D, count);
        for (int64_t row = 0; row < count; ++row) {
          T* row_scores = scores.get() + row * n * R;
          kernel.scores(weights.packed, room.heads, row, room.tails,
                        row_scores);
          const int64_t offset = (i + row) * N * R;
          const int64_t* next = cell;
          while (next < cells.end(b) && *next < offset + N * R) ++next;
          total += row_loss(kernel, row_scores, n * R, cell, next, offset,
                            positive_weight, gradient, kept);
          cell = next;
          if (gradient) kernel.sum(row_scores, n, R, biases.data());
        }
        if (!gradient) continue;
        kernel.backward(weights.packed, room.heads, room.tails,
                        {scores.get(), n * R, da + at + i * D, room.dc(),
                         sums.data(), 0, blocks});
      }
      loss[b] = static_cast<T>(total);
      if (!gradient) continue;
      room.leave(dc + at, 0, blocks);
      if (R == 0) std::fill(da + at, da + at + n * D, T(0));
      clear_padding(input, b, da);
      clear_padding(input, b, dc);
      for (int64_t r = 0; r < R; ++r) {
        dbias[b * R + r] = static_cast<T>(biases[r]);
        for (int64_t d = 0; d < D; ++d) {
          dV[(b * R + r) * D + d] = static_cast<T>(sums[r * strip + d]);
        }
      }
    }
  });
}

template <typename T>
void pair_select_cpu(
    const PairBatch<T>& input, const PairAnchors& anchors, T threshold,
    const std::function<void(const PairCell<T>* cells, int64_t count)>& take,
    ParallelFor parallel) {
  const PairKernels<T>& kernel = kernels<T>();
  const int64_t N = input.length, D = input.size, R = input.labels;
  const Weights<T> weights(kernel, input.V, input.bias, D, R, false);
  // The anchors of each sentence: from first[b], `count[b]` of them in it.
  std::vector<int64_t> first(input.batch, 0), count(input.batch, 0);
  for (int64_t m = anchors.count; m-- > 0;) {
    const int64_t sentence = anchors.tokens[2 * m];
    if (anchors.tokens[2 * m + 1] >= input.lengths[sentence]) continue;
    first[sentence] = m;
    ++count[sentence];
  }
  Shares rows;
  int64_t most = 0;
  for (int64_t m = 0; m < anchors.count; ++m) {
    const int64_t tails = count[anchors.tokens[2 * m]];
    rows.add(round_up(tails, kernel.width) * pair_cost(input, 1) + 1);
    most = std::max(most, tails);
  }
  struct Found {
    int64_t begin;
    std::vector<PairCell<T>> cells;
  };
  std::vector<Found> found;
  std::mutex mutex;

  parallel(rows.total(), least_work, [&](int64_t begin, int64_t end) {
    Room<T> room(kernel, weights, most, 1, true, false);
    const Array<T> tails(most * D), scores(most * R);
    Found mine{begin, {}};
    int64_t entered = -1;
    for (int64_t m = rows.unit(begin); m < rows.unit(end); ++m) {
      const int64_t sentence = anchors.tokens[2 * m], n = count[sentence];
      const int64_t head = anchors.tokens[2 * m + 1];
      if (head >= input.lengths[sentence]) continue;
      const int64_t* others = anchors.tokens + 2 * first[sentence];
      if (sentence != entered) {
        for (int64_t k = 0; k < n; ++k) {
          const T* c = input.c + (sentence * N + others[2 * k + 1]) * D;
          std::copy(c, c + D, tails.get() + k * D);
        }
        room.enter(tails.get(), n, 0, 0);
        entered = sentence;
      }
      room.take_rows(input.a + (sentence * N + head) * D, 1);
      kernel.scores(weights.packed, room.heads, 0, room.tails, scores.get());
      for (int64_t k = 0; k < n; ++k) {
        for (int64_t r = 0; r < R; ++r) {
          const T score = scores.get()[k * R + r];
          if (!(score > threshold)) continue;
          mine.cells.push_back({sentence, head, others[2 * k + 1], r, score});
        }
      }
    }
    const std::lock_guard<std::mutex> lock(mutex);
    found.push_back(std::move(mine));
  });
  std::sort(found.begin(), found.end(),
            [](const Found& x, const Found& y) { return x.begin < y.begin; });
  for (const Found& each : found) {
    if (!each.cells.empty()) take(each.cells.data(), each.cells.size());
  }
}

template void pair_scores_cpu(const PairBatch<float>&, float*, ParallelFor);
template void pair_scores_cpu(const PairBatch<double>&, double*, ParallelFor);
template void pair_scores_backward_cpu(const PairBatch<float>&, const float*,
                                       float*, float*, float*, float*,
                                       ParallelFor);
template void pair_scores_backward_cpu(const PairBatch<double>&, const double*,
                                       double*, double*, double*, double*,
                                       ParallelFor);
template void pair_bce_cpu(const PairBatch<float>&, const PairGold&, float,
                           float*, float*, float*, float*, float*, ParallelFor);
template void pair_bce_cpu(const PairBatch<double>&, const PairGold&, double,
                           double*, double*, double*, double*, double*,
                           ParallelFor);
template void pair_select_cpu(
    const PairBatch<float>&, const PairAnchors&, float,
    const std::function<void(const PairCell<float>*, int64_t)>&, ParallelFor);
template void pair_select_cpu(
    const PairBatch<double>&, const PairAnchors&, double,
    const std::function<void(const PairCell<double>*, int64_t)>&, ParallelFor);

}  // namespace cman
