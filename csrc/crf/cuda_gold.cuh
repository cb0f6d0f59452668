// The gold path: its score, and its counts in the gradient. The threads of a
// team take tokens in turn, several in flight each, since every token is a few
// dependent loads and nothing else.
#pragma once

#include <cstdint>

#include "crf/cuda_exact.cuh"

namespace cman {
namespace {

struct GoldScore {
  double score;  // -inf over a forbidden transition
  bool in_range;
};

// `sums` has the block's threads of doubles in shared memory. All threads.
template <typename T>
__device__ GoldScore gold_score(const CrfBatch<T>& input, const Team& team,
                                double* sums) {
  const int K = static_cast<int>(input.tags), tokens = team.tokens;
  const int64_t* const gold = input.gold + team.sentence * input.length;
  const T* const e = emissions_of(input, team);
  const auto tag_of = [&](int t) {
    return gold[t] >= 0 && gold[t] < K ? static_cast<int>(gold[t]) : -1;
  };
  double sum = 0;
  bool outside = false;
  const int member = static_cast<int>(threadIdx.x) - team.first;
#pragma unroll 4
  for (int t = member; t < tokens; t += team.size) {
    const int to = tag_of(t), from = t > 0 ? tag_of(t - 1) : 0;
    outside = outside || to < 0 || from < 0;
    if (to < 0 || from < 0) continue;
    sum += static_cast<double>(e[static_cast<int64_t>(t) * K + to]);
    sum += static_cast<double>(t > 0 ? transition(input, from, to)
                                     : start_score(input, to));
    if (t == tokens - 1) sum += static_cast<double>(input.end[to]);
  }
  __syncthreads();
  sums[threadIdx.x] = outside ? nan_of(0.0) : sum;
  __syncthreads();
  // NaN of an emission would also be "out of range": both give NaN.
  double total = 0;
  for (int k = 0; k < team.size; ++k) total += sums[team.first + k];
  return {total, total == total};
}

// After the block's gradients: subtracts what the gold paths of the teams with
// tokens count. All threads.
template <typename T>
__device__ void subtract_gold(const CrfBatch<T>& input, const Team& team,
                              const SumsRoom& room, T weight,
                              const Gradient<T>& to) {
  const int K = static_cast<int>(input.tags), tokens = team.tokens;
  const int64_t* const gold = input.gold + team.sentence * input.length;
  T* const unary = to.emissions + team.sentence * input.length * K;
  if (tokens == 0) return;
  const int member = static_cast<int>(threadIdx.x) - team.first;
#pragma unroll 4
  for (int t = member; t < tokens; t += team.size) {
    const int tag = static_cast<int>(gold[t]);
    atomicAdd(unary + static_cast<int64_t>(t) * K + tag, -weight);
    if (t == 0) {
      atomicAdd(to.start + tag, -weight);
    } else {
      add_pair(to, room, team, K, static_cast<int>(gold[t - 1]), tag,
               -static_cast<double>(weight));
    }
    if (t == tokens - 1) atomicAdd(to.end + tag, -weight);
  }
}

}  // namespace
}  // namespace cman
