// Sums over paths in float and linear space, up to 32 tags: what is fast.
//
//   a_t[j] = x_t[j] f_t sum_i a_{t-1}[i] E[i][j]
//   x_t[j] = exp(e_t[j] - e_t[0]),   E = exp(transitions - top)
//
// The one idea: nothing but this product is on the chain from token to token.
// A lane holds its column of E in registers and reads the a of its team by
// shuffle; the same shuffled values give their sum S, and f_t is the power of
// two that brings S to [1, 2), made of its exponent bits. x_t comes from an
// emission that was loaded some tokens before. It is taken relative to the
// emission of tag 0, one shuffle, since the maximum would take five. Exponents
// are summed as integers, the e_t[0] in double.
//
// Backwards a lane holds a row of E, and the same shuffled y_t = x_t b_t serve
// b_{t-1}[i] = f sum_j E[i][j] y_t[j] and the pairs' sums, K registers a lane:
//
//   P[j] += weight (a_{t-1}[i] f / total_{t-1}) y_t[j]
//
// E is multiplied in where P is added to shared memory in double, every 64
// tokens. total = sum_i a[i] b[i] is summed anew at each token, so that
// marginals sum to 1 within the rounding of one token, whatever the length.
//
// When is that right? Nothing that is not 0 may become 0 (or lose bits). With
// `low` the smallest a that is not 0, `high` the largest S, `range` that of the
// finite transitions and `wide` the largest |e_t[j] - e_t[0]|, no product, sum
// or next a lies below low / high exp(-range - wide). Lanes watch these beside
// the chain; a team that comes near the smallest float is done again in double
// (crf_cuda_exact.cuh). NaN and infinities end there too.
//
// Bounds: a warp's step is K shuffles and 2 K FMAs forwards, about K + 6
// shuffles and 3 K FMAs backwards; an SM issues one shuffle a cycle. For
// (4096, 128, 9), 1366 warps of 3 sentences: 10 + 15 shuffles x 128 x 1366 /
// 132 SMs = 33 k cycles or 17 us at 1.98 GHz for both passes, of the 25 that
// are the goal; memory (38 MB) takes 9 and the chain (about 80 cycles a step)
// 2 x 5 beside it. Short batches are bound by the chain.
#pragma once

#include <cmath>
#include <cstdint>

#include "crf_cuda_exact.cuh"

namespace cman {
namespace {

// Numbers of tags that kernels are compiled for: BIO over n types has 2 n + 1.
// `least_tags` is the smallest that comes to a kernel, so that only tags from
// there on need asking whether they exist.
template <int Cap>
constexpr int least_tags = Cap <= 4    ? 1
                           : Cap <= 9  ? 5
                           : Cap <= 17 ? 10
                           : Cap <= 25 ? 18
                                       : 26;

constexpr int tokens_ahead = 4;         // loaded before they are needed
constexpr int tokens_between_sums = 64;  // of the pairs, in double
constexpr float widest_range = 60;      // of transitions, starts and ends
constexpr float widest_emissions = 30;
constexpr float float_range = 85;       // -log of the smallest float is 87.3
constexpr float least_total = 0x1p-60f, most_coefficient = 0x1p60f;
constexpr double ln2 = 0.693147180559945309;

// exp(score - top) for all lanes' scores; widens `range`.
__device__ inline float factors_range(float highest, float lowest,
                                      float* range) {
  highest = warp_max(highest);
  lowest = -warp_max(-lowest);
  if (highest == -infinite(0.0f)) return 0;
  const float wide = highest - lowest;  // may be NaN
  *range = fmaxf(*range, wide <= widest_range ? wide : infinite(0.0f));
  return highest;
}

__device__ inline float unary_factor(float score, float* top, float* range) {
  const float none = -infinite(0.0f);
  *top = factors_range(score, score == none ? -none : score, range);
  return score == none ? 0.0f : expf(score - *top);
}

// E's column (forwards) or row (backwards) of the lane's tag; its top.
template <int Cap>
__device__ float load_factors(const CrfBatch<float>& input, int tag, bool rows,
                              float (&factors)[Cap], float* range) {
  const float none = -infinite(0.0f);
  const int K = static_cast<int>(input.tags);
  float highest = none, lowest = -none;
#pragma unroll
  for (int k = 0; k < Cap; ++k) {
    factors[k] = none;
    if (k < K && tag < K) {
      factors[k] = transition(input, rows ? tag : k, rows ? k : tag);
    }
    highest = fmaxf(highest, factors[k]);
    if (factors[k] != none) lowest = fminf(lowest, factors[k]);
  }
  const float top = factors_range(highest, lowest, range);
#pragma unroll
  for (int k = 0; k < Cap; ++k) {
    factors[k] = factors[k] == none ? 0.0f : expf(factors[k] - top);
  }
  return top;
}

// What tells whether linear space was right.
struct Watch {
  float low = 1, high = 1, wide = 0;

