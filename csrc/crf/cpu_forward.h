// The forward recursion in linear space, for a group of sentences:
//
//   alpha_t[j] = x_t[j] sum_i alpha_{t-1}[i] E[i][j]
//   x_t[j] = exp(e_t[j] - max_k e_t[k]),   E = exp(transitions - top)
//
// K^2 multiplications a token and K exponentials, where log space takes K^2
// exponentials. The maxima of the emissions are summed in float64. Every
// `period` tokens a power of two is taken out, one token late, that brings the
// largest alpha near 2^40: sums of products of alpha and beta then stay below
// 2^127, and alpha has 2^166 = exp(115) to be small in before it is flushed.
//
// When is that right? Without zeros in E, two tags' sums differ by at most
// exp(range), so that alpha is at least
//   2^40 exp(-range (period + 2) - spread),
// spread being the largest max - min of a token's emissions. With zeros, a tag
// may be fed by arbitrarily unlikely ones alone; then the smallest alpha that
// is not 0 is watched at each token, and nothing is lost at the next if
//   lowest exp(-range - spread)
// is not. CrfSums carries spread and lowest out; cpu_range.h decides, and
// sentences that fail are computed in float64 and log space (cpu_exact.h).
#pragma once

#include <cstdint>

#include "crf/cpu_lanes.h"
#include "crf/cpu_steps.h"

namespace cman {
namespace {

// exp(d) for d <= 0, to 2 units in the last place; below exp(-86), that. NaN
// stays NaN.
template <class F>
inline typename F::V exp_of_difference(typename F::V d) {
  using V = typename F::V;
  const V log2e = F::set1(1.44269504f);
  const V shifter = F::set1(12582912.0f);  // 1.5 2^23 rounds to an integer
  d = F::max(F::set1(-86.0f), d);
  const V shifted = F::fma(d, log2e, shifter);
  const V fraction = F::fma(d, log2e, F::sub(shifter, shifted));
  // 2^f on [-1/2, 1/2], exact at 0, relative error 1.1e-7.
  V p = F::set1(1.32647273e-3f);
  p = F::fma(p, fraction, F::set1(9.67151299e-3f));
  p = F::fma(p, fraction, F::set1(5.55073358e-2f));
  p = F::fma(p, fraction, F::set1(2.40222424e-1f));
  p = F::fma(p, fraction, F::set1(6.93147004e-1f));
  p = F::fma(p, fraction, F::set1(1.0f));
  return F::scale_by_shifted(p, shifted);
}

constexpr float crf_top_exponent = 40;
constexpr float crf_top = 0x1p40f;

// The power of two that brings the maximum of values (tags, W) to [1, 2)
// crf_top in each lane, 1 where all are 0. It is not applied to these values
// but to the factors of the next token: nothing then waits for it.
template <class F>
struct Scaling {
  using V = typename F::V;
  float factor[F::width];
  float exponent[F::width];

