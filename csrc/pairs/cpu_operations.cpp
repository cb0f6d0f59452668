// The scores of all token pairs on the CPU: batches, threads and memory. What
// computes is in the kernels of plan.h, chosen when a call starts.
//
// No pass holds a value per pair and dimension. Scores go from registers to the
// caller's table; the fused loss keeps the scores of a few rows in a buffer of
// the L1 cache, turns them into gradients in place, and uses them up. Beside
// the outputs a thread holds the exponentials of one sentence's tails (twice,
// in the fused loss, as the two passes read them in different orders) and dc.
//
// Results do not depend on the number of threads. A row of scores is computed
// alone. Gradients of scores are shared out by blocks of dimensions, which no
// sum crosses, and by groups of sentences, whose number depends on the shapes
// only; the gradients of V of the groups are added in order. The fused loss
// leaves a sentence to one thread.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "pairs/cpu_call.h"
#include "pairs/cpu_loss.h"
#include "pairs/cpu_memory.h"
#include "pairs/cpu_select.h"
#include "pairs/interface.h"
#include "pairs/plan.h"

namespace cman {

template <typename T>
void pair_scores(const PairBatch<T>& input, T* scores, ParallelFor parallel) {
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
    SentenceMemory<T> memory(kernel, weights, most, 1, true, false);
    int64_t entered = -1;
    for (int64_t row = rows.unit(begin); row < rows.unit(end); ++row) {
      const int64_t sentence = row / N, n = input.lengths[sentence];
      T* cells = scores + row * N * R;
      if (row % N >= n) {
        std::fill(cells, cells + N * R, T(0));
        continue;
      }
      if (sentence != entered) {
        memory.enter(input.c + sentence_offset(input, sentence), n, 0, 0);
        entered = sentence;
      }
      memory.take_rows(input.a + row * input.size, 1);
      kernel.scores(weights.packed, memory.heads, 0, memory.tails, cells);
      std::fill(cells + n * R, cells + N * R, T(0));
    }
  });
}

template <typename T>
void pair_scores_backward(const PairBatch<T>& input, const T* grad, T* da,
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
  if (D == 0) {  // the bias alone has a gradient, and there are no parts
    std::vector<double> bias(R, 0.0);
    for (int64_t b = 0; b < input.batch; ++b) {
      for (int64_t i = 0; i < input.lengths[b]; ++i) {
        const T* row = grad + (b * N + i) * N * R;
        kernel.sum(row, input.lengths[b], R, bias.data());
      }
    }
    std::copy(bias.begin(), bias.end(), dbias);
    return;
  }
  // Parts: for each group of sentences, each block of dimensions.
  const int64_t groups = std::clamp<int64_t>(parts_of_backward / blocks, 1,
                                             std::max<int64_t>(input.batch, 1));
  std::vector<int64_t> first(groups + 1, 0);
  Shares parts;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t from = sentences.total() * g / groups;
    const int64_t to = sentences.total() * (g + 1) / groups;
    first[g] = sentences.unit(from);
    first[g + 1] = sentences.unit(to);
    for (int64_t k = 0; k < blocks; ++k) {
      parts.add((to - from) / blocks + 1);
    }
  }
  std::vector<double> sums(groups * R * strip, 0.0), biases(groups * R, 0.0);
  const int64_t most = longest(input);

  const auto work = [&](int64_t group, int64_t begin, int64_t end,
                        SentenceMemory<T>& memory) {
    for (int64_t b = first[group]; b < first[group + 1]; ++b) {
      const int64_t n = input.lengths[b], at = sentence_offset(input, b);
      memory.enter(input.c + at, n, begin, end);
      for (int64_t i = 0; i < n; i += rows_at_once(n)) {
        const int64_t count = std::min(rows_at_once(n), n - i);
        memory.take_rows(input.a + at + i * D, count);
        const T* rows = grad + (b * N + i) * N * R;
        kernel.backward(weights.packed, memory.heads, memory.tails,
                        {rows, N * R, da + at + i * D, memory.dc(),
                         sums.data() + group * R * strip, begin, end});
        if (begin > 0) continue;
        for (int64_t row = 0; row < count; ++row) {
          kernel.sum(rows + row * N * R, n, R, biases.data() + group * R);
        }
      }
      memory.leave(dc + at, begin, end);
    }
  };
  parallel(parts.total(), least_work, [&](int64_t begin, int64_t end) {
    const int64_t last = parts.unit(end);
    SentenceMemory<T> memory(kernel, weights, most, most_rows, false, true);
    for (int64_t part = parts.unit(begin); part < last;) {
      const int64_t group = part / blocks;
      const int64_t stop = std::min(last, (group + 1) * blocks);
      work(group, part - group * blocks, stop - group * blocks, memory);
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

template void pair_scores(const PairBatch<float>&, float*, ParallelFor);
template void pair_scores(const PairBatch<double>&, double*, ParallelFor);
template void pair_scores_backward(const PairBatch<float>&, const float*,
                                   float*, float*, float*, float*, ParallelFor);
template void pair_scores_backward(const PairBatch<double>&, const double*,
                                   double*, double*, double*, double*,
                                   ParallelFor);
template void pair_bce(const PairBatch<float>&, const PairGold&, float, float*,
                       float*, float*, float*, float*, ParallelFor);
template void pair_bce(const PairBatch<double>&, const PairGold&, double,
                       double*, double*, double*, double*, double*,
                       ParallelFor);
template void pair_select(
    const PairBatch<float>&, const PairAnchors&, float,
    const std::function<void(const PairCell<float>*, int64_t)>&, ParallelFor);
template void pair_select(
    const PairBatch<double>&, const PairAnchors&, double,
    const std::function<void(const PairCell<double>*, int64_t)>&, ParallelFor);

}  // namespace cman
