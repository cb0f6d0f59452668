// Who works on what in the CRF kernels, and how the scores are read.
//
// With up to 32 tags a block is one warp and has 32 / tags sentences, a lane
// for each (sentence, tag): 3 sentences with 9 tags. With more tags a block has
// one sentence and a thread for each tag, up to most_threads of them, which
// then take several tags in turn. Either way the threads of a sentence are a
// team, `tag` is a thread's first tag and `size` the step to its next one.
// Barriers are those of the block, so that teams with fewer tokens, and lanes
// without a team, go through the loops of the longest one without working.
#pragma once

#include <cstdint>

#include "crf/interface.h"
#include "simd/cuda_launch.h"

namespace cman {
namespace {

constexpr int warp_lanes = 32;
constexpr int most_threads = 512;

__device__ inline float infinite(float) { return __int_as_float(0x7f800000); }
__device__ inline double infinite(double) {
  return static_cast<double>(infinite(0.0f));
}
__device__ inline float nan_of(float) { return __int_as_float(0x7fc00000); }
__device__ inline double nan_of(double) {
  return static_cast<double>(nan_of(0.0f));
}
__device__ inline float larger(float a, float b) { return fmaxf(a, b); }
__device__ inline double larger(double a, double b) { return fmax(a, b); }

inline int team_threads(int64_t tags) {
  if (tags <= warp_lanes) return warp_lanes;
  const int64_t threads = (tags + warp_lanes - 1) / warp_lanes * warp_lanes;
  return static_cast<int>(threads < most_threads ? threads : most_threads);
}
inline int team_count(int64_t tags) {
  return tags <= warp_lanes ? static_cast<int>(warp_lanes / tags) : 1;
}
inline unsigned team_blocks(int64_t batch, int64_t tags) {
  return static_cast<unsigned>((batch + team_count(tags) - 1) /
                               team_count(tags));
}

struct Team {
  int64_t sentence;
  int first;    // the thread of its tag 0
  int tag;      // the number of tags or more: this thread has none
  int size;     // threads
  int tokens;   // 0 for a thread without a sentence
  bool exists;  // the thread has a sentence
  bool valid;   // and its length lies in [0, L]
};

template <typename T>
__device__ Team team_of_thread(const CrfBatch<T>& input) {
  const int K = static_cast<int>(input.tags), lane = threadIdx.x;
  const bool warp = K <= warp_lanes;
  const int teams = warp ? warp_lanes / K : 1;
  const int number = warp ? lane / K : 0;
  Team team{};
  team.sentence = static_cast<int64_t>(blockIdx.x) * teams + number;
  team.exists = number < teams && team.sentence < input.batch;
  team.first = team.exists ? number * K : 0;
  team.size = warp ? K : static_cast<int>(blockDim.x);
  team.tag = team.exists ? lane - team.first : K;
  const int64_t length = team.exists ? input.lengths[team.sentence] : 0;
  team.valid = length >= 0 && length <= input.length;
  team.tokens = team.valid ? static_cast<int>(length) : 0;
  return team;
}

// The team where `works` holds, else one without tokens.
__device__ inline Team team_if(bool works, Team team) {
  if (!works) team.tokens = 0;
  return team;
}

__device__ inline float warp_max(float value) {
  for (int bit = warp_lanes / 2; bit > 0; bit /= 2) {
    value = fmaxf(value, __shfl_xor_sync(full_warp, value, bit));
  }
  return value;
}
__device__ inline int warp_max(int value) {
  for (int bit = warp_lanes / 2; bit > 0; bit /= 2) {
    const int other = __shfl_xor_sync(full_warp, value, bit);
    value = other > value ? other : value;
  }
  return value;
}

// Tokens of the block's longest sentence; a larger block has only one.
__device__ inline int longest_of_block(const Team& team) {
  return blockDim.x == warp_lanes ? warp_max(team.tokens) : team.tokens;
}

// The sum over a team of one warp with up to Cap tags, for all its lanes. The
// offsets fall, so that what lanes beyond them add up is never used.
template <int Cap>
__device__ float team_sum(const Team& team, int tags, float value) {
  constexpr int half = Cap > 16 ? 16 : Cap > 8 ? 8 : Cap > 4 ? 4 : 2;
#pragma unroll
  for (int offset = half; offset > 0; offset /= 2) {
    const float other = __shfl_down_sync(full_warp, value, offset);
    value += team.tag + offset < tags ? other : 0.0f;
  }
  return __shfl_sync(full_warp, value, team.first);
}

__device__ inline float team_max(const Team& team, int tags, float value) {
  float top = value;
  for (int k = 0; k < tags; ++k) {
    top = fmaxf(top, __shfl_sync(full_warp, value, team.first + k));
  }
  return top;
}

// Scores, -inf where `allowed` forbids ----------------------------------------

template <typename T>
__device__ inline T transition(const CrfBatch<T>& input, int64_t from,
                               int64_t to) {
  const int64_t at = from * input.tags + to;
  if (input.allowed != nullptr && !input.allowed[at]) return -infinite(T());
  return input.transitions[at];
}

template <typename T>
__device__ inline T start_score(const CrfBatch<T>& input, int64_t tag) {
  const int64_t at = input.tags * input.tags + tag;
  if (input.allowed != nullptr && !input.allowed[at]) return -infinite(T());
  return input.start[tag];
}

template <typename T>
__device__ inline const T* emissions_of(const CrfBatch<T>& input,
                                        const Team& team) {
  return input.emissions +
         (team.exists ? team.sentence * input.length * input.tags : 0);
}

// What a forward pass leaves in the workspace, 2 L K + 1 numbers a sentence:
// alpha, as L K numbers of float (linear space) or of double (log space), and
// after those of all sentences which of the two it is.
enum How { no_gradient = 0, in_linear = 1, in_exact = 2, no_number = 3 };

template <typename T>
struct Kept {
  T* memory;  // may be null
  int64_t batch, row;

  __device__ T* linear(int64_t b) const {
    return memory == nullptr ? nullptr : memory + 2 * b * row;
  }
  __device__ double* exact(int64_t b) const {
    return reinterpret_cast<double*>(linear(b));
  }
  __device__ T& how(int64_t b) const { return memory[2 * batch * row + b]; }
};

template <typename T>
__device__ Kept<T> kept_of(const CrfBatch<T>& input, T* workspace) {
  return {workspace, input.batch, input.length * input.tags};
}

}  // namespace
}  // namespace cman
