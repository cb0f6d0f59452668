// The best path of each sentence:
//
//   score_0[j] = start[j] + e_0[j]
//   score_t[j] = max_i (score_{t-1}[i] + transitions[i][j]) + e_t[j]
//
// The one idea: the chain from token to token is a shuffle, an addition and a
// tree of maxima. Which i it was is found beside the chain by comparing each
// sum with the maximum, the lowest last, and goes to memory as one byte; the
// way back is a chain of loads of such bytes. A lane holds a column of the
// transitions in registers; 32 / K sentences share a warp.
//
// Memory: back-pointers in shared memory, a row of 32 bytes a token and warp,
// while it is no more than most_pointer_bytes (L <= 1024), else in the
// workspace. On the way back a row, once read, takes the tag of its token, so
// that the tags are then written by whole warps. Every 32 tokens the maximum
// moves from the scores to a double: a long sentence costs no digits.
//
// What bounds it: in small batches the chain, a shuffle, K additions to issue
// and log2 K maxima one after the other; in large ones instructions, at 9 tags
// 63 a token and warp, 9 of them shuffles.
//
// With more than 32 tags a block has one sentence, scores in shared memory with
// one barrier a token, and pointers of 32 bits.
#pragma once

#include <cstdint>

#include "crf/cuda_linear.cuh"

namespace cman {
namespace {

constexpr int tokens_between_tops = 32;
constexpr size_t most_pointer_bytes = 32 * 1024;  // bytes of shared memory

// A tag and the score it stands for, the best seen so far.
template <typename T>
struct BestTag {
  T score;
  int tag;

