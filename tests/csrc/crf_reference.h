// Random problems for the tests of the CRF and what their answers are: the
// recursions in log space, written plainly, with the digits of long double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "crf/interface.h"

namespace {

constexpr double none = -std::numeric_limits<double>::infinity();
using Doubles = std::vector<double>;
// The references sum numbers of 1e4 over thousands of tokens, and have to keep
// more digits than what they judge.
using Wide = std::vector<long double>;

template <typename T>
struct Problem {
  int64_t B, L, K;
  std::vector<T> e, transitions, start, end, grad;
  std::vector<int64_t> lengths, gold;
  std::vector<char> allowed;  // as bool
  bool with_allowed = false, with_gold = false;

  cman::CrfBatch<T> batch() const {
    return {
        e.data(),
        transitions.data(),
        start.data(),
        end.data(),
        lengths.data(),
        with_allowed ? reinterpret_cast<const bool*>(allowed.data()) : nullptr,
        with_gold ? gold.data() : nullptr,
        B,
        L,
        K};
  }
  double move(int64_t i, int64_t j) const {
    if (with_allowed && !allowed[i * K + j]) return none;
    return double(transitions[i * K + j]);
  }
  double first(int64_t j) const {
    return with_allowed && !allowed[K * K + j] ? none : double(start[j]);
  }
  double at(int64_t b, int64_t t, int64_t k) const {
    return double(e[(b * L + t) * K + k]);
  }
  double score(int64_t b, const int64_t* tags) const {
    const int64_t n = lengths[b];
    if (n == 0) return 0;
    double s = first(tags[0]) + double(end[tags[n - 1]]);
    for (int64_t t = 0; t < n; ++t) {
      s += at(b, t, tags[t]) + (t > 0 ? move(tags[t - 1], tags[t]) : 0);
    }
    return s;
  }
};

struct Options {
  double emissions = 1, transitions = 1;
  double forbidden = 0;    // share of transitions that are -inf
  double discouraged = 0;  // share of transitions that are -10000
  double disallowed = 0;   // share of `allowed` that is false
  bool gold = false;
  bool integers = false;  // scores with many ties
  bool full = false;      // all lengths L
};

template <typename T>
Problem<T> make(int64_t B, int64_t L, int64_t K, const Options& options,
                uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1), share(0, 1);
  Problem<T> p;
  p.B = B, p.L = L, p.K = K;
  const auto draw = [&](double scale) {
    return options.integers ? T(std::lround(uniform(random) * 2))
                            : T(uniform(random) * scale);
  };
  const double bad[] = {std::nan(""), -none, none, 1e30, -1e30};
  for (int64_t b = 0; b < B; ++b) {
    const int64_t most = L + 1;
    p.lengths.push_back(options.full ? L : int64_t(random() % most));
    for (int64_t i = 0; i < L * K; ++i) {
      p.e.push_back(i < p.lengths[b] * K ? draw(options.emissions)
                                         : T(bad[random() % 5]));
    }
    for (int64_t t = 0; t < L; ++t) p.gold.push_back(random() % K);
    p.grad.push_back(T(uniform(random)));
  }
  for (int64_t i = 0; i < K * K; ++i) {
    T value = draw(options.transitions);
    if (share(random) < options.forbidden) value = T(none);
    if (share(random) < options.discouraged) value = T(-10000);
    p.transitions.push_back(value);
  }
  for (int64_t k = 0; k < K; ++k) {
    p.start.push_back(draw(options.transitions));
    p.end.push_back(draw(options.transitions));
  }
  p.with_allowed = options.disallowed > 0;
  for (int64_t i = 0; i < (K + 1) * K; ++i) {
    p.allowed.push_back(share(random) >= options.disallowed);
  }
  p.with_gold = options.gold;
  return p;
}

// The references --------------------------------------------------------------

long double log_sum(const Wide& values) {
  long double top = none, sum = 0;
  for (long double v : values) top = std::max(top, v);
  if (top == none) return none;
  for (long double v : values) {
    if (v > top - 100) sum += std::exp(v - top);
  }
  return top + std::log(sum);
}

