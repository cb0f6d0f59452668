// Tests of the pair kernels on the CPU against sums in double written from the
// formulas. Every instruction set of this processor is tried on every shape.
//
// Two habits of these tests: what must not be read (padding) holds NaN,
// infinities and 1e30, and what must be written holds NaN beforehand. Arrays
// have exactly their size, so that a sanitizer sees a step too far. The program
// exits with 0, or with 1 after a sentence on the first thing that is wrong.
#include "pairs/interface.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "simd/isa.h"
#include "pairs/plan.h"
#include "pairs_reference.h"

namespace {

using namespace cman;

[[noreturn]] void fail(const std::string& where, const char* what, int64_t at,
                       double got, double wanted) {
  std::printf("%s: %s[%lld] is %.9g, wanted %.9g\n", where.c_str(), what,
              static_cast<long long>(at), got, wanted);
  std::exit(1);
}

// Two threads, and three uneven ranges handed out backwards.
void two_threads(int64_t count, int64_t /*grain*/, const Work& work) {
  std::thread other([&] { work(count / 2, count); });
  if (count / 2 > 0) work(0, count / 2);
  other.join();
}

void three_ranges(int64_t count, int64_t /*grain*/, const Work& work) {
  const int64_t first = count / 7, second = count / 3;
  work(second, count);
  if (second > first) work(first, second);
  if (first > 0) work(0, first);
}

template <typename T>
std::vector<T> as(const std::vector<double>& x) {
  return std::vector<T>(x.begin(), x.end());
}

template <typename T>
struct Inputs {
  explicit Inputs(const Problem& p)
      : a(as<T>(p.a)),
        c(as<T>(p.c)),
        V(as<T>(p.V)),
        bias(as<T>(p.bias)),
        batch{a.data(),
              c.data(),
              V.data(),
              p.has_bias ? bias.data() : nullptr,
              p.lengths.data(),
              p.B,
              p.N,
              p.D,
              p.R} {}
  std::vector<T> a, c, V, bias;
  PairBatch<T> batch;
};

template <typename T>
void check(const std::string& where, const char* what,
           const std::vector<T>& got, const std::vector<double>& wanted,
           const std::vector<double>* scale, double tolerance) {
  for (size_t k = 0; k < got.size(); ++k) {
    const double allowed = tolerance * (1 + (scale ? (*scale)[k] : 0));
    if (!(std::fabs(got[k] - wanted[k]) <= allowed)) {
      fail(where, what, k, got[k], wanted[k]);
    }
  }
}

// All outputs of all functions, for one way to share out the work.
template <typename T>
struct Outputs {
  std::vector<T> scores, da, dc, dV, dbias, loss, only, la, lc, lV, lb;
  std::vector<PairCell<T>> cells;

  Outputs(const Problem& p, ParallelFor parallel,
          const std::vector<int64_t>& anchors, T threshold) {
    const Inputs<T> in(p);
    const std::vector<T> grad = as<T>(p.grad);
    const T nan = T(nan_value);
    scores.assign(p.B * p.N * p.N * p.R, nan);
    pair_scores(in.batch, scores.data(), parallel);
    da.assign(p.B * p.N * p.D, nan), dc = la = lc = da;
    dV.assign(p.R * p.D, nan), dbias.assign(p.R, nan);
    pair_scores_backward(in.batch, grad.data(), da.data(), dc.data(), dV.data(),
                         dbias.data(), parallel);
    loss.assign(p.B, nan), only = loss;
    lV.assign(p.B * p.R * p.D, nan), lb.assign(p.B * p.R, nan);
    const PairGold gold{p.gold.data(), int64_t(p.gold.size() / 4)};
    pair_bce(in.batch, gold, T(p.weight), loss.data(), la.data(), lc.data(),
             lV.data(), lb.data(), parallel);
    pair_bce<T>(in.batch, gold, T(p.weight), only.data(), nullptr, nullptr,
                nullptr, nullptr, parallel);
    pair_select<T>(
        in.batch, {anchors.data(), int64_t(anchors.size() / 2)}, threshold,
        [&](const PairCell<T>* found, int64_t count) {
          cells.insert(cells.end(), found, found + count);
        },
        parallel);
  }

  void same_as(const Outputs& other, const std::string& where) const {
    const auto same = [&](const std::vector<T>& x, const std::vector<T>& y,
                          const char* what) {
      if (x.empty() || !std::memcmp(x.data(), y.data(), x.size() * sizeof(T))) {
        return;
      }
      fail(where + ", other threads", what, -1, 0, 0);
    };
    same(scores, other.scores, "scores");
    same(da, other.da, "da"), same(dc, other.dc, "dc");
    same(dV, other.dV, "dV"), same(dbias, other.dbias, "dbias");
    same(loss, other.loss, "loss"), same(only, other.only, "loss alone");
    same(la, other.la, "loss da"), same(lc, other.lc, "loss dc");
    same(lV, other.lV, "loss dV"), same(lb, other.lb, "loss dbias");
    bool equal = cells.size() == other.cells.size();
    for (size_t k = 0; equal && k < cells.size(); ++k) {
      equal = key(cells[k]) == key(other.cells[k]) &&
              cells[k].score == other.cells[k].score;
    }
    if (!equal) fail(where + ", other threads", "cells", -1, 0, 0);
  }

