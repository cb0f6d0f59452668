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
// (cuda_exact.cuh). NaN and infinities end there too.
//
// What bounds it: in small batches the chain; in large ones instructions. At 9
// tags a warp's step is 64 of them forwards, 10 of which are shuffles, and 108
// backwards, 15 of which are shuffles; what lies outside the product is the
// exponentials (9 each), the sums S (8 each), and addresses.
#pragma once

#include <cmath>
#include <cstdint>

#include "crf/cuda_exact.cuh"

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

constexpr int tokens_ahead = 4;          // loaded before they are needed
constexpr int tokens_between_sums = 64;  // of the pairs, in double
constexpr float widest_range = 60;       // of transitions, starts and ends
constexpr float widest_emissions = 30;
constexpr float float_range = 85;  // -log of the smallest float is 87.3
constexpr float least_total = 0x1p-60f, most_coefficient = 0x1p60f;
constexpr int exponent_mask = 0x7f800000, exponent_shift = 23;
constexpr int twice_bias = 254;  // 2^-n has the exponent bits 254 less those
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

// Where a team's tags are; tag 0 for those that do not exist.
template <int Cap>
__device__ void find_lanes(const Team& team, int tags, int (&lanes)[Cap]) {
#pragma unroll
  for (int k = 0; k < Cap; ++k) {
    lanes[k] = team.first + (k < least_tags<Cap> || k < tags ? k : 0);
  }
}

// What tells whether linear space was right.
struct Watch {
  float low = 1, high = 1, wide = 0;

  __device__ void see(float value, float sum, float difference) {
    if (value > 0) low = fminf(low, value);
    high = fmaxf(high, sum);
    wide = fmaxf(wide, fabsf(difference));
  }
  __device__ bool fine(const Team& team, int tags, float range) const {
    const float all_wide = team_max(team, tags, wide);
    const float depth = team_max(team, tags, -logf(low)) +
                        logf(team_max(team, tags, high)) + range + all_wide;
    return range <= widest_range && all_wide <= widest_emissions &&
           depth <= float_range;
  }
};

// The team's values times the factors, and the power of two for their sum. In
// the place of tags that do not exist comes tag 0 once more: the factors are 0
// there, and the sum needs to be no more than about right.
template <int Cap>
struct Product {
  float values[Cap];
  float dot, sum, scale;
  int exponent;  // with the bias of 127

  __device__ void take(const int (&lanes)[Cap], float value,
                       const float (&factors)[Cap]) {
#pragma unroll
    for (int k = 0; k < Cap; ++k) {
      values[k] = __shfl_sync(full_warp, value, lanes[k]);
    }
    float dots[2], sums[2] = {values[0], values[1]};
    dots[0] = values[0] * factors[0];
    dots[1] = values[1] * factors[1];
#pragma unroll
    for (int k = 2; k < Cap; ++k) {
      dots[k % 2] = fmaf(values[k], factors[k], dots[k % 2]);
      sums[k % 2] += values[k];
    }
    dot = dots[0] + dots[1];
    sum = sums[0] + sums[1];
    const int bits = __float_as_int(sum) & exponent_mask;
    exponent = bits >> exponent_shift;
    scale = __int_as_float((twice_bias << exponent_shift) - bits);
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
  const auto emission = [&](int t) { return t < tokens ? e[t * K] : 0.0f; };
  int lanes[Cap];
  find_lanes(team, K, lanes);
  float factors[Cap], range = 0, start_top, end_top;
  float ahead[tokens_ahead];
#pragma unroll
  for (int u = 0; u < tokens_ahead; ++u) ahead[u] = emission(u + 1);
  const float first = emission(0);
  const float top = load_factors(input, tag, false, factors, &range);
  const float begin =
      unary_factor(there ? start_score(input, tag) : none, &start_top, &range);
  const float finish =
      unary_factor(there ? input.end[tag] : none, &end_top, &range);

  Watch watch;
  const float reference = __shfl_sync(full_warp, first, team.first);
  float alpha = there ? begin * expf(first - reference) : 0.0f;
  double shift = static_cast<double>(reference);
  int exponents = 0;
  float* keep = kept == nullptr ? nullptr : kept + tag;
  if (tokens > 0) {
    watch.see(alpha, 0, first - reference);
    if (kept != nullptr) *keep = alpha;
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
      product.take(lanes, alpha, factors);
      if (t < tokens) {
        alpha = product.dot * product.scale * x;
        exponents += product.exponent;
        shift += static_cast<double>(zero);
        watch.see(alpha, product.sum, here - zero);
        if (kept != nullptr) keep[t * K] = alpha;
      }
    }
  }
  const float total = team_sum<Cap>(team, K, there ? alpha * finish : 0.0f);
  const double result =
      log(static_cast<double>(total)) + shift +
      (exponents - 127 * (tokens - 1)) * ln2 + static_cast<double>(start_top) +
      static_cast<double>(end_top) + static_cast<double>(top) * (tokens - 1);
  *right = watch.fine(team, K, range) && result < infinite(0.0);
  return tokens == 0 ? 0 : result;
}

