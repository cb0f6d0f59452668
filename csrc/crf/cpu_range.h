// When linear space in float32 is right, and the factors it works with. See
// cpu_forward.h for the two arguments.
//
// Scores that lie far below the largest are made 0 like forbidden ones (many
// users forbid with -10000). All paths over them together have less than
// tags^tokens exp(-dropped) in the units of the factors; where that is not
// nothing beside the sum of the other paths, linear space is not used.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "crf/cpu_exact.h"
#include "crf/cpu_memory.h"
#include "crf/plan.h"

namespace cman {
namespace {

constexpr double dropped_below = 32;  // from the top
// -log of what float32 holds, with a margin, below 1 and below 2^40.
constexpr double below_one = 86, below_top = 108;
constexpr float smallest_divisor = 0x1p-80f;
constexpr double most_growth = 8;  // log of, between rescalings
constexpr double negligible = 20;  // exp(-20) is nothing to a float

// Sets the factors of a model; `room` is what follows the scores.
inline void prepare_sums(CrfModel<float>* model, float* room) {
  const int64_t K = model->tags, stride = model->stride;
  const int64_t matrix = K * stride;
  float* factors = room;
  float* turned = room + matrix + stride;
  float* start = turned + matrix + stride;
  float* end = start + stride;
  model->factors = factors;
  model->factors_turned = turned;
  model->start_factors = start;
  model->end_factors = end;
  model->range = 0;
  model->dropped = infinity;
  model->zeros = false;
  const auto convert = [&](const float* scores, double top, float* to) {
    for (int64_t j = 0; j < stride; ++j) to[j] = 0;
    for (int64_t j = 0; j < K; ++j) {
      const double below = top - double(scores[j]);
      if (below > dropped_below) {
        model->zeros = true;
        model->dropped = std::min(model->dropped, below);
      } else {
        model->range = below > model->range ? below : model->range;
        to[j] = static_cast<float>(std::exp(-below));
      }
    }
  };
  model->transitions_top = top_of(model->transitions, K, K, stride);
  model->start_top = top_of(model->start, 1, K, stride);
  model->end_top = top_of(model->end, 1, K, stride);
  for (int64_t i = 0; i < K; ++i) {
    convert(model->transitions + i * stride, model->transitions_top,
            factors + i * stride);
  }
  convert(model->start, model->start_top, start);
  convert(model->end, model->end_top, end);
  for (int64_t i = 0; i < K; ++i) {
    for (int64_t j = 0; j < stride; ++j) turned[i * stride + j] = 0;
    for (int64_t j = 0; j < K; ++j) {
      turned[i * stride + j] = factors[j * stride + i];
    }
  }
  // Between rescalings sums grow by less than tags and shrink by exp(-range) a
  // token; both alpha and beta may, and are multiplied.
  const double change = std::max({model->range, std::log(double(K)), 2.0});
  model->period = std::max(1, static_cast<int>(most_growth / change) - 1);
}

// What a sum of products of alpha and beta still has to be multiplied by.
inline double factor_of(const CrfModel<float>& model, int64_t i, int64_t j) {
  return double(model.factors[i * model.stride + j]);
}
inline double factor_of(const CrfModel<double>&, int64_t, int64_t) { return 0; }

// Whether one lane's recursion never lost a number; NaN says no.
inline bool in_range(const CrfModel<float>& model, double spread,
                     double lowest) {
  if (!model.zeros) {
    return model.range * (model.period + 2) + spread <= below_top &&
           spread + most_growth <= below_one;
  }
  // A rescaling may divide by what the sums have grown.
  const double growth = std::max(most_growth, 2 * std::log(double(model.tags)));
  return model.range + spread + growth - std::log(lowest) <= below_one;
}

// The log-partition of a lane in `result`; false if it has to be done again.
inline bool linear_partition(const CrfModel<float>& model, const CrfSums& sums,
                             int lane, int64_t tokens, double* result) {
  constexpr double ln2 = 0.693147180559945309;
  if (!in_range(model, sums.spread[lane], sums.lowest[lane])) return false;
  const double log_sum =
      std::log(double(sums.sum[lane])) + sums.exponent[lane] * ln2;
  if (model.dropped < infinity) {
    const double lost = tokens * std::log(double(model.tags)) - model.dropped;
    if (!(log_sum - lost >= negligible)) return false;
  }
  *result = log_sum + sums.shift[lane] + model.start_top + model.end_top +
            model.transitions_top * double(tokens - 1);
  return !std::isnan(*result);
}

}  // namespace
}  // namespace cman
