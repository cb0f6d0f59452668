// One sentence in float64 and log space, for scores of any size: all of
// float64, and the float32 sentences for which linear space is too narrow.
//
//   alpha_t[j] = e_t[j] + log sum_i exp(alpha_{t-1}[i] + transitions[i][j])
//
// kept with a maximum of 0. Even here the sum is first tried as
// sum_i exp(alpha[i]) E[i][j], which costs K^2 multiplications instead of
// exponentials; what underflows is below 1e-308 and harms nothing unless the
// sum is below 1e-250, and then the exponentials are taken one by one.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "crf/plan.h"

namespace cman {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double narrowest_sum = 1e-250;

// The largest of values, or 0 if that is -inf: what can be subtracted.
inline double finite_top(const double* values, int64_t count) {
  double top = -infinity;
  for (int64_t k = 0; k < count; ++k) top = values[k] > top ? values[k] : top;
  return top == -infinity ? 0 : top;
}

inline double log_sum_exp(const double* values, int64_t count) {
  const double top = finite_top(values, count);
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += std::exp(values[k] - top);
  return std::log(sum) + top;
}

// Doubles of scratch for sentences of up to `longest` tokens.
constexpr int64_t exact_scratch(int64_t tags, int64_t longest) {
  return longest * tags + 2 * tags * tags + 8 * tags;
}

template <typename T>
class ExactSentence {
 public:
  ExactSentence(const CrfModel<T>& model, double* scratch)
      : model_(model), K(model.tags) {
    factors_ = scratch;
    row_ = factors_ + K * K;  // K * K, for one step in full
    left_ = row_ + K * K;
    right_ = left_ + K;
    sums_ = right_ + K;
    beta_ = sums_ + K;
    weighed_ = beta_ + K;
    alpha_ = weighed_ + K;
    for (int64_t i = 0; i < K; ++i) {
      for (int64_t j = 0; j < K; ++j) {
        factors_[i * K + j] = std::exp(score(i, j) - model.transitions_top);
      }
    }
  }

  // The log-partition; keeps alpha for `backward`.
  double forward(const T* emissions, int64_t tokens) {
    double shift = 0;
    for (int64_t t = 0; t < tokens; ++t) {
      double* alpha = alpha_ + t * K;
      const T* e = emissions + t * K;
      if (t == 0) {
        for (int64_t j = 0; j < K; ++j) {
          alpha[j] = double(model_.start[j]) + double(e[j]);
        }
      } else {
        step(alpha - K);
        for (int64_t j = 0; j < K; ++j) alpha[j] = sums_[j] + double(e[j]);
      }
      const double top = finite_top(alpha, K);
      shift += top;
      for (int64_t j = 0; j < K; ++j) alpha[j] -= top;
    }
    const double* last = alpha_ + (tokens - 1) * K;
    for (int64_t j = 0; j < K; ++j) left_[j] = last[j] + double(model_.end[j]);
    return shift + log_sum_exp(left_, K);
  }

  // After `forward` of the same sentence, if its result is not -inf: unary
  // (tokens, tags) is set; pairs, start and end are added to if not null.
  template <typename U>
  void backward(const T* emissions, int64_t tokens, double weight, U* unary,
                double* pairs, double* start, double* end) {
    for (int64_t j = 0; j < K; ++j) beta_[j] = double(model_.end[j]);
    for (int64_t t = tokens - 1; t >= 0; --t) {
      const double* alpha = alpha_ + t * K;
      for (int64_t j = 0; j < K; ++j) left_[j] = alpha[j] + beta_[j];
      const double total = log_sum_exp(left_, K);
      for (int64_t j = 0; j < K; ++j) {
        const double value = weight * std::exp(left_[j] - total);
        unary[t * K + j] = U(value);
        if (t == 0 && start != nullptr) start[j] += value;
        if (t == tokens - 1 && end != nullptr) end[j] += value;
      }
      if (t > 0) step_back(alpha - K, emissions + t * K, weight, pairs);
    }
  }

  // After `forward`: the probability of a tag at token t if the next token has
  // the tag `next`.
  double given_next(int64_t t, int64_t tag, int64_t next) {
    const double* alpha = alpha_ + t * K;
    for (int64_t i = 0; i < K; ++i) row_[i] = alpha[i] + score(i, next);
    if (row_[tag] == -infinity) return 0;
    return std::exp(row_[tag] - log_sum_exp(row_, K));
  }

 private:
  double score(int64_t i, int64_t j) const {
    return double(model_.transitions[i * model_.stride + j]);
  }

  // sums_[j] = log sum_i exp(alpha[i] + transitions[i][j])
  void step(const double* alpha) {
    for (int64_t j = 0; j < K; ++j) sums_[j] = 0;
    for (int64_t i = 0; i < K; ++i) {
      const double a = std::exp(alpha[i]);
      for (int64_t j = 0; j < K; ++j) sums_[j] += a * factors_[i * K + j];
    }
    for (int64_t j = 0; j < K; ++j) {
      if (sums_[j] < narrowest_sum) {
        for (int64_t i = 0; i < K; ++i) row_[i] = alpha[i] + score(i, j);
        sums_[j] = log_sum_exp(row_, K);
      } else {
        sums_[j] = std::log(sums_[j]) + model_.transitions_top;
      }
    }
  }

  // beta of the token before, up to a constant, and the pairs of the two.
  void step_back(const double* alpha, const T* e, double weight,
                 double* pairs) {
    for (int64_t j = 0; j < K; ++j) weighed_[j] = beta_[j] + double(e[j]);
    const double top = finite_top(weighed_, K);
    double total = 0;
    for (int64_t j = 0; j < K; ++j) {
      weighed_[j] -= top;
      right_[j] = std::exp(weighed_[j]);
    }
    for (int64_t i = 0; i < K; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < K; ++j) sum += factors_[i * K + j] * right_[j];
      left_[i] = std::exp(alpha[i]);
      total += left_[i] * sum;
      if (sum < narrowest_sum) {
        for (int64_t j = 0; j < K; ++j) row_[j] = weighed_[j] + score(i, j);
        beta_[i] = log_sum_exp(row_, K);
      } else {
        beta_[i] = std::log(sum) + model_.transitions_top;
      }
    }
    if (pairs == nullptr) return;
    if (total < narrowest_sum) {
      for (int64_t i = 0; i < K; ++i) {
        for (int64_t j = 0; j < K; ++j) {
          row_[i * K + j] = alpha[i] + score(i, j) + weighed_[j];
        }
      }
      const double whole = log_sum_exp(row_, K * K);
      for (int64_t p = 0; p < K * K; ++p) {
        pairs[p] += weight * std::exp(row_[p] - whole);
      }
      return;
    }
    for (int64_t i = 0; i < K; ++i) {
      const double scaled = left_[i] * (weight / total);
      for (int64_t j = 0; j < K; ++j) {
        pairs[i * K + j] += scaled * factors_[i * K + j] * right_[j];
      }
    }
  }

  const CrfModel<T>& model_;
  const int64_t K;
  double *factors_, *row_, *left_, *right_, *sums_, *beta_, *weighed_, *alpha_;
};

}  // namespace
}  // namespace cman
