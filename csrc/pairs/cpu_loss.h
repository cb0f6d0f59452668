// The fused loss of interface.h on the CPU. A few rows of scores at a time are
// computed into a buffer of the L1 cache, turned into their gradients in place,
// and used up by the backward kernel; no table of scores is ever made. Sums are
// in double over rows. A sentence is one thread's work, so that its sums have
// one order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pairs/cpu_call.h"
#include "pairs/cpu_gold.h"

namespace cman {
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
void pair_bce(const PairBatch<T>& input, const PairGold& gold,
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
    SentenceMemory<T> memory(
        kernel, weights, most, most_rows, true, gradient,
        std::max(most_scores, std::max<int64_t>(most, 1) * R));
    T* const scores = memory.extra();
    std::vector<double> sums(gradient ? R * strip : 0), biases(R);
    std::vector<T> kept;
    for (int64_t b = sentences.unit(begin); b < sentences.unit(end); ++b) {
      const int64_t n = input.lengths[b], at = sentence_offset(input, b);
      const int64_t row_size = std::max<int64_t>(n * R, 1);
      const int64_t rows = std::min(
          rows_at_once(n), std::max<int64_t>(most_scores / row_size, 1));
      const int64_t* cell = cells.begin(b);
      std::fill(sums.begin(), sums.end(), 0.0);
      std::fill(biases.begin(), biases.end(), 0.0);
      memory.enter(input.c + at, n, 0, blocks);
      double total = 0;
      for (int64_t i = 0; i < n; i += rows) {
        const int64_t count = std::min(rows, n - i);
        memory.take_rows(input.a + at + i * D, count);
        for (int64_t row = 0; row < count; ++row) {
          T* row_scores = scores + row * n * R;
          kernel.scores(weights.packed, memory.heads, row, memory.tails,
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
        kernel.backward(weights.packed, memory.heads, memory.tails,
                        {scores, n * R, da + at + i * D, memory.dc(),
                         sums.data(), 0, blocks});
      }
      loss[b] = static_cast<T>(total);
      if (!gradient) continue;
      memory.leave(dc + at, 0, blocks);
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

}  // namespace cman
