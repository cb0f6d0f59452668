// Problems for pairs_test.cpp and their answers, in double by the formulas of
// pairs/interface.h, with how much rounding may add to each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

const double nan_value = std::numeric_limits<double>::quiet_NaN();
const double infinity = std::numeric_limits<double>::infinity();
std::mt19937 generator(7);

double normal() { return std::normal_distribution<double>()(generator); }
int64_t below(int64_t n) { return generator() % n; }

// A problem, what it should give, and how much rounding may add to each.
struct Problem {
  int64_t B, N, D, R;
  std::vector<int64_t> lengths, gold;
  std::vector<double> a, c, V, bias, grad;
  double weight = 1, norm = 1;  // norm: the largest |V[r]|, at least 1
  bool has_bias = true;

  std::vector<double> scores;
  std::vector<double> da, dc, dV, dbias, a_scale, c_scale, V_scale, b_scale;
  std::vector<double> loss, loss_scale;
  std::vector<double> la, lc, lV, lb, la_scale, lc_scale, lV_scale, lb_scale;

  bool inside(int64_t b, int64_t i) const { return i < lengths[b]; }
  int64_t cell(int64_t b, int64_t i, int64_t j) const {
    return ((b * N + i) * N + j) * R;
  }
  std::string name() const {
    return "B=" + std::to_string(B) + " N=" + std::to_string(N) +
           " D=" + std::to_string(D) + " R=" + std::to_string(R);
  }
};

double poison() {
  const double values[] = {nan_value, infinity, -infinity, 1e30, -1e30};
  return values[below(5)];
}

// The gradients of sum(grad * scores); where `sentences`, dV and dbias by
// sentence. Scales are the sums of the terms' sizes.
void backward(const Problem& p, const std::vector<double>& grad, bool sentences,
              std::vector<double>* out, std::vector<double>* scale) {
  const int64_t sizes[] = {p.B * p.N * p.D, p.B * p.N * p.D,
                           (sentences ? p.B : 1) * p.R * p.D,
                           (sentences ? p.B : 1) * p.R};
  for (int k = 0; k < 4; ++k) {
    out[k].assign(sizes[k], 0);
    scale[k].assign(sizes[k], 0);
  }
  for (int64_t b = 0; b < p.B; ++b) {
    const int64_t part = sentences ? b * p.R : 0;
    for (int64_t i = 0; i < p.lengths[b]; ++i) {
      for (int64_t j = 0; j < p.lengths[b]; ++j) {
        const double* g = grad.data() + p.cell(b, i, j);
        for (int64_t r = 0; r < p.R; ++r) {
          out[3][part + r] += g[r];
          scale[3][part + r] += std::fabs(g[r]);
        }
        for (int64_t d = 0; d < p.D; ++d) {
          const int64_t x = (b * p.N + i) * p.D + d,
                        y = (b * p.N + j) * p.D + d;
          const double t = std::tanh(p.a[x] + p.c[y]);
          double sum = 0, size = 0;
          for (int64_t r = 0; r < p.R; ++r) {
            sum += g[r] * p.V[r * p.D + d];
            size += std::fabs(g[r] * p.V[r * p.D + d]);
            out[2][(part + r) * p.D + d] += g[r] * t;
            scale[2][(part + r) * p.D + d] += std::fabs(g[r]);
          }
          out[0][x] += sum * (1 - t * t);
          out[1][y] += sum * (1 - t * t);
          scale[0][x] += size;
          scale[1][y] += size;
        }
      }
    }
  }
}

