// Random batches for the tests of the CRF's CUDA kernels, of several kinds, and
// what they should give: sums in double and log space written from the
// formulas, which are themselves compared with sums over all paths where those
// are few.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

const double nan_value = std::numeric_limits<double>::quiet_NaN();
const double none = -std::numeric_limits<double>::infinity();
std::mt19937 generator(11);

double normal() { return std::normal_distribution<double>()(generator); }
int64_t below(int64_t n) { return generator() % n; }

[[noreturn]] void fail(const std::string& where, const char* what, int64_t at,
                       double got, double wanted) {
  std::printf("%s: %s[%lld] is %.9g, wanted %.9g\n", where.c_str(), what,
              static_cast<long long>(at), got, wanted);
  std::exit(1);
}

double log_sum(const std::vector<double>& values) {
  const double top = *std::max_element(values.begin(), values.end());
  if (top == none) return none;
  double sum = 0;
  for (double value : values) sum += std::exp(value - top);
  return std::log(sum) + top;
}

// A batch, and what it should give.
struct Problem {
  std::string name;
  int64_t B, L, K;
  std::vector<int64_t> lengths, gold;
  std::vector<double> emissions, transitions, start, end, grad;
  std::vector<bool> allowed;  // empty: null
  bool has_gold = false;

  std::vector<double> partition, loss, score;                      // (B)
  std::vector<int64_t> tags;                                       // (B, L)
  std::vector<double> marginals;                                   // (B, L, K)
  std::vector<double> d_transitions, d_start, d_end;               // with and
  std::vector<double> g_emissions, g_transitions, g_start, g_end;  // less gold
  std::vector<double> size_transitions;  // of what is summed
  std::vector<int64_t> spans, next_tag;  // (S, 3), (S)
  std::vector<double> span;              // (S)

  double e(int64_t b, int64_t t, int64_t k) const {
    return emissions[(b * L + t) * K + k];
  }
  double move(int64_t i, int64_t j) const {
    const bool open = allowed.empty() || allowed[i * K + j];
    return open ? transitions[i * K + j] : none;
  }
  double begin(int64_t j) const {
    return allowed.empty() || allowed[K * K + j] ? start[j] : none;
  }
  bool valid(int64_t b) const { return lengths[b] >= 0 && lengths[b] <= L; }
  int64_t tokens(int64_t b) const { return valid(b) ? lengths[b] : 0; }

  void solve();
  void solve_sentence(int64_t b);
  void sum_all_paths(int64_t b);
  double sum_through(int64_t s) const;
};

using Table = std::vector<std::vector<double>>;

