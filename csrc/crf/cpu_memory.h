// What every operation does first: memory that is kept from call to call, the
// parameters in the form that the kernels read, and sentences in groups.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "crf/interface.h"
#include "crf/plan.h"
#include "simd/scratch.h"

namespace cman {
namespace {

// What lives at the same time has memory of its own: beside what a call
// prepared and what a kernel needs, the alphas of a group and one sentence in
// log space.
inline Scratch& alpha_scratch() {
  thread_local Scratch scratch;
  return scratch;
}
inline Scratch& exact_scratch_memory() {
  thread_local Scratch scratch;
  return scratch;
}

// Sentences by length, longest first; those of equal length in their order.
struct Order {
  int32_t* sentence;  // (batch)
  int64_t used;       // sentences that have any tokens
  int64_t tokens;     // of all sentences
};

inline Order sort_by_length(const int64_t* lengths, int64_t batch,
                            int64_t length, int32_t* sentence,
                            int32_t* places) {
  Order order{sentence, 0, 0};
  for (int64_t n = 0; n <= length + 1; ++n) places[n] = 0;
  for (int64_t b = 0; b < batch; ++b) {
    ++places[length - lengths[b] + 1];
    order.used += lengths[b] > 0;
    order.tokens += lengths[b];
  }
  for (int64_t n = 1; n <= length; ++n) places[n] += places[n - 1];
  for (int64_t b = 0; b < batch; ++b) {
    sentence[places[length - lengths[b]]++] = static_cast<int32_t>(b);
  }
  return order;
}

template <typename T>
CrfGroup<T> make_group(const CrfBatch<T>& input, const Order& order,
                       int64_t index, int width) {
  CrfGroup<T> group;
  group.longest = group.shortest = 0;
  for (int lane = 0; lane < crf_widest; ++lane) {
    const int64_t place = index * width + lane;
    const bool there = lane < width && place < order.used;
    const int64_t b = order.sentence[there ? place : index * width];
    group.emissions[lane] = input.emissions + b * input.length * input.tags;
    group.lengths[lane] = there ? static_cast<int32_t>(input.lengths[b]) : 0;
    if (lane == 0) group.longest = group.lengths[lane];
    if (lane < width) group.shortest = group.lengths[lane];
  }
  return group;
}

// Elements of T that prepare_model needs.
inline int64_t model_room(int64_t tags, bool sums) {
  const int64_t stride = round_up(tags, 16);
  return (sums ? 3 : 1) * (tags + 2) * stride;
}

// The parameters padded to whole registers, with -inf where not allowed.
template <typename T>
CrfModel<T> prepare_model(const CrfBatch<T>& input, T* room) {
  constexpr T forbidden = -std::numeric_limits<T>::infinity();
  const int64_t K = input.tags, stride = round_up(K, 16);
  CrfModel<T> model{};
  model.tags = K;
  model.stride = stride;
  const auto copy = [&](const T* from, const bool* allowed, T* to) {
    for (int64_t j = 0; j < K; ++j) {
      to[j] = allowed == nullptr || allowed[j] ? from[j] : forbidden;
    }
    for (int64_t j = K; j < stride; ++j) to[j] = 0;
  };
  const bool* allowed = input.allowed;
  for (int64_t i = 0; i < K; ++i) {
    copy(input.transitions + i * K, allowed ? allowed + i * K : nullptr,
         room + i * stride);
  }
  copy(input.start, allowed ? allowed + K * K : nullptr, room + K * stride);
  copy(input.end, nullptr, room + (K + 1) * stride);
  model.transitions = room;
  model.start = room + K * stride;
  model.end = room + (K + 1) * stride;
  return model;
}

// The largest of rows (rows, stride) of `tags`, 0 if all are -inf.
template <typename T>
double top_of(const T* scores, int64_t rows, int64_t tags, int64_t stride) {
  T top = -std::numeric_limits<T>::infinity();
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < tags; ++j) {
      top = std::max(top, scores[i * stride + j]);
    }
  }
  return top == -std::numeric_limits<T>::infinity() ? 0 : double(top);
}

}  // namespace
}  // namespace cman
