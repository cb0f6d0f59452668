// Sums over paths for one group of sentences: by the kernels in linear space,
// and by cpu_exact.h for the sentences that these cannot do.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "crf/cpu_call.h"
#include "crf/cpu_exact.h"
#include "crf/cpu_range.h"
#include "crf/plan.h"

namespace cman {
namespace {

// How a sentence was, or is to be, computed.
constexpr int no_gradient = 0, in_linear = 1, in_exact = 2;

// What the backward pass has to know about the forward pass, by lane.
struct LaneStates {
  int how[crf_widest] = {};
  float spread[crf_widest] = {};  // see CrfSums
};

template <typename T>
ExactSentence<T> exact_sentence(const CrfModel<T>& model, int64_t tokens) {
  return ExactSentence<T>(model, exact_scratch_memory().take<double>(
                                     exact_scratch(model.tags, tokens)));
}

template <typename T>
void exact_partition(const CrfModel<T>& model, const CrfGroup<T>& group,
                     int lane, double* result, LaneStates* states) {
  const int32_t tokens = group.lengths[lane];
  states->how[lane] = in_exact;
  result[lane] =
      exact_sentence(model, tokens).forward(group.emissions[lane], tokens);
}

// Log-partitions of a group. alpha and factors may be null.
inline void group_partitions(const Call<float>& call,
                             const CrfGroup<float>& group, float* alpha,
                             float* factors, double* result,
                             LaneStates* states) {
  CrfSums sums;
  call.kernels.forward(
      call.model, group, alpha, factors,
      kernel_scratch().take<float>(crf_forward_scratch(call.model.tags)),
      &sums);
  for (int lane = 0; lane < call.width; ++lane) {
    const int32_t tokens = group.lengths[lane];
    if (tokens == 0) continue;
    states->how[lane] = in_linear;
    states->spread[lane] = sums.spread[lane];
    if (!linear_partition(call.model, sums, lane, tokens, &result[lane])) {
      exact_partition(call.model, group, lane, result, states);
    }
  }
}

inline void group_partitions(const Call<double>& call,
                             const CrfGroup<double>& group, double*, double*,
                             double* result, LaneStates* states) {
  for (int lane = 0; lane < call.width; ++lane) {
    if (group.lengths[lane] == 0) continue;
    exact_partition(call.model, group, lane, result, states);
  }
}

// Sums of the gradient over a part of the batch: of products of alpha and beta,
// which the factors of the transitions still have to multiply, and of
// everything else.
struct PartialGradient {
  double *products, *pairs, *start, *end;

  PartialGradient(double* memory, int64_t tags)
      : products(memory),
        pairs(products + tags * tags),
        start(pairs + tags * tags),
        end(start + tags) {}
  static int64_t size(int64_t tags) { return 2 * tags * (tags + 1); }
};

// The sentences in linear space; those for which it proves too narrow on the
// way back become in_exact. `to` is null for marginals.
inline void linear_gradient(const Call<float>& call, CrfGroup<float> group,
                            const float* alpha, const float* factors,
                            const float* weights, float* const* unary,
                            LaneStates* states, PartialGradient* to) {
  const int64_t K = call.model.tags;
  const int64_t floats = crf_round_up(crf_backward_scratch(K), 16);
  Cutter cutter(kernel_scratch().take<char>(4 * floats + 8 * K * (K + 2)));
  float* scratch = cutter.take<float>(floats);
  double* sums = cutter.take<double>(K * (K + 2));
  CrfGradient gradient{};
  for (bool again = true; again;) {
    again = false;
    group.longest = group.shortest = 0;
    for (int lane = 0; lane < call.width; ++lane) {
      const bool used = states->how[lane] == in_linear;
      if (!used) group.lengths[lane] = 0;
      group.longest = std::max(group.longest, group.lengths[lane]);
      gradient.weight[lane] = used ? weights[lane] : 0;
      gradient.unary[lane] = used ? unary[lane] : nullptr;
    }
    if (group.longest == 0) return;
    if (to != nullptr) {
      std::fill_n(sums, K * (K + 2), 0.0);
      gradient.pairs = sums;
      gradient.start = sums + K * K;
      gradient.end = sums + K * K + K;
    }
    call.kernels.backward(call.model, group, alpha, factors, scratch,
                          &gradient);
    for (int lane = 0; lane < call.width; ++lane) {
      if (states->how[lane] != in_linear) continue;
      if (gradient.lowest_sum[lane] >= smallest_divisor &&
          in_range(call.model, states->spread[lane], gradient.lowest[lane])) {
        continue;
      }
      states->how[lane] = in_exact;
      again = true;
    }
  }
  const int64_t written = group.longest * K, all = call.input.length * K;
  for (int lane = 0; lane < call.width; ++lane) {
    if (states->how[lane] != in_linear) continue;
    std::fill_n(unary[lane] + written, all - written, 0.0f);
  }
  if (to == nullptr) return;
  for (int64_t p = 0; p < K * K; ++p) to->products[p] += sums[p];
  for (int64_t k = 0; k < K; ++k) {
    to->start[k] += sums[K * K + k];
    to->end[k] += sums[K * K + K + k];
  }
}

inline void linear_gradient(const Call<double>&, const CrfGroup<double>&,
                            const double*, const double*, const double*,
                            double* const*, LaneStates*, PartialGradient*) {}

// The gradient of a group: fills all of its rows of d_emissions.
template <typename T>
void group_gradient(const Call<T>& call, const CrfGroup<T>& group,
                    const T* alpha, const T* factors, const T* weights,
                    T* const* unary, LaneStates* states, PartialGradient* to) {
  const int64_t K = call.model.tags, all = call.input.length * K;
  linear_gradient(call, group, alpha, factors, weights, unary, states, to);
  for (int lane = 0; lane < call.width; ++lane) {
    const int32_t tokens = group.lengths[lane];
    if (tokens == 0 || states->how[lane] == in_linear) continue;
    int64_t written = 0;
    if (states->how[lane] == in_exact) {
      const T* emissions = group.emissions[lane];
      ExactSentence<T> sentence = exact_sentence(call.model, tokens);
      sentence.forward(emissions, tokens);
      sentence.backward(emissions, tokens, double(weights[lane]), unary[lane],
                        to ? to->pairs : nullptr, to ? to->start : nullptr,
                        to ? to->end : nullptr);
      written = tokens * K;
    }
    std::fill_n(unary[lane] + written, all - written, T(0));
  }
}

}  // namespace
}  // namespace cman