  __device__ void see(float value, float sum, float difference) {
    if (value > 0) low = fminf(low, value);
    high = fmaxf(high, sum);
    const float size = fabsf(difference);  // may be NaN
    wide = fmaxf(wide, size <= widest_emissions ? size : infinite(0.0f));
  }
  __device__ bool fine(const Team& team, int tags, float range) const {
    const float all_wide = team_max(team, tags, wide);
    const float depth = team_max(team, tags, -logf(low)) +
                        logf(team_max(team, tags, high)) + range + all_wide;
    return range <= widest_range && all_wide <= widest_emissions &&
           depth <= float_range;
  }
};

// The team's values times the factors, and the power of two for their sum.
template <int Cap>
struct Product {
  float values[Cap];
  float dot, sum, scale;
  int exponent;

  __device__ void take(const Team& team, int tags, float value,
                       const float (&factors)[Cap]) {
    float dots[2] = {0, 0}, sums[2] = {0, 0};
#pragma unroll
    for (int k = 0; k < Cap; ++k) {
      float other = __shfl_sync(full_warp, value, team.first + k);
      if (k >= least_tags<Cap>) other = k < tags ? other : 0.0f;
      values[k] = other;
      dots[k % 2] = fmaf(other, factors[k], dots[k % 2]);
      sums[k % 2] += other;
    }
    dot = dots[0] + dots[1];
    sum = sums[0] + sums[1];
    const int biased = __float_as_int(sum) >> 23;
    exponent = biased > 0 ? biased - 127 : 0;
    scale = __int_as_float((127 - exponent) * (1 << 23));
  }
};

// The log-partition of a team's sentence and whether it is `right`. Keeps alpha
// if `kept` is not null.
template <int Cap>
__device__ double linear_forward(const CrfBatch<float>& input, const Team& team,
                                 float* kept, bool* right) {
  const int K = static_cast<int>(input.tags), tag = team.tag;
  const int tokens = team.tokens;
  const bool there = tag < K;
  const float none = -infinite(0.0f);
  const float* e = emissions_of(input, team) + tag;
  const auto emission = [&](int t) {
    return there && t < tokens ? e[static_cast<int64_t>(t) * K] : 0.0f;
  };
  float factors[Cap], range = 0, start_top, end_top;
  float ahead[tokens_ahead];
#pragma unroll
  for (int u = 0; u < tokens_ahead; ++u) ahead[u] = emission(u + 1);
  const float first = emission(0);
  const float top = load_factors(input, tag, false, factors, &range);
  const float begin = unary_factor(there ? start_score(input, tag) : none,
                                   &start_top, &range);
  const float finish =
      unary_factor(there ? input.end[tag] : none, &end_top, &range);

  Watch watch;
  const float reference = __shfl_sync(full_warp, first, team.first);
  float alpha = there ? begin * expf(first - reference) : 0.0f;
  double shift = static_cast<double>(reference);
  int exponents = 0;
  if (tokens > 0) {
    watch.see(alpha, 0, first - reference);
    if (kept != nullptr && there) kept[tag] = alpha;
  }
  const int steps = warp_max(tokens);
  for (int begin_t = 1; begin_t < steps; begin_t += tokens_ahead) {
#pragma unroll
    for (int u = 0; u < tokens_ahead; ++u) {
      const int t = begin_t + u;
      const float here = ahead[u];
      ahead[u] = emission(t + tokens_ahead);
      const float zero = __shfl_sync(full_warp, here, team.first);
      const float x = expf(here - zero);
      Product<Cap> product;
      product.take(team, K, alpha, factors);
      if (t < tokens) {
        alpha = product.dot * product.scale * x;
        exponents += product.exponent;
        shift += static_cast<double>(zero);
        watch.see(alpha, product.sum, here - zero);
        if (kept != nullptr && there) {
          kept[static_cast<int64_t>(t) * K + tag] = alpha;
        }
      }
    }
  }
  const float total = team_sum<Cap>(team, K, there ? alpha * finish : 0.0f);
  const double result =
      log(static_cast<double>(total)) + shift + exponents * ln2 +
      static_cast<double>(start_top) + static_cast<double>(end_top) +
      static_cast<double>(top) * (tokens - 1);
  *right = watch.fine(team, K, range) && result == result;
  return tokens == 0 ? 0 : result;
}

// The gradient `weight` d log-partition of a feasible sentence from its alpha.
// False if it was not right: d_emissions and the lane's column of room.pairs
// have to be done again; nothing else is written then.
template <int Cap>
__device__ bool linear_backward(const CrfBatch<float>& input, const Team& team,
                                const SumsRoom& room, float weight,
                                const float* kept, const Gradient<float>& to) {
  const int K = static_cast<int>(input.tags), tag = team.tag;
  const int tokens = team.tokens;
  const bool there = tag < K, parameters = to.transitions != nullptr;
  const int64_t offset =
      team.exists ? team.sentence * input.length * K + tag : 0;
  float* const unary = to.emissions + offset;
  const auto read = [&](const float* from, int t) {
    return there && t >= 0 ? from[static_cast<int64_t>(t) * K] : 0.0f;
  };
  float factors[Cap], pairs[Cap], range = 0, end_top;
  float e_ahead[tokens_ahead], alpha_ahead[tokens_ahead];
#pragma unroll
  for (int u = 0; u < tokens_ahead; ++u) {
    e_ahead[u] = read(input.emissions + offset, tokens - 1 - u);
    alpha_ahead[u] = read(kept + tag, tokens - 1 - u);
  }
  load_factors(input, tag, true, factors, &range);
#pragma unroll
  for (int k = 0; k < Cap; ++k) pairs[k] = 0;
  const auto flush = [&] {
    if (!parameters || !there) return;
#pragma unroll
    for (int k = 0; k < Cap; ++k) {
      if (k >= K) break;
      room.pairs[k * room.columns + team.first + tag] +=
          static_cast<double>(pairs[k]) * static_cast<double>(factors[k]);
      pairs[k] = 0;
    }
  };

  float beta = unary_factor(there ? input.end[tag] : -infinite(0.0f), &end_top,
                            &range);
  float first = 0, last = 0, scale = 1;
  bool lost = false;
  Watch watch;
  Product<Cap> product{};
  const int steps = warp_max(tokens);
  for (int begin = 0; begin < steps; begin += tokens_ahead) {
#pragma unroll
    for (int u = 0; u < tokens_ahead; ++u) {
      const int t = tokens - 1 - begin - u;
      const float here = e_ahead[u], alpha = alpha_ahead[u];
      e_ahead[u] = read(input.emissions + offset, t - tokens_ahead);
      alpha_ahead[u] = read(kept + tag, t - tokens_ahead);
      const float total = team_sum<Cap>(team, K, there ? alpha * beta : 0.0f);
      const float share = alpha * approx_reciprocal(total);
      const float zero = __shfl_sync(full_warp, here, team.first);
      const float y = there ? beta * expf(here - zero) : 0.0f;
      if (t >= 0) {
        const float coefficient = share * scale;
        const float marginal = weight * (share * beta);
        if (there) unary[static_cast<int64_t>(t) * K] = marginal;
        if (t == 0) first = marginal;
        if (begin + u == 0) last = marginal;
        if (begin + u > 0 && parameters) {
#pragma unroll
          for (int k = 0; k < Cap; ++k) {
            pairs[k] = fmaf(weight * coefficient, product.values[k], pairs[k]);
          }
        }
        lost = lost || !(total >= least_total) ||
               !(coefficient <= most_coefficient);  // also NaN
        watch.see(y, 0, here - zero);
      }
      product.take(team, K, y, factors);
      if (t > 0) watch.high = fmaxf(watch.high, product.sum);
      scale = product.scale;
      beta = product.dot * scale;
    }
    if ((begin + tokens_ahead) % tokens_between_sums == 0) flush();
  }
  flush();
  const bool right = watch.fine(team, K, range) &&
                     team_max(team, K, there && lost ? 1.0f : 0.0f) == 0;
  if (right && parameters && there && tokens > 0) {
    atomicAdd(to.start + tag, first);
    atomicAdd(to.end + tag, last);
  }
  return right;
}

}  // namespace
}  // namespace cman
