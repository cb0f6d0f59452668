// The probability that a stretch of a sentence carries given tags and then
// ends, from alpha and the marginals that crf_marginals left: the formula of
// cpu_spans.h. A quotient of numbers of one token does not see their scale, so
// alpha may be in linear space (float) or in log space (double).
//
// A thread has a stretch and sums over K tags at each of its tokens; stretches
// are entities, so tokens are few. What is no stretch, and what is none of the
// tags, gives NaN; nothing is read through it.
#pragma once

#include <cstdint>

#include "crf/cuda_team.cuh"

namespace cman {
namespace {

constexpr int span_threads = 64;

template <typename T>
__global__ void __launch_bounds__(span_threads)
    crf_spans_kernel(CrfBatch<T> input, CrfSpans spans, T* workspace,
                     const T* marginals, T* result) {
  const int64_t s = int64_t{blockIdx.x} * span_threads + threadIdx.x;
  if (s >= spans.count) return;
  result[s] = nan_of(T());
  const int64_t b = spans.spans[3 * s], next_tag = spans.next_tag[s];
  if (b < 0 || b >= input.batch) return;
  const int64_t K = input.tags, tokens = input.lengths[b];
  const int64_t first = spans.spans[3 * s + 1], after = spans.spans[3 * s + 2];
  if (tokens > input.length || first < 0 || first >= after || after > tokens ||
      next_tag < -1 || next_tag >= K) {
    return;
  }
  const int64_t* const tags = spans.tags + b * input.length;
  for (int64_t t = first; t < after; ++t) {
    if (tags[t] < 0 || tags[t] >= K) return;
  }
  const Kept<T> kept = kept_of(input, workspace);
  const How how = static_cast<How>(static_cast<int>(kept.how(b)));
  if (how == no_gradient || how == no_number) {
    if (how == no_gradient) result[s] = 0;
    return;
  }
  const bool linear = how == in_linear;
  const T* const alpha = kept.linear(b);
  const double* const log_alpha = kept.exact(b);

  // Pr(tag at t | next at t + 1).
  const auto given_next = [&](int64_t t, int64_t tag, int64_t next) {
    const double none = -infinite(0.0);
    const double move = static_cast<double>(transition(input, tag, next));
    const double own = linear ? static_cast<double>(alpha[t * K + tag])
                              : log_alpha[t * K + tag];
    if (move == none || own == (linear ? 0 : none)) return 0.0;
    double sum = 0;
    for (int64_t k = 0; k < K; ++k) {
      const double by = static_cast<double>(transition(input, k, next)) - move;
      sum += linear ? static_cast<double>(alpha[t * K + k]) / own * exp(by)
                    : exp(log_alpha[t * K + k] - own + by);
    }
    return 1 / sum;
  };
  const T* const of = marginals + b * input.length * K;
  const int64_t last = after - 1;
  double ending = static_cast<double>(of[last * K + tags[last]]);
  if (after < tokens && next_tag >= 0) {
    ending -= static_cast<double>(of[after * K + next_tag]) *
              given_next(last, tags[last], next_tag);
  }
  for (int64_t t = last - 1; t >= first; --t) {
    ending *= given_next(t, tags[t], tags[t + 1]);
  }
  result[s] = static_cast<T>(ending < 0 ? 0 : ending > 1 ? 1 : ending);
}

}  // namespace
}  // namespace cman