double exponential(long double x) {
  return x < -100 ? 0 : std::exp(static_cast<double>(x));
}

struct Gradient {
  Doubles unary, pairs, start, end;
};

struct Sums {
  long double partition = 0;
  Wide alpha, beta;  // (n, K), log
};

template <typename T>
Sums recursions(const Problem<T>& p, int64_t b) {
  const int64_t n = p.lengths[b], K = p.K;
  Sums s;
  if (n == 0) return s;
  s.alpha.resize(n * K);
  s.beta.resize(n * K);
  Wide terms(K);
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t j = 0; j < K; ++j) {
      if (t == 0) {
        s.alpha[j] = p.first(j) + p.at(b, 0, j);
        continue;
      }
      for (int64_t i = 0; i < K; ++i) {
        terms[i] = s.alpha[(t - 1) * K + i] + p.move(i, j);
      }
      s.alpha[t * K + j] = log_sum(terms) + p.at(b, t, j);
    }
  }
  for (int64_t t = n - 1; t >= 0; --t) {
    for (int64_t i = 0; i < K; ++i) {
      if (t == n - 1) {
        s.beta[t * K + i] = double(p.end[i]);
        continue;
      }
      for (int64_t j = 0; j < K; ++j) {
        terms[j] = p.move(i, j) + p.at(b, t + 1, j) + s.beta[(t + 1) * K + j];
      }
      s.beta[t * K + i] = log_sum(terms);
    }
  }
  for (int64_t j = 0; j < K; ++j) {
    terms[j] = s.alpha[(n - 1) * K + j] + double(p.end[j]);
  }
  s.partition = log_sum(terms);
  return s;
}

// The gradient of sum_b grad[b] result[b]; marginals where grad is all 1.
template <typename T>
Gradient reference_gradient(const Problem<T>& p, const std::vector<T>& grad,
                            const std::vector<Sums>& sums) {
  const int64_t K = p.K;
  Gradient g{Doubles(p.B * p.L * K), Doubles(K * K), Doubles(K), Doubles(K)};
  for (int64_t b = 0; b < p.B; ++b) {
    const int64_t n = p.lengths[b];
    const Sums& s = sums[b];
    const double w = double(grad[b]);
    const int64_t* gold = &p.gold[b * p.L];
    if (n == 0 || s.partition == none) continue;
    if (p.with_gold && p.score(b, gold) == none) continue;
    for (int64_t t = 0; t < n; ++t) {
      for (int64_t j = 0; j < K; ++j) {
        double m =
            exponential(s.alpha[t * K + j] + s.beta[t * K + j] - s.partition);
        if (p.with_gold) m -= gold[t] == j;
        g.unary[(b * p.L + t) * K + j] = w * m;
        if (t == 0) g.start[j] += w * m;
        if (t == n - 1) g.end[j] += w * m;
        for (int64_t i = 0; t > 0 && i < K; ++i) {
          double x =
              exponential(s.alpha[(t - 1) * K + i] + p.move(i, j) +
                          p.at(b, t, j) + s.beta[t * K + j] - s.partition);
          if (p.with_gold) x -= gold[t - 1] == i && gold[t] == j;
          g.pairs[i * K + j] += w * x;
        }
      }
    }
  }
  return g;
}

// The best score, by the recursion.
template <typename T>
double best_score(const Problem<T>& p, int64_t b) {
  const int64_t n = p.lengths[b], K = p.K;
  if (n == 0) return 0;
  Doubles now(K), next(K);
  for (int64_t j = 0; j < K; ++j) now[j] = p.first(j) + p.at(b, 0, j);
  for (int64_t t = 1; t < n; ++t) {
    for (int64_t j = 0; j < K; ++j) {
      next[j] = none;
      for (int64_t i = 0; i < K; ++i) {
        next[j] = std::max(next[j], now[i] + p.move(i, j));
      }
      next[j] += p.at(b, t, j);
    }
    now = next;
  }
  double best = none;
  for (int64_t j = 0; j < K; ++j)
    best = std::max(best, now[j] + double(p.end[j]));
  return best;
}

}  // namespace