void Problem::solve_sentence(int64_t b) {
  const int64_t n = tokens(b);
  Table alpha(n, std::vector<double>(K)), beta = alpha, best = alpha;
  std::vector<double> terms(K);
  for (int64_t t = 0; t < n; ++t) {
    for (int64_t j = 0; j < K; ++j) {
      double top = none;
      for (int64_t i = 0; i < K && t > 0; ++i) {
        terms[i] = alpha[t - 1][i] + move(i, j);
        top = std::max(top, best[t - 1][i] + move(i, j));
      }
      alpha[t][j] = (t > 0 ? log_sum(terms) : begin(j)) + e(b, t, j);
      best[t][j] = (t > 0 ? top : begin(j)) + e(b, t, j);
    }
  }
  for (int64_t t = n - 1; t >= 0; --t) {
    for (int64_t i = 0; i < K; ++i) {
      for (int64_t j = 0; j < K && t < n - 1; ++j) {
        terms[j] = move(i, j) + e(b, t + 1, j) + beta[t + 1][j];
      }
      beta[t][i] = t < n - 1 ? log_sum(terms) : end[i];
    }
  }
  // The way back takes the first of the best, the last token's first.
  score[b] = none;
  for (int64_t t = n - 1, next = 0; t >= 0; --t) {
    double top = none;
    int64_t tag = 0;
    for (int64_t i = 0; i < K; ++i) {
      const double value = best[t][i] + (t < n - 1 ? move(i, next) : end[i]);
      if (value > top) top = value, tag = i;
    }
    if (t == n - 1) score[b] = top;
    tags[b * L + t] = next = tag;
  }
  for (int64_t j = 0; j < K; ++j) terms[j] = alpha[n - 1][j] + end[j];
  partition[b] = log_sum(terms);
  double path = 0;
  for (int64_t t = 0, before = 0; t < n && has_gold; ++t) {
    const int64_t tag = gold[b * L + t];
    if (tag < 0 || tag >= K) {
      path = nan_value;
      break;
    }
    path += (t > 0 ? move(before, tag) : begin(tag)) + e(b, t, tag);
    if (t == n - 1) path += end[tag];
    before = tag;
  }
  loss[b] = path == none ? -none : partition[b] - path;
  if (std::isnan(path)) g_transitions.assign(K * K, nan_value);
  if (partition[b] == none) return;
  const double w = has_gold && path == none ? 0 : grad[b];
  const double less = has_gold && w != 0 ? grad[b] : 0;
  const auto counts = [&](double probability) {
    return std::isnan(path) ? nan_value : w * probability;
  };
  for (int64_t t = 0; t < n; ++t) {
    const int64_t at = (b * L + t) * K;
    for (int64_t i = 0; i < K; ++i) {
      const double p = std::exp(alpha[t][i] + beta[t][i] - partition[b]);
      const double g = counts(p);
      marginals[at + i] = p;
      g_emissions[at + i] = g;
      if (t == 0) g_start[i] += g;
      if (t == n - 1) g_end[i] += g;
      for (int64_t j = 0; j < K && t < n - 1; ++j) {
        const double q = std::exp(alpha[t][i] + move(i, j) + e(b, t + 1, j) +
                                  beta[t + 1][j] - partition[b]);
        g_transitions[i * K + j] += counts(q);
        size_transitions[i * K + j] += std::abs(w) * q;
      }
    }
    if (less == 0 || std::isnan(path)) continue;
    const int64_t tag = gold[b * L + t];
    g_emissions[at + tag] -= less;
    if (t == 0) g_start[tag] -= less;
    if (t == n - 1) g_end[tag] -= less;
    if (t == 0) continue;
    g_transitions[gold[b * L + t - 1] * K + tag] -= less;
    size_transitions[gold[b * L + t - 1] * K + tag] += std::abs(less);
  }
}

// The log of the sum over paths through a stretch with the gold tags that do
// not go on with its next tag.
double Problem::sum_through(int64_t s) const {
  const int64_t b = spans[3 * s], n = tokens(b);
  const int64_t first = spans[3 * s + 1], after = spans[3 * s + 2];
  std::vector<double> state(K), terms(K);
  for (int64_t t = 0; t < n; ++t) {
    std::vector<double> next(K, none);
    for (int64_t j = 0; j < K; ++j) {
      if (t >= first && t < after && j != gold[b * L + t]) continue;
      if (t == after && j == next_tag[s]) continue;
      for (int64_t i = 0; i < K; ++i) terms[i] = state[i] + move(i, j);
      next[j] = (t > 0 ? log_sum(terms) : begin(j)) + e(b, t, j);
    }
    state = next;
  }
  for (int64_t j = 0; j < K; ++j) terms[j] = state[j] + end[j];
  return log_sum(terms);
}

// Checks solve_sentence itself.
void Problem::sum_all_paths(int64_t b) {
  const int64_t n = tokens(b);
  std::vector<int64_t> path(n, 0);
  std::vector<double> scores;
  for (bool more = true; more;) {
    double sum = begin(path[0]) + end[path[n - 1]];
    for (int64_t t = 0; t < n; ++t) {
      sum += e(b, t, path[t]) + (t > 0 ? move(path[t - 1], path[t]) : 0);
    }
    scores.push_back(sum);
    int64_t t = 0;
    while (t < n && ++path[t] == K) path[t++] = 0;
    more = t < n;
  }
  const double sum = log_sum(scores);
  const double top = *std::max_element(scores.begin(), scores.end());
  const double close = 1e-9 * (1 + std::abs(top));
  if (!(sum == partition[b] || std::abs(sum - partition[b]) <= close)) {
    fail(name, "the test's own log-partition", b, partition[b], sum);
  }
  if (!(top == score[b] || std::abs(top - score[b]) <= close)) {
    fail(name, "the test's own best score", b, score[b], top);
  }
}

