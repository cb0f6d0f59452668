// The cells above a threshold between anchors, on the CPU. The tails of a
// sentence's anchors are copied together, after which they are a sentence like
// any other, only shorter; a row of scores is looked through as soon as it is
// there. Each range of rows collects its own cells, and they are handed out in
// the order of the ranges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <vector>

#include "pairs/cpu_call.h"

namespace cman {

template <typename T>
void pair_select(
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
    SentenceMemory<T> memory(kernel, weights, most, 1, true, false,
                             most * (D + R));
    T* const tails = memory.extra();
    T* const scores = tails + most * D;
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
          std::copy(c, c + D, tails + k * D);
        }
        memory.enter(tails, n, 0, 0);
        entered = sentence;
      }
      memory.take_rows(input.a + (sentence * N + head) * D, 1);
      kernel.scores(weights.packed, memory.heads, 0, memory.tails, scores);
      for (int64_t k = 0; k < n; ++k) {
        for (int64_t r = 0; r < R; ++r) {
          const T score = scores[k * R + r];
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

}  // namespace cman