void solve(Problem& p) {
  p.scores.assign(p.B * p.N * p.N * p.R, 0);
  p.loss.assign(p.B, 0);
  p.loss_scale.assign(p.B, 0);
  for (int64_t r = 0; r < p.R; ++r) {
    double sum = 0;
    for (int64_t d = 0; d < p.D; ++d)
      sum += p.V[r * p.D + d] * p.V[r * p.D + d];
    p.norm = std::max(p.norm, std::sqrt(sum));
  }
  std::set<int64_t> gold;
  for (size_t k = 0; k < p.gold.size(); k += 4) {
    const int64_t* x = p.gold.data() + k;
    gold.insert(p.cell(x[0], x[1], x[2]) + x[3]);
  }
  std::vector<double> t(p.D), loss_grad(p.scores.size(), 0);
  for (int64_t b = 0; b < p.B; ++b) {
    for (int64_t i = 0; i < p.lengths[b]; ++i) {
      for (int64_t j = 0; j < p.lengths[b]; ++j) {
        for (int64_t d = 0; d < p.D; ++d) {
          t[d] = std::tanh(p.a[(b * p.N + i) * p.D + d] +
                           p.c[(b * p.N + j) * p.D + d]);
        }
        for (int64_t r = 0; r < p.R; ++r) {
          double s = p.has_bias ? p.bias[r] : 0;
          for (int64_t d = 0; d < p.D; ++d) s += p.V[r * p.D + d] * t[d];
          const int64_t at = p.cell(b, i, j) + r;
          p.scores[at] = s;
          const bool positive = gold.count(at) != 0;
          const double x = positive ? -s : s;
          const double w = positive ? p.weight : 1;
          p.loss[b] +=
              w * (std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))));
          const double g = w / (1 + std::exp(-x));
          loss_grad[at] = positive ? -g : g;
          p.loss_scale[b] += g * p.norm + 1;
        }
      }
    }
  }
  std::vector<double> out[4], scale[4];
  backward(p, p.grad, false, out, scale);
  p.da = out[0], p.dc = out[1], p.dV = out[2], p.dbias = out[3];
  p.a_scale = scale[0], p.c_scale = scale[1], p.V_scale = scale[2];
  p.b_scale = scale[3];
  // Scores' own errors come on top: their gradients change by a quarter of
  // them.
  backward(p, loss_grad, true, out, scale);
  p.la = out[0], p.lc = out[1], p.lV = out[2], p.lb = out[3];
  p.la_scale = scale[0], p.lc_scale = scale[1], p.lV_scale = scale[2];
  p.lb_scale = scale[3];
}

Problem problem(int64_t N, int64_t D, int64_t R, bool far) {
  Problem p;
  p.B = 4, p.N = N, p.D = D, p.R = R;
  p.lengths = {N, 0, N / 2, std::max<int64_t>(N - 1, 0)};
  p.has_bias = (N + D + R) % 3 != 0;
  p.weight = (N + D) % 2 ? 1.0 : 2.5;
  for (int64_t k = 0; k < p.B * N * D; ++k) {
    const bool padding = !p.inside(k / (N * D), k / D % N);
    // Rounded to float, so that every type gets the same numbers.
    p.a.push_back(padding ? poison() : float(0.7 * normal()));
    p.c.push_back(padding ? poison() : float(0.7 * normal()));
    if (padding || !far) continue;
    // Single values far out, whole tokens far out, and the two ends meeting.
    const int64_t token = k / D % N;
    if (below(40) == 0) p.a.back() = float((below(121) - 60));
    if (token % 19 == 3) p.a.back() = below(2) ? 60 : -60;
    if (token % 23 == 5)
      p.c.back() = float(below(2) ? 60 + 0.5 * normal() : -60);
    if (token % 17 == 16) p.c.back() = 21.5f;
  }
  for (int64_t k = 0; k < R * D; ++k) p.V.push_back(float(0.5 * normal()));
  for (int64_t k = 0; k < R; ++k) p.bias.push_back(float(normal()));
  for (int64_t b = 0; b < p.B; ++b) {
    for (int64_t k = 0; k < N * N * R; ++k) {
      const bool padding = !p.inside(b, k / (N * R)) || !p.inside(b, k / R % N);
      p.grad.push_back(padding ? poison() : float(normal()));
    }
    for (int k = 0; k < 5 && p.lengths[b] && R; ++k) {
      const int64_t n = p.lengths[b];
      p.gold.insert(p.gold.end(), {b, below(n), below(n), below(R)});
      if (k % 2) p.gold.insert(p.gold.end(), p.gold.end() - 4, p.gold.end());
    }
  }
  solve(p);
  return p;
}

}  // namespace