  void take(const float* values, int64_t tags) {
    V top = F::load(values);
    for (int64_t k = 1; k < tags; ++k) {
      top = F::max(top, F::load(values + k * F::width));
    }
    const V taken = F::select(
        F::greater(top, F::zero()),
        F::sub(F::exponent(top), F::set1(crf_top_exponent)), F::zero());
    F::store(exponent, taken);
    F::store(factor, F::power_of_two(F::sub(F::zero(), taken)));
  }
  void apply(const float* values, int64_t tags, float* scaled) const {
    const V by = F::load(factor);
    for (int64_t k = 0; k < tags; ++k) {
      F::store(scaled + k * F::width,
               F::mul(F::load(values + k * F::width), by));
    }
  }
};

// lowest = min(lowest, the smallest of values (tags, W) that is not 0)
template <class F>
inline void watch(const float* values, int64_t tags, float* lowest) {
  const auto kept = F::load(lowest);
  auto smallest = kept;
  for (int64_t k = 0; k < tags; ++k) {
    const auto value = F::load(values + k * F::width);
    smallest =
        F::min(smallest, F::select(F::greater(value, F::zero()), value, kept));
  }
  F::store(lowest, smallest);
}

// Emissions of a token (tags, W) to factors x; adds to shift, widens spread.
template <class F, int Tags>
inline typename F::V emission_factors(const float* e, int64_t tags, float* x,
                                      double* shift, typename F::V spread) {
  using V = typename F::V;
  constexpr int W = F::width;
  V top = F::load(e), bottom = top;
  for (int64_t k = 1; k < tags; ++k) {
    const V value = F::load(e + k * W);
    top = F::max(top, value);
    bottom = F::min(bottom, value);
  }
  F::accumulate(shift, top);
  for (int64_t k = 0; k < tags; ++k) {
    F::store(x + k * W, exp_of_difference<F>(F::sub(F::load(e + k * W), top)));
  }
  // NaN is kept: an operand that is NaN gives the second one.
  return F::max(spread, F::sub(top, bottom));
}

// What the recursion carries from chunk to chunk.
template <class F>
struct ForwardState {
  const CrfModel<float>* model;
  const CrfGroup<float>* group;
  const float* previous;  // alpha of the token before (tags, W)
  float* alpha;           // where the next token's goes
  bool keep;              // whether each token has a place of its own
  float* spare[2];        // the places otherwise
  float* scaled;          // (tags, W)
  double* exponent;       // (W) so far
  float lowest[crf_widest];
  Ends ends;
  int end;
  CrfSums* sums;
  Scaling<F> scaling;
};

// The sum over the last token's tags, of the lanes that end at token t.
template <class F>
void take_sums(ForwardState<F>& state, const float* alpha, int64_t t) {
  using V = typename F::V;
  constexpr int W = F::width;
  const CrfModel<float>& model = *state.model;
  V sum = F::mul(F::load(alpha), F::set1(model.end_factors[0]));
  for (int64_t k = 1; k < model.tags; ++k) {
    sum = F::fma(F::load(alpha + k * W), F::set1(model.end_factors[k]), sum);
  }
  float all[W];
  F::store(all, sum);
  for (int lane = 0; lane < W; ++lane) {
    if (state.group->lengths[lane] != t + 1) continue;
    state.sums->sum[lane] = all[lane];
    state.sums->exponent[lane] = state.exponent[lane];
    state.sums->lowest[lane] = state.lowest[lane];
  }
  ++state.end;
}

// A chunk of tokens. The exponentials of a token are computed beside the step
// of the token before, which spends part of its time waiting for results.
template <class F, int Tags>
struct ForwardSteps {
  static void run(ForwardState<F>* state, const float* emissions,
                  float* factors, int64_t first, int64_t count) {
    constexpr int W = F::width;
    const CrfModel<float>& model = *state->model;
    const int64_t tags = Tags ? Tags : model.tags, size = tags * W;
    const auto prepare = [&](int64_t i, typename F::V spread) {
      return emission_factors<F, Tags>(emissions + i * size, tags,
                                       factors + i * size, state->sums->shift,
                                       spread);
    };
    auto spread = prepare(0, F::load(state->sums->spread));
    for (int64_t i = 0; i < count; ++i) {
      const int64_t t = first + i;
      if (i + 1 < count) spread = prepare(i + 1, spread);
      float* alpha = state->alpha;
      const float* x = factors + i * size;
      if (t == 0) {
        for (int64_t k = 0; k < tags; ++k) {
          F::store(alpha + k * W,
                   F::mul(F::load(x + k * W),
                          F::set1(crf_top * model.start_factors[k])));
        }
      } else {
        if ((t - 1) % model.period == 0) {
          state->scaling.apply(x, tags, state->scaled);
          x = state->scaled;
          F::accumulate(state->exponent, F::load(state->scaling.exponent));
        }
        step<F, SumProduct, Tags>(state->previous, model.factors, model.stride,
                                  tags, x, alpha);
      }
      if (t % model.period == 0) state->scaling.take(alpha, tags);
      if (model.zeros) watch<F>(alpha, tags, state->lowest);
      if (state->ends.at[state->end] == t + 1) take_sums<F>(*state, alpha, t);
      state->previous = alpha;
      state->alpha = state->keep                ? alpha + size
                     : alpha == state->spare[0] ? state->spare[1]
                                                : state->spare[0];
    }
    F::store(state->sums->spread, spread);
  }
};

template <class F>
void forward_group(const CrfModel<float>& model, const CrfGroup<float>& group,
                   float* alpha, float* factors, float* scratch,
                   CrfSums* sums) {
  constexpr int W = F::width;
  const int64_t tags = model.tags, size = tags * W, chunk = crf_chunk(tags);
  float* emissions = scratch;
  float* own_factors = emissions + chunk * size + W * W;
  float* spare = own_factors + chunk * size;
  double exponent[W];
  ForwardState<F> state{&model,
                        &group,
                        nullptr,
                        alpha != nullptr ? alpha : spare,
                        alpha != nullptr,
                        {spare, spare + size},
                        spare + 2 * size,
                        exponent,
                        {},
                        Ends(group, W),
                        0,
                        sums,
                        {}};
  for (int lane = 0; lane < W; ++lane) {
    sums->sum[lane] = 0;
    sums->exponent[lane] = sums->shift[lane] = 0;
    exponent[lane] = -double(crf_top_exponent);
    sums->spread[lane] = 0;
    sums->lowest[lane] = state.lowest[lane] = 1;
  }
  for (int64_t t = 0; t < group.longest; t += chunk) {
    const int64_t count = t + chunk < group.longest ? chunk : group.longest - t;
    read_lanes<F>(group, tags, t * tags, count * tags, emissions);
    float* x = factors != nullptr ? factors + t * size : own_factors;
    run_for_tags<F, ForwardSteps>(
        tags, &state, static_cast<const float*>(emissions), x, t, count);
  }
}

}  // namespace
}  // namespace cman