  __device__ void take(T other, int its_tag) {
    if (other > score) score = other, tag = its_tag;
  }
};

// `shared` is known when it is compiled, so that pointers in shared memory are
// read and written as such.
template <typename T, int Cap, bool shared>
__global__ void __launch_bounds__(warp_lanes, 1)
    crf_decode_warp(CrfBatch<T> input, int64_t* tags, T* scores,
                    uint8_t* workspace) {
  CMAN_DYNAMIC_SHARED(uint8_t, shared_pointers);
  const int K = static_cast<int>(input.tags);
  const Team team = team_of_thread(input);
  const int tag = team.tag, tokens = team.tokens, lane = threadIdx.x;
  const bool there = tag < K;
  const T none = -infinite(T());
  // Row t of a lane's sentence begins with the pointer of tag 0.
  const int stride = shared ? warp_lanes : K;
  uint8_t* pointers;
  if constexpr (shared) {
    pointers = shared_pointers + team.first;
  } else {
    pointers = workspace + (team.exists ? team.sentence * input.length * K : 0);
  }
  const T* e = emissions_of(input, team) + tag;
  const auto emission = [&](int t) { return t < tokens ? e[t * K] : T(0); };
  int lanes[Cap];
  find_lanes(team, K, lanes);
  T ahead[tokens_ahead], column[Cap];
#pragma unroll
  for (int u = 0; u < tokens_ahead; ++u) ahead[u] = emission(u + 1);
  T score = there ? start_score(input, tag) + emission(0) : none;
#pragma unroll
  for (int k = 0; k < Cap; ++k) {
    column[k] = k < K && there ? transition(input, k, tag) : none;
  }

  double shift = 0;
  const int steps = warp_max(tokens);
  for (int begin = 1; begin < steps; begin += tokens_ahead) {
#pragma unroll
    for (int u = 0; u < tokens_ahead; ++u) {
      const int t = begin + u;
      const T here = ahead[u];
      ahead[u] = emission(t + tokens_ahead);
      T sums[Cap], tops[Cap];
#pragma unroll
      for (int k = 0; k < Cap; ++k) {
        sums[k] = __shfl_sync(full_warp, score, lanes[k]) + column[k];
        tops[k] = sums[k];
      }
#pragma unroll
      for (int gap = 1; gap < Cap; gap *= 2) {
#pragma unroll
        for (int k = 0; k + gap < Cap; k += 2 * gap) {
          tops[k] = larger(tops[k], tops[k + gap]);
        }
      }
      int from = 0;
#pragma unroll
      for (int k = Cap - 1; k >= 0; --k) from = sums[k] == tops[0] ? k : from;
      if (t < tokens) {
        score = tops[0] + here;
        pointers[t * stride + tag] = static_cast<uint8_t>(from);
      }
    }
    if ((begin + tokens_ahead - 1) % tokens_between_tops == 0) {
      T top = none;
      for (int k = 0; k < K; ++k) {
        top = larger(top, __shfl_sync(full_warp, score, team.first + k));
      }
      if (top > none && begin < tokens) {
        shift += static_cast<double>(top);
        score -= top;
      }
    }
  }

  if (there) score += input.end[tag];
  BestTag<T> best{__shfl_sync(full_warp, score, team.first), 0};
  for (int k = 1; k < K; ++k) {
    best.take(__shfl_sync(full_warp, score, team.first + k), k);
  }
  __syncwarp();
  if (tag == 0 && team.exists) {
    const double sum = shift + static_cast<double>(best.score);
    scores[team.sentence] = !team.valid   ? nan_of(T())
                            : tokens == 0 ? T(0)
                                          : static_cast<T>(sum);
    int on_path = best.tag;
    for (int t = tokens - 1; t >= 0; --t) {
      uint8_t* const row = pointers + t * stride;
      const int before = t > 0 ? row[on_path] : 0;
      row[0] = static_cast<uint8_t>(on_path);
      on_path = before;
    }
  }
  __syncwarp();
  for (int number = 0; number < warp_lanes / K; ++number) {
    const int64_t b =
        static_cast<int64_t>(blockIdx.x) * (warp_lanes / K) + number;
    if (b >= input.batch) break;
    const int count = __shfl_sync(full_warp, tokens, number * K);
    const uint8_t* path;
    if constexpr (shared) {
      path = shared_pointers + number * K;
    } else {
      path = workspace + b * input.length * K;
    }
    for (int64_t t = lane; t < input.length; t += warp_lanes) {
      tags[b * input.length + t] = t < count ? path[t * stride] : -1;
    }
  }
}

// Shared memory: two rows of scores, then the pointers if `shared`.
template <typename T, bool shared>
__global__ void __launch_bounds__(most_threads, 1)
    crf_decode_block(CrfBatch<T> input, int64_t* tags, T* scores,
                     int32_t* workspace) {
  CMAN_DYNAMIC_SHARED(T, memory);
  const int K = static_cast<int>(input.tags);
  const Team team = team_of_thread(input);
  const int tokens = team.tokens;
  T *score = memory, *next = memory + K;
  int32_t* pointers;
  if constexpr (shared) {
    pointers = reinterpret_cast<int32_t*>(memory + 2 * K);
  } else {
    pointers = workspace + team.sentence * input.length * K;
  }
  const T* e = emissions_of(input, team);
  T ahead = team.tag < K && tokens > 0 ? e[team.tag] : T(0);
  const T none = -infinite(T());
  T top = 0;
  double shift = 0;
  for (int t = 0; t < tokens; ++t) {
    const int64_t row = static_cast<int64_t>(t) * K;
    for (int j = team.tag; j < K; j += team.size) {
      const T here = j == team.tag ? ahead : e[row + j];
      if (j == team.tag && t + 1 < tokens) ahead = e[row + K + j];
      if (t == 0) {
        next[j] = start_score(input, j) + here;
        continue;
      }
      BestTag<T> best{score[0] - top + transition(input, 0, j), 0};
      for (int i = 1; i < K; ++i) {
        best.take(score[i] - top + transition(input, i, j), i);
      }
      next[j] = best.score + here;
      pointers[row + j] = best.tag;
    }
    __syncthreads();
    T* const before = score;
    score = next, next = before;
    top = 0;
    if ((t + 1) % tokens_between_tops == 0) {
      T highest = none;
      for (int k = 0; k < K; ++k) highest = larger(highest, score[k]);
      if (highest > none) top = highest;
      shift += static_cast<double>(top);
    }
  }
  if (threadIdx.x == 0) {
    BestTag<T> best{T(0), 0};
    if (tokens > 0) best.score = score[0] - top + input.end[0];
    for (int k = 1; k < K && tokens > 0; ++k) {
      best.take(score[k] - top + input.end[k], k);
    }
    const double sum = shift + static_cast<double>(best.score);
    scores[team.sentence] = team.valid ? static_cast<T>(sum) : nan_of(T());
    int on_path = best.tag;
    for (int64_t t = tokens - 1; t >= 0; --t) {
      int32_t* const row = pointers + t * K;
      const int before = t > 0 ? row[on_path] : 0;
      row[0] = on_path;
      on_path = before;
    }
  }
  __syncthreads();
  for (int64_t t = threadIdx.x; t < input.length; t += blockDim.x) {
    tags[team.sentence * input.length + t] = t < tokens ? pointers[t * K] : -1;
  }
}

}  // namespace
}  // namespace cman
