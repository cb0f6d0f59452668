// The backward recursion in linear space and the gradient, for a group:
//
//   y_t[j] = x_t[j] beta_t[j],   beta_{t-1}[i] = sum_j E[i][j] y_t[j]
//   Z_t = sum_j alpha_t[j] beta_t[j],   a_t[i] = alpha_t[i] weight / Z_t
//   d emissions_t[j] = a_t[j] beta_t[j]
//   d transitions[i][j] = E[i][j] sum_t a_{t-1}[i] y_t[j]
//
// Dividing by Z_t, the same sum at each token but for its scale, makes the
// scales of alpha and beta cancel, and makes marginals sum to 1. beta is 0
// until the last token of a lane, so padding adds nothing.
//
// A chunk of tokens is done in three passes over scratch in the first-level
// cache: the recursion, which leaves a, y and the marginals; the products of a
// and y, a block of (i, j) in registers at a time, for each lane; the marginals
// transposed back into rows. `period` and the scaling are those of
// cpu_forward.h.
#pragma once

#include <cstdint>

#include "crf/cpu_forward.h"
#include "crf/cpu_lanes.h"
#include "crf/cpu_steps.h"

namespace cman {
namespace {

// products[i][j] += sum_t a_t[i] y_{t+1}[j] over `count` tokens, all (., W).
template <class F, int Rows, int Columns>
void pair_block(const float* a, const float* y, int64_t tags, int64_t count,
                float* products) {
  using V = typename F::V;
  constexpr int W = F::width;
  V sum[Rows][Columns];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) {
      sum[i][j] = F::load(products + (i * tags + j) * W);
    }
  }
  y += tags * W;
  for (int64_t t = 0; t < count; ++t, a += tags * W, y += tags * W) {
    V left[Rows];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) left[i] = F::load(a + i * W);
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) {
      const V right = F::load(y + j * W);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        sum[i][j] = F::fma(left[i], right, sum[i][j]);
      }
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 16
    for (int j = 0; j < Columns; ++j) {
      F::store(products + (i * tags + j) * W, sum[i][j]);
    }
  }
}

template <class F, int Rows>
void pair_columns(const float* a, const float* y, int64_t tags, int64_t count,
                  float* products) {
  constexpr int W = F::width;
  constexpr int most = F::registers >= 32 ? 9 : 4;
  const int64_t blocks = (tags + most - 1) / most;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * tags / blocks;
    const int64_t columns = (block + 1) * tags / blocks - first;
    const float* right = y + first * W;
    float* at = products + first * W;
#define CMAN_COLUMNS(n)                                  \
  case n:                                                \
    if constexpr (n <= most) {                           \
      pair_block<F, Rows, n>(a, right, tags, count, at); \
    }                                                    \
    break;
    switch (columns) {
      CMAN_COLUMNS(1)
      CMAN_COLUMNS(2)
      CMAN_COLUMNS(3)
      CMAN_COLUMNS(4)
      CMAN_COLUMNS(5)
      CMAN_COLUMNS(6)
      CMAN_COLUMNS(7)
      CMAN_COLUMNS(8)
      CMAN_COLUMNS(9)
    }
#undef CMAN_COLUMNS
  }
}

template <class F>
void add_pairs(const float* a, const float* y, int64_t tags, int64_t count,
               float* products) {
  constexpr int W = F::width;
  int64_t i = 0;
  for (; i + 3 <= tags; i += 3) {
    pair_columns<F, 3>(a + i * W, y, tags, count, products + i * tags * W);
  }
  if (tags - i == 2) {
    pair_columns<F, 2>(a + i * W, y, tags, count, products + i * tags * W);
  } else if (tags - i == 1) {
    pair_columns<F, 1>(a + i * W, y, tags, count, products + i * tags * W);
  }
}

// out[p] += factor[p] * (sum over lanes of values[p]), and values are 0 again.
// Sums of W numbers are a transpose and W additions of vectors.
template <class F>
void reduce_lanes(float* values, int64_t count, double* out) {
  constexpr int W = F::width;
  for (int64_t p = 0; p < count; p += W) {
    typename F::V block[W];
    for (int i = 0; i < W; ++i) {
      block[i] = p + i < count ? F::load(values + (p + i) * W) : F::zero();
      if (p + i < count) F::store(values + (p + i) * W, F::zero());
    }
    F::transpose(block);
    for (int stride = W / 2; stride > 0; stride /= 2) {
      for (int i = 0; i < stride; ++i) {
        block[i] = F::add(block[i], block[i + stride]);
      }
    }
    double sums[W] = {};
    F::accumulate(sums, block[0]);
    for (int i = 0; i < W && p + i < count; ++i) out[p + i] += sums[i];
  }
}

template <class F>
struct BackwardState {
  const CrfModel<float>* model;
  const CrfGroup<float>* group;
  const float* alpha;
  const float* factors;
  float* beta;  // (tags, W), and room for the next token's
  float* spare;
  float* scaled;     // (tags, W)
  float* a;          // (chunk, tags, W)
  float* y;          // (chunk + 1, tags, W)
  float* marginals;  // (chunk, tags, W)
  float* products;   // (tags, tags, W)
  float* ends_sum;   // (tags, W)
  Ends ends;
  int end;
  CrfGradient* gradient;
  Scaling<F> scaling;
  int64_t scaled_at;  // the token whose y `scaling` is of
};