  static std::tuple<int64_t, int64_t, int64_t, int64_t> key(
      const PairCell<T>& x) {
    return {x.sentence, x.head, x.tail, x.label};
  }
};

template <typename T>
void check_cells(const Problem& p, const std::string& where,
                 const std::vector<PairCell<T>>& cells,
                 const std::vector<int64_t>& anchors, double threshold,
                 double tolerance) {
  size_t next = 0;
  for (size_t x = 0; x < anchors.size(); x += 2) {
    for (size_t y = 0; y < anchors.size(); y += 2) {
      if (anchors[x] != anchors[y]) continue;
      for (int64_t r = 0; r < p.R; ++r) {
        const int64_t at =
            p.cell(anchors[x], anchors[x + 1], anchors[y + 1]) + r;
        const double s = p.scores[at];
        const bool here =
            next < cells.size() &&
            Outputs<T>::key(cells[next]) ==
                std::make_tuple(anchors[x], anchors[x + 1], anchors[y + 1], r);
        if (here && std::fabs(cells[next].score - s) > tolerance) {
          fail(where, "selected score", at, cells[next].score, s);
        }
        if (here != (s > threshold) && std::fabs(s - threshold) > tolerance) {
          fail(where, here ? "selected, score" : "left out, score", at, s,
               threshold);
        }
        next += here;
      }
    }
  }
  if (next != cells.size()) fail(where, "cells", next, cells.size(), next);
}

// Float: the scores' tolerance; the others follow from it.
template <typename T>
void test_problem(const Problem& p, const std::string& where) {
  const bool single = sizeof(T) == 4;
  std::vector<int64_t> anchors;
  for (int64_t b = 0; b < p.B; ++b) {
    for (int64_t i = 0; i < p.lengths[b]; ++i) {
      if (below(3) == 0) anchors.insert(anchors.end(), {b, i});
    }
  }
  const T threshold = T(0.3);
  const Outputs<T> out(p, serial_for, anchors, threshold);
  const double rounding = single ? 1e-6 : 1e-13;
  const double score = single ? 3e-6 * p.norm : 1e-12;
  check(where, "scores", out.scores, p.scores, nullptr, score);
  check(where, "da", out.da, p.da, &p.a_scale, rounding);
  check(where, "dc", out.dc, p.dc, &p.c_scale, rounding);
  check(where, "dV", out.dV, p.dV, &p.V_scale, rounding);
  check(where, "dbias", out.dbias, p.dbias, &p.b_scale, rounding);
  const double fused = single ? 2e-6 * p.norm : 1e-12;
  check(where, "loss", out.loss, p.loss, &p.loss_scale, rounding);
  check(where, "loss da", out.la, p.la, &p.la_scale, fused);
  check(where, "loss dc", out.lc, p.lc, &p.lc_scale, fused);
  check(where, "loss dV", out.lV, p.lV, &p.lV_scale, fused);
  check(where, "loss dbias", out.lb, p.lb, &p.lb_scale, fused);
  check(where, "loss alone", out.only, p.loss, &p.loss_scale, rounding);
  check_cells(p, where, out.cells, anchors, threshold, score);
  out.same_as(Outputs<T>(p, two_threads, anchors, threshold), where);
  out.same_as(Outputs<T>(p, three_ranges, anchors, threshold), where);
}

// NaN and infinities inside a sentence: their cells are what tanh makes of
// them, and all others are as without them.
void test_not_finite(const std::string& where) {
  const Problem p = problem(33, 20, 7, false);
  Problem q = p;
  q.a[4 * p.D + 2] = nan_value;
  q.c[9 * p.D + 5] = infinity;
  q.a[6 * p.D + 5] = -infinity;  // meets the infinity above
  q.c[11 * p.D + 1] = 1e30;
  const Inputs<float> in(q);
  std::vector<float> scores(p.scores.size());
  pair_scores(in.batch, scores.data(), serial_for);
  for (int64_t i = 0; i < p.N; ++i) {
    for (int64_t j = 0; j < p.N; ++j) {
      for (int64_t r = 0; r < p.R; ++r) {
        double s = p.has_bias ? p.bias[r] : 0;
        for (int64_t d = 0; d < p.D; ++d) {
          s +=
              p.V[r * p.D + d] * std::tanh(q.a[i * p.D + d] + q.c[j * p.D + d]);
        }
        const float got = scores[p.cell(0, i, j) + r];
        if (std::isnan(s) ? !std::isnan(got)
                          : !(std::fabs(got - s) <= 3e-6 * p.norm)) {
          fail(where + ", not finite", "scores", p.cell(0, i, j) + r, got, s);
        }
      }
    }
  }
  std::vector<float> da(q.a.size()), dc(da), dV(p.B * p.R * p.D), db(p.B * p.R),
      loss(p.B), grad = as<float>(p.grad);
  const PairGold gold{p.gold.data(), int64_t(p.gold.size() / 4)};
  pair_bce(in.batch, gold, 1.0f, loss.data(), da.data(), dc.data(), dV.data(),
           db.data(), serial_for);
  if (!std::isnan(loss[0])) fail(where, "loss of NaN", 0, loss[0], nan_value);
  pair_scores_backward(in.batch, grad.data(), da.data(), dc.data(), dV.data(),
                       db.data(), serial_for);
  const double wanted = p.da[8 * p.D + 2];  // d = 2 is NaN in row 4 only
  if (!std::isnan(da[4 * p.D + 2]) ||
      !(std::fabs(da[8 * p.D + 2] - wanted) < 1e-3)) {
    fail(where, "da beside NaN", 8 * p.D + 2, da[8 * p.D + 2], wanted);
  }
}

void test_logistic(const std::string& where, const PairKernels<float>& kernel) {
  std::vector<float> x = {0.0f,   -0.0f,  1e-30f, -1e-30f, 88.0f,    -88.0f,
                          104.0f, -104.f, 1e30f,  -1e30f,  INFINITY, -INFINITY};
  for (int k = 0; k < 4000; ++k)
    x.push_back(float(normal() * (k % 3 ? 3 : 30)));
  for (const float each : x) {
    float s = each;
    const double soft = kernel.softplus(&s, 1, true);
    const double e = std::exp(-std::fabs(double(each)));
    const double wanted = std::fmax(double(each), 0.0) + std::log1p(e);
    const double sigmoid = (each < 0 ? e : 1) / (1 + e);
    // The smallest normal float is 1.2e-38; below it digits go one by one.
    if (!(std::fabs(soft - wanted) <= 4e-7 * std::fabs(wanted) + 2e-38) &&
        soft != wanted) {
      fail(where + ", softplus", "of", int64_t(each), soft, wanted);
    }
    if (!(std::fabs(s - sigmoid) <= 4e-7 * sigmoid + 2e-38)) {
      fail(where + ", sigmoid", "of", int64_t(each), s, sigmoid);
    }
  }
  float nan = NAN;
  if (!std::isnan(kernel.softplus(&nan, 1, true)) || !std::isnan(nan)) {
    fail(where + ", softplus", "of NaN", 0, nan, nan_value);
  }
}

const PairKernels<float>& kernels_of_isa(Isa isa) {
#if CMAN_X86
  if (isa == Isa::avx512) return pair_kernels_avx512();
  if (isa == Isa::avx2) return pair_kernels_avx2();
#endif
  (void)isa;
  return pair_kernels_portable();
}

}  // namespace

