// The probability that a stretch of a sentence carries given tags and then
// ends. Given the tag of the token behind it, what a token's tag is depends on
// nothing further on, so with y the stretch's tags, from token i to token j,
//
//   Pr(y) = Pr(y_j at j) prod_t Pr(y_t at t | y_t+1 at t + 1),  t = i .. j - 1
//   Pr(y at t | y' at t + 1) = exp(alpha_t[y] + transitions[y][y']) / its sum
//
// and the part of it that goes on with the tag z is that with Pr(z at j + 1)
// Pr(y_j at j | z at j + 1) for Pr(y_j at j). All in double and log space: a
// sentence costs what cpu_exact.h says, a stretch K exponentials a token.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "crf/cpu_call.h"
#include "crf/cpu_sums.h"

namespace cman {
namespace {

// Spans by sentence, in their order: those of b are order[first[b]] and so on.
struct SpanOrder {
  std::vector<int64_t> first, order;

  SpanOrder(const CrfSpans& spans, int64_t batch)
      : first(batch + 1, 0), order(spans.count) {
    for (int64_t s = 0; s < spans.count; ++s) ++first[spans.spans[3 * s] + 1];
    for (int64_t b = 0; b < batch; ++b) first[b + 1] += first[b];
    std::vector<int64_t> next(first.begin(), first.end() - 1);
    for (int64_t s = 0; s < spans.count; ++s) {
      order[next[spans.spans[3 * s]]++] = s;
    }
  }
};

// `marginals` (tokens, K) are those of the sentence, `tags` its row.
template <typename T>
double span_probability(ExactSentence<T>& sentence, const double* marginals,
                        int64_t K, int64_t tokens, const int64_t* span,
                        const int64_t* tags, int64_t next_tag) {
  const int64_t first = span[1], after = span[2], last = after - 1;
  double ending = marginals[last * K + tags[last]];
  if (after < tokens && next_tag >= 0) {
    ending -= marginals[after * K + next_tag] *
              sentence.given_next(last, tags[last], next_tag);
  }
  for (int64_t t = last - 1; t >= first; --t) {
    ending *= sentence.given_next(t, tags[t], tags[t + 1]);
  }
  return ending < 0 ? 0 : ending > 1 ? 1 : ending;  // NaN stays NaN
}

}  // namespace

template <typename T>
void crf_span_marginals(const CrfBatch<T>& input, const CrfSpans& spans,
                        T* result, ParallelFor parallel) {
  if (spans.count == 0) return;
  const Call<T> call(input, isa(), true);
  const SpanOrder by_sentence(spans, input.batch);
  const int64_t K = input.tags;
  const auto one = [&](int64_t b) {
    const int64_t begin = by_sentence.first[b], end = by_sentence.first[b + 1];
    if (begin == end) return;
    const int64_t tokens = input.lengths[b];
    const T* emissions = input.emissions + b * input.length * K;
    ExactSentence<T> sentence = exact_sentence(call.model, tokens);
    double* marginals = kernel_scratch().take<double>(tokens * K);
    const bool possible = sentence.forward(emissions, tokens) != -infinity;
    if (possible) {
      sentence.backward(emissions, tokens, 1.0, marginals, nullptr, nullptr,
                        nullptr);
    }
    for (int64_t at = begin; at < end; ++at) {
      const int64_t s = by_sentence.order[at];
      result[s] = possible
                      ? T(span_probability(
                            sentence, marginals, K, tokens, spans.spans + 3 * s,
                            spans.tags + b * input.length, spans.next_tag[s]))
                      : T(0);
    }
  };
  const auto work = [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) one(b);
  };
  const double ns = double(call.order.tokens) * double(K * (40 + 2 * K));
  parallel(input.batch, grain_of(ns, input.batch),
           [&work](int64_t begin, int64_t end) { work(begin, end); });
}

}  // namespace cman