template <class F, int Tags>
struct BackwardSteps {
  static void run(BackwardState<F>* state, int64_t first, int64_t count) {
    using V = typename F::V;
    constexpr int W = F::width;
    const CrfModel<float>& model = *state->model;
    const int64_t tags = Tags ? Tags : model.tags, size = tags * W;
    const V weight = F::load(state->gradient->weight);
    V lowest_sum = F::load(state->gradient->lowest_sum);
    for (int64_t t = first + count - 1; t >= first; --t) {
      const auto now = static_cast<int32_t>(t + 1);
      const bool ending =
          state->end > 0 && state->ends.at[state->end - 1] == now;
      const auto ended = lanes_of_length<F>(*state->group, now);
      float* beta = state->beta;
      if (ending) {
        --state->end;
        for (int64_t k = 0; k < tags; ++k) {
          F::store(beta + k * W,
                   F::select(ended, F::set1(crf_top * model.end_factors[k]),
                             F::load(beta + k * W)));
        }
      }
      const float* x = state->factors + t * size;
      float* y = state->y + (t - first) * size;
      if (state->scaled_at == t + 1) {
        state->scaling.apply(x, tags, state->scaled);
        x = state->scaled;
      }
      for (int64_t k = 0; k < tags; ++k) {
        F::store(y + k * W, F::mul(F::load(x + k * W), F::load(beta + k * W)));
      }
      if (t > 0) {
        step<F, SumProduct, Tags>(y, model.factors_turned, model.stride, tags,
                                  nullptr, state->spare);
      }
      // What follows does not hold up the recursion, and fills its waits.
      if (t % model.period == 0) {
        state->scaling.take(y, tags);
        state->scaled_at = t;
      }
      if (model.zeros) watch<F>(y, tags, state->gradient->lowest);
      const float* alpha = state->alpha + t * size;
      float* a = state->a + (t - first) * size;
      float* marginals = state->marginals + (t - first) * size;
      V sum = F::mul(F::load(alpha), F::load(beta));
      for (int64_t k = 1; k < tags; ++k) {
        sum = F::fma(F::load(alpha + k * W), F::load(beta + k * W), sum);
      }
      const auto live = F::greater(sum, F::zero());
      lowest_sum = F::select(live, F::min(lowest_sum, sum), lowest_sum);
      // A sum that overflows counts as one that is too small.
      lowest_sum =
          F::select(F::greater(sum, F::set1(3e38f)), F::zero(), lowest_sum);
      const V scale = F::select(live, F::div(weight, sum), F::zero());
      for (int64_t k = 0; k < tags; ++k) {
        const V scaled = F::mul(F::load(alpha + k * W), scale);
        F::store(a + k * W, scaled);
        F::store(marginals + k * W, F::mul(scaled, F::load(beta + k * W)));
      }
      if (ending) {
        for (int64_t k = 0; k < tags; ++k) {
          F::store(state->ends_sum + k * W,
                   F::select(ended, F::load(marginals + k * W),
                             F::load(state->ends_sum + k * W)));
        }
      }
      state->beta = state->spare;
      state->spare = beta;
    }
    F::store(state->gradient->lowest_sum, lowest_sum);
  }
};

template <class F>
void backward_group(const CrfModel<float>& model, const CrfGroup<float>& group,
                    const float* alpha, const float* factors, float* scratch,
                    CrfGradient* gradient) {
  constexpr int W = F::width;
  // Per lane and pair of tags, floats add up this many tokens.
  constexpr int64_t summed = 512;
  const int64_t tags = model.tags, size = tags * W,
                chunk = crf_back_chunk(tags);
  float* next = scratch;
  const auto take = [&](int64_t elements) {
    float* at = next;
    next += elements;
    return at;
  };
  BackwardState<F> state{&model,
                         &group,
                         alpha,
                         factors,
                         take(size),
                         take(size),
                         take(size),
                         take(chunk * size),
                         take((chunk + 1) * size),
                         take(chunk * size),
                         take(tags * size),
                         take(size),
                         Ends(group, W),
                         0,
                         gradient,
                         {},
                         -1};
  state.end = state.ends.count;
  const auto clear = [](float* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) values[i] = 0;
  };
  clear(state.beta, size);
  clear(state.y, size);
  clear(state.ends_sum, size);
  if (gradient->pairs != nullptr) clear(state.products, tags * size);
  for (int lane = 0; lane < W; ++lane) {
    gradient->lowest[lane] = gradient->lowest_sum[lane] = 1;
  }
  int64_t pending = 0;
  for (int64_t t = (group.longest - 1) / chunk * chunk; t >= 0; t -= chunk) {
    const int64_t count = t + chunk < group.longest ? chunk : group.longest - t;
    for (int64_t i = 0; i < size; ++i) {
      state.y[count * size + i] = state.y[i];
    }
    run_for_tags<F, BackwardSteps>(tags, &state, t, count);
    if (gradient->pairs != nullptr) {
      add_pairs<F>(state.a, state.y, tags, count, state.products);
      pending += count;
      if (pending >= summed || t == 0) {
        reduce_lanes<F>(state.products, tags * tags, gradient->pairs);
        pending = 0;
      }
    }
    write_lanes<F>(state.marginals, t * tags, count * tags, gradient->unary);
  }
  if (gradient->pairs != nullptr) {
    reduce_lanes<F>(state.ends_sum, tags, gradient->end);
    reduce_lanes<F>(state.marginals, tags, gradient->start);
  }
}

}  // namespace
}  // namespace cman
