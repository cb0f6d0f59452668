// The pair kernels in float64, in plain loops over tanh(a + c): they serve
// checks of gradients and other work where digits matter and time does not.
// There is nothing to precompute, so `columns`, `blocks` and `factors` stay
// unused; a "register" is one number (W = 1).
#pragma once

#include <cmath>

#include "pairs/plan.h"

namespace cman {
namespace {

void double_pack(const PairWeights<double>&) {}

void double_tails(const PairWeights<double>&, const PairTails<double>&, int64_t,
                  int64_t) {}

void double_heads(const PairWeights<double>&, const PairHeads<double>&) {}

void double_scores(const PairWeights<double>& weights,
                   const PairHeads<double>& heads, int64_t row,
                   const PairTails<double>& tails, double* scores) {
  const int64_t size = weights.size, labels = weights.labels;
  const double* a = heads.a + row * size;
  for (int64_t j = 0; j < tails.count; ++j) {
    const double* c = tails.c + j * size;
    double* cell = scores + j * labels;
    for (int64_t r = 0; r < labels; ++r) {
      cell[r] = weights.bias ? weights.bias[r] : 0.0;
    }
    for (int64_t d = 0; d < size; ++d) {
      const double t = std::tanh(a[d] + c[d]);
      for (int64_t r = 0; r < labels; ++r) {
        cell[r] += weights.V[r * size + d] * t;
      }
    }
  }
}

void double_backward(const PairWeights<double>& weights,
                     const PairHeads<double>& heads,
                     const PairTails<double>& tails,
                     const PairGradients<double>& gradients) {
  const int64_t size = weights.size, labels = weights.labels, n = tails.count;
  for (int64_t i = 0; i < heads.count; ++i) {
    for (int64_t d = gradients.begin; d < gradients.end; ++d) {
      const double a = heads.a[i * size + d];
      double da = 0;
      for (int64_t j = 0; j < n; ++j) {
        const double t = std::tanh(a + tails.c[j * size + d]);
        const double* grad =
            gradients.grad + i * gradients.grad_stride + j * labels;
        double sum = 0;
        for (int64_t r = 0; r < labels; ++r) {
          sum += grad[r] * weights.V[r * size + d];
          gradients.dV[r * size + d] += grad[r] * t;
        }
        const double through = sum * (1 - t * t);
        da += through;
        gradients.dc[d * n + j] += through;
      }
      gradients.da[i * size + d] = da;
    }
  }
}

void double_sum(const double* grad, int64_t n, int64_t labels, double* dbias) {
  for (int64_t k = 0; k < n; ++k) {
    for (int64_t r = 0; r < labels; ++r) dbias[r] += grad[k * labels + r];
  }
}

double double_softplus(double* scores, int64_t count, bool sigmoid) {
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) {
    const double s = scores[k], e = std::exp(-std::fabs(s));
    sum += (s < 0 ? 0 : s) + std::log1p(e);
    if (sigmoid) scores[k] = (s < 0 ? e : 1.0) / (1 + e);
  }
  return sum;
}

constexpr PairKernels<double> kernels_in_double() {
  return {1,
          double_pack,
          double_tails,
          double_heads,
          double_scores,
          double_backward,
          double_sum,
          double_softplus};
}

}  // namespace
}  // namespace cman