int main() {
  const std::vector<int64_t> Ns = {0, 1, 7, 16, 17, 33, 64};
  const std::vector<int64_t> Ds = {1, 3, 16, 100, 128, 130};
  const std::vector<int64_t> Rs = {0, 1, 5, 6, 12, 13, 40};
  const Isa all[] = {Isa::portable, Isa::avx2, Isa::avx512};
  const auto test_float = [&](const Problem& p, const std::string& kind) {
    for (const Isa each : all) {
      if (!set_isa(each)) continue;
      test_problem<float>(p, std::string(isa_name(each)) + kind + p.name());
    }
  };
  for (const int64_t N : Ns) {
    for (const int64_t D : Ds) {
      for (const int64_t R : Rs) {
        // The largest tables for two sizes only; they take most of the time.
        if (N == 64 && R > 6 && D != 128 && D != 130) continue;
        test_float(problem(N, D, R, false), " ");
        if (N > 1 && (D == 3 || D == 100)) {
          test_float(problem(N, D, R, true), " far ");
        }
      }
    }
  }
  // Every size of a chunk of labels.
  for (int64_t R = 2; R <= 26; ++R) {
    test_float(problem(21, 18, R, false), " ");
    test_float(problem(21, 18, R, true), " far ");
  }
  for (const bool far : {false, true}) {
    for (const int64_t D : {1, 16, 19}) {
      const Problem p = problem(17, D, 5, far);
      test_problem<double>(p, "float64 " + p.name());
    }
  }
  for (const Isa each : all) {
    if (!set_isa(each)) continue;
    test_not_finite(isa_name(each));
    test_logistic(isa_name(each), kernels_of_isa(each));
  }
  std::printf("pairs: all as they should be\n");
  return 0;
}
