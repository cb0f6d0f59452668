// Inputs for pairs_cuda_test.cpp and what they should give, as plain sums in
// float64.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

uint64_t seed = 20240607;
double uniform() {  // (-1, 1)
  seed = seed * 6364136223846793005ull + 1442695040888963407ull;
  return double(int64_t(seed >> 11)) / double(1ll << 52) - 1;
}
int64_t below(int64_t n) { return int64_t((uniform() + 1) / 2 * double(n)); }

// Inputs, and all outputs in float64. Values are floats, so both types get the
// same numbers.
struct Problem {
  int64_t B, N, D, R;
  double weight = 2.5;
  bool biased = true;
  std::vector<int64_t> lengths, gold, anchors;
  std::vector<double> a, c, V, bias, grad;
  std::vector<double> scores, loss;
  struct Gradients {
    std::vector<double> da, dc, dV, dbias;
  } plain, fused;
  double norm = 1;  // the largest |V[r]|, at least 1

  std::string name() const {
    return "(" + std::to_string(B) + "," + std::to_string(N) + "," +
           std::to_string(D) + "," + std::to_string(R) + ")";
  }
  bool known(int64_t b) const { return lengths[b] >= 0 && lengths[b] <= N; }
  bool inside(int64_t b, int64_t i) const { return known(b) && i < lengths[b]; }
  int64_t cell(int64_t b, int64_t i, int64_t j) const {
    return ((b * N + i) * N + j) * R;
  }
};

// Adds the gradients of one cell's scores; dV and dbias by sentence if asked.
void add_cell(const Problem& p, int64_t b, int64_t i, int64_t j,
              const double* g, bool by_sentence, Problem::Gradients& out) {
  const double* a = p.a.data() + (b * p.N + i) * p.D;
  const double* c = p.c.data() + (b * p.N + j) * p.D;
  double* dV = out.dV.data() + (by_sentence ? b * p.R * p.D : 0);
  double* dbias = out.dbias.data() + (by_sentence ? b * p.R : 0);
  for (int64_t r = 0; r < p.R; ++r) dbias[r] += g[r];
  for (int64_t d = 0; d < p.D; ++d) {
    const double t = std::tanh(a[d] + c[d]);
    double u = 0;
    for (int64_t r = 0; r < p.R; ++r) {
      u += g[r] * p.V[r * p.D + d];
      dV[r * p.D + d] += g[r] * t;
    }
    out.da[(b * p.N + i) * p.D + d] += u * (1 - t * t);
    out.dc[(b * p.N + j) * p.D + d] += u * (1 - t * t);
  }
}

void solve(Problem& p) {
  p.scores.assign(p.B * p.N * p.N * p.R, 0);
  p.loss.assign(p.B, 0);
  const std::vector<double> tokens(p.B * p.N * p.D, 0);
  p.plain = {tokens, tokens, std::vector<double>(p.R * p.D, 0),
             std::vector<double>(p.R, 0)};
  p.fused = {tokens, tokens, std::vector<double>(p.B * p.R * p.D, 0),
             std::vector<double>(p.B * p.R, 0)};
  for (int64_t r = 0; r < p.R; ++r) {
    double square = 0;
    for (int64_t d = 0; d < p.D; ++d) square += std::pow(p.V[r * p.D + d], 2);
    p.norm = std::max(p.norm, std::sqrt(square));
  }
  std::set<int64_t> gold;
  for (size_t k = 0; k < p.gold.size(); k += 4) {
    const int64_t* cell = &p.gold[k];
    gold.insert(p.cell(cell[0], cell[1], cell[2]) + cell[3]);
  }
  std::vector<double> g(p.R);
  for (int64_t cell = 0; cell < p.B * p.N * p.N; ++cell) {
    const int64_t b = cell / (p.N * p.N), i = cell / p.N % p.N, j = cell % p.N;
    if (!p.inside(b, i) || !p.inside(b, j)) continue;
    for (int64_t r = 0; r < p.R; ++r) {
      double s = p.biased ? p.bias[r] : 0;
      for (int64_t d = 0; d < p.D; ++d) {
        s += p.V[r * p.D + d] * std::tanh(p.a[(b * p.N + i) * p.D + d] +
                                          p.c[(b * p.N + j) * p.D + d]);
      }
      p.scores[cell * p.R + r] = s;
      const bool positive = gold.count(cell * p.R + r) != 0;
      const double x = positive ? -s : s, w = positive ? p.weight : 1;
      const double e = std::exp(-std::fabs(x));
      p.loss[b] += w * (std::fmax(x, 0) + std::log1p(e));
      g[r] = (positive ? -w : w) * (x < 0 ? e : 1) / (1 + e);
    }
    add_cell(p, b, i, j, g.data(), true, p.fused);
    add_cell(p, b, i, j, p.grad.data() + cell * p.R, false, p.plain);
  }
}

Problem problem(int64_t N, int64_t D, int64_t R, bool far) {
  Problem p;
  p.B = 4, p.N = N, p.D = D, p.R = R;
  p.lengths = {N, 0, N / 2, std::max<int64_t>(N - 1, 0)};
  p.biased = (N + D + R) % 3 != 0;
  p.weight = (N + D) % 2 ? 1.0 : 2.5;
  for (int64_t k = 0; k < p.B * N * D; ++k) {
    const int64_t b = k / (N * D), token = k / D % N;
    const bool padding = !p.inside(b, token);
    const double poison = k % 3 == 0 ? nan_value : k % 3 == 1 ? infinity : 1e30;
    p.a.push_back(padding ? poison : float(1.5 * uniform()));
    p.c.push_back(padding ? -poison : float(1.5 * uniform()));
    if (padding || !far) continue;
    // Single values far out, whole tokens, and both ends of a pair.
    if (below(40) == 0) p.a.back() = double(below(121) - 60);
    if (token % 19 == 3) p.a.back() = below(2) ? 60 : -60;
    if (token % 23 == 5) p.c.back() = below(2) ? 60 : -59.5;
    if (token % 17 == 16) p.c.back() = 21.5;
  }
  for (int64_t k = 0; k < R * D; ++k) p.V.push_back(float(uniform()));
  for (int64_t k = 0; k < R; ++k) p.bias.push_back(float(uniform()));
  for (int64_t k = 0; k < p.B * N * N * R; ++k) {
    const int64_t cell = k / R, b = cell / (N * N);
    const bool inside = p.inside(b, cell / N % N) && p.inside(b, cell % N);
    p.grad.push_back(inside ? float(uniform()) : nan_value);
  }
  for (int64_t b = 0; b < p.B; ++b) {
    for (int k = 0; k < 6 && p.lengths[b] > 0 && R > 0; ++k) {
      const int64_t n = p.lengths[b];
      const int64_t cell[4] = {b, below(n), below(n), below(R)};
      p.gold.insert(p.gold.end(), cell, cell + 4);
      if (k % 2) p.gold.insert(p.gold.begin(), cell, cell + 4);  // twice
    }
    for (int64_t i = 0; i < p.lengths[b]; ++i) {
      if (below(3) > 0) p.anchors.insert(p.anchors.end(), {b, i});
    }
  }
  solve(p);
  return p;
}

}  // namespace