// The gradient `weight` d log-partition of a feasible sentence from its alpha.
// False if it was not right: d_emissions and the lane's column of room.pairs
// have to be done again; nothing else is written then.
template <int Cap, bool Parameters>
__device__ bool linear_backward(const CrfBatch<float>& input, const Team& team,
                                const SumsRoom& room, float weight,
                                const float* kept, const Gradient<float>& to) {
  constexpr int loaded = Cap > 25 ? 2 : tokens_ahead;  // registers run out
  const int K = static_cast<int>(input.tags), tag = team.tag;
  const int tokens = team.tokens;
  const bool there = tag < K;
  const int64_t offset =
      team.exists ? team.sentence * input.length * K + tag : 0;
  // Where the next token is loaded and written; behind the first comes itself.
  const int64_t end = tokens > 0 ? static_cast<int64_t>(tokens - 1) * K : 0;
  const float* e = input.emissions + offset + end;
  const float* keep = kept + tag + end;
  float* unary = to.emissions + offset + end;
  int left = tokens;
  const auto load = [&](float* emission, float* alpha) {
    if (tokens == 0) return;
    *emission = *e;
    *alpha = *keep;
    left -= 1;
    if (left > 0) {
      e -= K;
      keep -= K;
    }
  };
  int lanes[Cap];
  find_lanes(team, K, lanes);
  float factors[Cap], pairs[Cap], range = 0, end_top;
  float e_ahead[loaded] = {}, alpha_ahead[loaded] = {};
#pragma unroll
  for (int u = 0; u < loaded; ++u) {
    load(&e_ahead[u], &alpha_ahead[u]);
  }
  load_factors(input, tag, true, factors, &range);
#pragma unroll
  for (int k = 0; k < Cap; ++k) pairs[k] = 0;
  const auto flush = [&] {
    if constexpr (Parameters) {
#pragma unroll
      for (int k = 0; k < Cap; ++k) {
        if (there && k < K) {
          room.pairs[k * room.columns + team.first + tag] +=
              static_cast<double>(pairs[k]) * static_cast<double>(factors[k]);
        }
        pairs[k] = 0;
      }
    }
  };

  float beta =
      unary_factor(there ? input.end[tag] : -infinite(0.0f), &end_top, &range);
  float first = 0, last = 0, scale = 1, peak = 0, least = 1;
  Watch watch;
  Product<Cap> product{};
  const int steps = warp_max(tokens);
  for (int begin = 0; begin < steps; begin += loaded) {
#pragma unroll
    for (int u = 0; u < loaded; ++u) {
      const int t = tokens - 1 - begin - u;
      const float here = e_ahead[u], alpha = alpha_ahead[u];
      load(&e_ahead[u], &alpha_ahead[u]);
      const float total = team_sum<Cap>(team, K, alpha * beta);
      const float share = weight * (alpha * approx_reciprocal(total));
      const float zero = __shfl_sync(full_warp, here, team.first);
      const float y = beta * expf(here - zero);
      if (t >= 0) {
        first = share * beta;  // at last, the first token's
        *unary = first;
        unary -= K;
        if (u == 0 && begin == 0) last = first;
        const float coefficient = share * scale;
        if (Parameters && (u > 0 || begin > 0)) {
#pragma unroll
          for (int k = 0; k < Cap; ++k) {
            pairs[k] = fmaf(coefficient, product.values[k], pairs[k]);
          }
        }
        least = fminf(least, total);
        peak = fmaxf(peak, fabsf(coefficient));
        watch.see(y, product.sum, here - zero);
      }
      product.take(lanes, y, factors);
      scale = product.scale;
      beta = product.dot * scale;
    }
    if ((begin + loaded) % tokens_between_sums == 0) flush();
  }
  flush();
  const float top_peak = team_max(team, K, peak);
  const bool right = watch.fine(team, K, range) && least >= least_total &&
                     top_peak <= most_coefficient;
  if (right && Parameters && there && tokens > 0) {
    atomicAdd(to.start + tag, first);
    atomicAdd(to.end + tag, last);
  }
  return right;
}

}  // namespace
}  // namespace cman
