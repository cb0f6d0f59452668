// A step of the recurrence, forwards and backwards.
#pragma once

#include "lstm/cpu_product.h"
#include "lstm/plan.h"
#include "simd/exp.h"

namespace cman {
namespace {

// 1 / (1 + e^-x), which beyond 87 is 0 or 1 to rounding. NaN stays NaN: max and
// min give their second argument where one is NaN.
template <typename F>
inline typename F::V sigmoid(typename F::V x) {
  const auto one = F::set1(1.0f);
  const auto near = F::max(F::set1(-87.0f), F::min(F::set1(87.0f), x));
  return F::div(one, F::add(one, vector_exp_near<F>(F::sub(F::zero(), near))));
}

// Its absolute error is about one unit of 1.
template <typename F>
inline typename F::V tanh(typename F::V x) {
  return F::fma(F::set1(2.0f), sigmoid<F>(F::add(x, x)), F::set1(-1.0f));
}

template <typename F>
void forward_step(const LstmStep& step, const LstmForward& arrays) {
  const int64_t H = step.size;
  multiply_rows<F, true>({arrays.outputs + step.before * H, step.tokens, H},
                         step.following, H, arrays.packed,
                         {arrays.gates, step.tokens, 4 * H}, 4 * H);
  for (int64_t row = 0; row < step.count; ++row) {
    const int64_t token = step.tokens[row];
    float* const gates = arrays.gates + token * 4 * H;
    float* const cells = arrays.cells + token * H;
    float* const outputs = arrays.outputs + token * H;
    for (int64_t u = 0; u < H; u += F::width) {
      const Some<F> lanes(H, u);
      const auto i = sigmoid<F>(lanes.load(gates + u));
      const auto f = sigmoid<F>(lanes.load(gates + H + u));
      const auto g = tanh<F>(lanes.load(gates + 2 * H + u));
      const auto o = sigmoid<F>(lanes.load(gates + 3 * H + u));
      auto c = F::mul(i, g);
      if (row < step.following) {
        c = F::fma(f, lanes.load(cells + step.before * H + u), c);
      }
      lanes.store(gates + u, i);
      lanes.store(gates + H + u, f);
      lanes.store(gates + 2 * H + u, g);
      lanes.store(gates + 3 * H + u, o);
      lanes.store(cells + u, c);
      lanes.store(outputs + u, F::mul(o, tanh<F>(c)));
    }
  }
}

template <typename F>
void backward_step(const LstmStep& step, const LstmBackward& arrays) {
  const int64_t H = step.size;
  const auto one = F::set1(1.0f);
  for (int64_t row = 0; row < step.count; ++row) {
    const int64_t token = step.tokens[row];
    const float* const gates = arrays.gates + token * 4 * H;
    const float* const cells = arrays.cells + token * H;
    const float* const grad = arrays.grad + token * H;
    float* const slopes = arrays.slopes + token * 4 * H;
    float* const carried = arrays.carried + step.sentences[row] * 2 * H;
    for (int64_t u = 0; u < H; u += F::width) {
      const Some<F> lanes(H, u);
      const auto i = lanes.load(gates + u), f = lanes.load(gates + H + u);
      const auto g = lanes.load(gates + 2 * H + u);
      const auto o = lanes.load(gates + 3 * H + u);
      const auto shaped = tanh<F>(lanes.load(cells + u));
      const auto dh = F::add(lanes.load(grad + u), lanes.load(carried + u));
      const auto dc = F::fma(F::mul(dh, o), F::fnma(shaped, shaped, one),
                             lanes.load(carried + H + u));
      auto df = F::zero();
      if (row < step.following) {
        df = F::mul(F::mul(dc, lanes.load(cells + step.before * H + u)),
                    F::mul(f, F::sub(one, f)));
      }
      lanes.store(slopes + u, F::mul(F::mul(dc, g), F::mul(i, F::sub(one, i))));
      lanes.store(slopes + H + u, df);
      lanes.store(slopes + 2 * H + u,
                  F::mul(F::mul(dc, i), F::fnma(g, g, one)));
      lanes.store(slopes + 3 * H + u,
                  F::mul(F::mul(dh, shaped), F::mul(o, F::sub(one, o))));
      lanes.store(carried + H + u, F::mul(dc, f));
    }
  }
  multiply_rows<F, false>({arrays.slopes, step.tokens, 4 * H}, step.following,
                          4 * H, arrays.packed,
                          {arrays.carried, step.sentences, 2 * H}, H);
}

template <typename F>
constexpr LstmKernels lstm_kernels_of() {
  return {panel_columns<F>, pack_matrix<F>, forward_step<F>, backward_step<F>};
}

}  // namespace
}  // namespace cman