void Problem::solve() {
  partition.assign(B, 0), loss.assign(B, 0), score.assign(B, 0);
  tags.assign(B * L, -1);
  marginals.assign(B * L * K, 0), g_emissions = marginals;
  g_transitions.assign(K * K, 0), size_transitions = g_transitions;
  g_start.assign(K, 0), g_end = g_start;
  for (int64_t b = 0; b < B; ++b) {
    if (tokens(b) > 0) solve_sentence(b);
    if (tokens(b) > 0 && K <= 3 && tokens(b) <= 5) sum_all_paths(b);
    if (valid(b)) continue;
    partition[b] = loss[b] = score[b] = nan_value;
    for (auto* sums : {&g_transitions, &g_start, &g_end}) {
      for (double& value : *sums) value = nan_value;
    }
    for (int64_t i = b * L * K; i < (b + 1) * L * K; ++i) {
      marginals[i] = g_emissions[i] = nan_value;
    }
  }
  for (size_t s = 0; s < next_tag.size(); ++s) {
    const int64_t b = spans[3 * s], first = spans[3 * s + 1];
    const int64_t after = spans[3 * s + 2];
    bool known = next_tag[s] < K && after <= tokens(b);
    for (int64_t t = first; known && t < after; ++t) {
      known = gold[b * L + t] >= 0 && gold[b * L + t] < K;
    }
    const bool possible = known && partition[b] != none;
    span.push_back(!known     ? nan_value
                   : possible ? std::exp(sum_through(s) - partition[b])
                              : 0);
  }
}

double poison() {
  const double values[] = {nan_value, -none, none, 1e30};
  return values[below(4)];
}

enum Kind { plain, whole, closed, huge, uneven, dead, wrong, divided, kinds };

// Values are floats, so that both types have the same ones.
Problem make(Kind kind, int64_t B, int64_t L, int64_t K) {
  const char* const names[] = {"plain",  "whole", "closed", "huge",
                               "uneven", "dead",  "wrong",  "divided"};
  Problem p;
  p.B = B, p.L = L, p.K = K;
  p.name = std::string(names[kind]) + " B=" + std::to_string(B) +
           " L=" + std::to_string(L) + " K=" + std::to_string(K);
  const auto draw = [&](std::vector<double>* values, int64_t n, double scale) {
    for (int64_t i = 0; i < n; ++i) {
      values->push_back(kind == whole ? below(3)
                                      : static_cast<float>(normal() * scale));
    }
  };
  const double wide = kind == huge ? 100 : kind == uneven ? 3 : 1;
  draw(&p.transitions, K * K, wide);
  draw(&p.start, K, wide), draw(&p.end, K, wide), draw(&p.grad, B, 1);
  for (int64_t b = 0; b < B; ++b) {
    const int64_t n = b < 2 ? L * (1 - b) : below(L + 1);
    p.lengths.push_back(n);
    const double scale = kind == huge                  ? 5e3
                         : kind == uneven && b % 3 > 0 ? 4.0 * (b % 3)
                                                       : 1;
    draw(&p.emissions, n * K, scale);
    for (int64_t t = 0; t < L; ++t) {
      p.gold.push_back(t < n ? below(K) : int64_t(1) << 40);
      for (int64_t k = 0; k < K && t >= n; ++k) p.emissions.push_back(poison());
      for (int64_t k = 0; k < K && t < n && kind == divided; ++k) {
        p.emissions[(b * L + t) * K + k] = k == (t < L / 2) ? -3 : 0;
      }
    }
  }
  p.has_gold = below(2) > 0;
  if (kind == closed || kind == dead || (kind == huge && K % 2 > 0)) {
    for (int64_t i = 0; i < (K + 1) * K; ++i) p.allowed.push_back(below(4) > 0);
    if (kind == dead) p.allowed.assign(K * K, false);
    if (kind == dead) p.allowed.resize((K + 1) * K, true);
    for (double& score : p.transitions) score = below(6) ? score : none;
    if (kind != dead) p.start[below(K)] = p.end[below(K)] = none;
  }
  for (int64_t i = 0; i < K * K && kind == divided; ++i) {
    p.transitions[i] = i % (K + 1) == 0 ? 0 : none;
  }
  if (kind == wrong) {
    p.has_gold = true;
    p.gold[0] = below(2) ? -1 : K;
    if (B > 2 && below(2)) p.lengths[2] = below(2) ? -1 : L + 1;
  }
  for (int64_t b = 0; b < B && L > 0; ++b) {
    for (int64_t again = 0; again < 2; ++again) {
      const int64_t n = std::max<int64_t>(p.tokens(b), 1), first = below(n);
      const int64_t after = first + 1 + below(std::min<int64_t>(n - first, 5));
      p.spans.insert(p.spans.end(), {b, first, after});
      p.next_tag.push_back(kind == wrong ? below(K + 2) - 1 : below(K + 1) - 1);
    }
  }
  p.solve();
  return p;
}

}  // namespace
