// Runs the CUDA kernels of pairs, in the emulation or on a GPU, and compares
// them with plain sums in float64. Says what is wrong in one sentence and
// returns 1, or returns 0.
#include "cuda_device.h"
// The kernels need what stands above.
#include "pairs/cuda_operations.cu"
#include "pairs_cuda_problem.h"

using namespace cman;

namespace {

[[noreturn]] void fail(const std::string& where, const char* what, int64_t at,
                       double got, double wanted) {
  std::fprintf(stderr, "%s: %s[%lld] is %.9g, not %.9g\n", where.c_str(), what,
               static_cast<long long>(at), got, wanted);
  std::exit(1);
}

template <typename T>
void check(const std::string& where, const char* what,
           const DeviceVector<T>& got, const std::vector<double>& wanted,
           double tolerance) {
  for (size_t k = 0; k < wanted.size(); ++k) {
    if (!(std::fabs(double(got[k]) - wanted[k]) <= tolerance)) {
      fail(where, what, int64_t(k), double(got[k]), wanted[k]);
    }
  }
}

// Sums the parts of a result.
template <typename T>
void add_parts(DeviceVector<T>* result, int64_t parts) {
  const size_t size = result->size() / parts;
  for (size_t k = size; k < result->size(); ++k) {
    (*result)[k % size] += (*result)[k];
  }
  result->resize(size);
}

template <typename T>
struct Outputs {
  DeviceVector<T> scores, loss, only, da, dc, dV, dbias, la, lc, lV, lb, found;
  DeviceVector<int64_t> counts, marks, cells;

  Outputs(const Problem& p, T threshold, bool in_parts = false) {
    const auto a = on_device<T>(p.a), c = on_device<T>(p.c);
    const auto V = on_device<T>(p.V), g = on_device<T>(p.grad);
    const auto bias = on_device<T>(p.bias);
    const auto lengths = on_device<int64_t>(p.lengths);
    const auto cells_of_gold = on_device<int64_t>(p.gold);
    const auto tokens_of_anchors = on_device<int64_t>(p.anchors);
    const PairBatch<T> batch{a.data(),
                             c.data(),
                             V.data(),
                             p.biased ? bias.data() : nullptr,
                             lengths.data(),
                             p.B,
                             p.N,
                             p.D,
                             p.R};
    const PairParts parts =
        in_parts ? pair_parts(batch) : PairParts{1, 1, 1, 1, 1};
    const int64_t sets = in_parts ? p.B * parts.dV : 1;
    const int64_t tokens = p.B * p.N * p.D;
    da.assign(parts.da * tokens, 0), dc.assign(parts.dc * tokens, 0);
    la = da, lc = dc;
    dV.assign(sets * p.R * p.D, 0), dbias.assign(sets * p.R, 0);
    lV.assign(parts.dV * p.B * p.R * p.D, 0);
    lb.assign(parts.dbias * p.B * p.R, 0);
    loss.assign(parts.loss * p.B, 0), only = loss;
    scores.assign(p.B * p.N * p.N * p.R, T(7));
    pair_scores(batch, scores.data(), Stream{});
    pair_scores_backward(batch, g.data(), da.data(), dc.data(), dV.data(),
                         dbias.data(), in_parts, Stream{});
    const PairGold gold{cells_of_gold.data(), int64_t(p.gold.size() / 4)};
    pair_bce(batch, gold, T(p.weight), loss.data(), la.data(), lc.data(),
             lV.data(), lb.data(), in_parts, Stream{});
    pair_bce<T>(batch, gold, T(p.weight), only.data(), nullptr, nullptr,
                nullptr, nullptr, in_parts, Stream{});
    synchronize();
    for (auto* each : {&da, &la}) add_parts(each, parts.da);
    for (auto* each : {&dc, &lc}) add_parts(each, parts.dc);
    for (auto* each : {&dV, &dbias}) add_parts(each, sets);
    for (auto* each : {&lV, &lb}) add_parts(each, parts.dV);
    for (auto* each : {&loss, &only}) add_parts(each, parts.loss);
    const PairAnchors anchors{tokens_of_anchors.data(),
                              int64_t(p.anchors.size() / 2)};
    counts.assign(anchors.count, 0), marks.assign(2, 0);
    pair_select_count(batch, anchors, threshold, counts.data(), marks.data(),
                      Stream{});
    synchronize();
    DeviceVector<int64_t> offsets;
    int64_t total = 0;
    for (const int64_t count : counts) offsets.push_back(total), total += count;
    cells.assign(4 * total, -1), found.assign(total, T(nan_value));
    pair_select_fill(batch, anchors, threshold, offsets.data(), cells.data(),
                     found.data(), Stream{});
    synchronize();
  }
};

// Against the full table; cells nearer to the threshold than the tolerance may
// be there or not.
template <typename T>
void check_cells(const Problem& p, const std::string& where,
                 const Outputs<T>& out, double threshold, double tolerance) {
  size_t next = 0;
  for (size_t x = 0; x < p.anchors.size(); x += 2) {
    for (size_t y = 0; y < p.anchors.size(); y += 2) {
      const int64_t b = p.anchors[x], i = p.anchors[x + 1];
      const int64_t j = p.anchors[y + 1];
      if (p.anchors[y] != b) continue;
      for (int64_t r = 0; r < p.R; ++r) {
        const double s = p.scores[p.cell(b, i, j) + r];
        const int64_t cell[4] = {b, i, j, r};
        const bool here = next < out.found.size() &&
                          std::equal(cell, cell + 4, &out.cells[4 * next]);
        if (here && !(std::fabs(double(out.found[next]) - s) <= tolerance)) {
          fail(where, "selected score", p.cell(b, i, j) + r,
               double(out.found[next]), s);
        }
        if (here != (s > threshold) && std::fabs(s - threshold) > tolerance) {
          fail(where, here ? "selected" : "left out", p.cell(b, i, j) + r, s,
               threshold);
        }
        next += here;
      }
    }
  }
  if (next != out.found.size()) {
    fail(where, "cells in order", int64_t(next), double(next),
         double(out.found.size()));
  }
}

// Sums in parts have the same bits each time, in whatever order blocks come.
template <typename T>
void check_same(const std::string& where, const Outputs<T>& one,
                const Outputs<T>& two) {
  for (const auto result :
       {&Outputs<T>::loss, &Outputs<T>::only, &Outputs<T>::da, &Outputs<T>::dc,
        &Outputs<T>::dV, &Outputs<T>::dbias, &Outputs<T>::la, &Outputs<T>::lc,
        &Outputs<T>::lV, &Outputs<T>::lb}) {
    for (size_t k = 0; k < (one.*result).size(); ++k) {
      if ((one.*result)[k] == (two.*result)[k]) continue;
      fail(where, "a sum in parts, again", int64_t(k), double((two.*result)[k]),
           double((one.*result)[k]));
    }
  }
}

template <typename T>
void test(const Problem& p, bool far, bool in_parts) {
  const std::string where =
      std::string(sizeof(T) == 4 ? "float32 " : "float64 ") + p.name() +
      (far ? " far" : "") + (in_parts ? " in parts" : "");
  const double threshold = 0.3;
  const Outputs<T> out(p, T(threshold), in_parts);
  if (in_parts) check_same(where, out, Outputs<T>(p, T(threshold), true));
  const double unit = sizeof(T) == 4 ? 1e-6 : 1e-13;
  const double score = 3 * unit * p.norm;
  // Sums over a row, over a sentence, over the batch.
  const double row = unit * p.norm * (8 + double(p.N * p.R) / 8);
  const double all = unit * (8 + double(p.N * p.N) / 8) * p.norm;
  check(where, "scores", out.scores, p.scores, score);
  check(where, "da", out.da, p.plain.da, row);
  check(where, "dc", out.dc, p.plain.dc, row);
  check(where, "dV", out.dV, p.plain.dV, all);
  check(where, "dbias", out.dbias, p.plain.dbias, all);
  check(where, "loss", out.loss, p.loss, all * double(p.R) * 2);
  check(where, "loss alone", out.only, p.loss, all * double(p.R) * 2);
  check(where, "loss da", out.la, p.fused.da, row);
  check(where, "loss dc", out.lc, p.fused.dc, row);
  check(where, "loss dV", out.lV, p.fused.dV, all);
  check(where, "loss dbias", out.lb, p.fused.dbias, all);
  check_cells(p, where, out, threshold, score);
  if (out.marks[0] != 0 || out.marks[1] != 0) {
    fail(where, "marks of good anchors", 0, 1, 0);
  }
}

// Anchors are marked when they are out of order or twice, wherever that is, and
// when one is no token.
template <typename T>
void test_marks(const std::string& where) {
  Problem p = problem(20, 5, 3, false);
  p.anchors.clear();
  for (int64_t i = 0; i < p.lengths[0]; ++i) {
    p.anchors.insert(p.anchors.end(), {0, i});
  }
  const auto expect = [&](const char* what, int64_t known, int64_t sorted) {
    const Outputs<T> out(p, T(0.3));
    if (out.marks[0] != known) fail(where, what, 0, out.marks[0], known);
    if (out.marks[1] != sorted) fail(where, what, 1, out.marks[1], sorted);
  };
  expect("marks of sorted anchors", 0, 0);
  const std::vector<int64_t> good = p.anchors;
  p.anchors[1] = 1;
  expect("marks of an anchor that is there twice", 0, 1);
  p.anchors = good;
  std::swap(p.anchors[good.size() - 1], p.anchors[good.size() - 3]);
  expect("marks of the last anchors out of order", 0, 1);
  p.anchors = good;
  p.anchors.insert(p.anchors.end(), {p.B, 0});
  expect("marks of an anchor without a sentence", 1, 0);
}

// Lengths, gold cells and anchors that are none: NaN where they belong, the
// other sentences as without them.
template <typename T>
void test_wrong_input(const std::string& where, bool in_parts) {
  Problem p = problem(20, 5, 3, false);
  const Outputs<T> right(p, T(0.3), in_parts);
  Problem q = p;
  q.lengths[1] = -1, q.lengths[2] = q.N + 1;
  q.anchors = {-1, 0, 0, 0, 0, 5, 0, q.N, 1, 0, 2, 3, 3, -1, 3, 2, q.B, 0};
  for (const int64_t gold : {-1, 0, 1}) {  // what is wrong with sentence 3's
    q.gold = p.gold;
    if (gold < 0) q.gold.insert(q.gold.end(), {3, -1, 0, 0});
    if (gold == 0) q.gold.insert(q.gold.end(), {3, 0, q.N - 1, 0});
    if (gold > 0) q.gold.insert(q.gold.end(), {3, 0, 0, q.R});
    const Outputs<T> out(q, T(-1e9), in_parts);
    for (int64_t b = 1; b < 4; ++b) {
      if (!std::isnan(out.loss[b]) || !std::isnan(out.only[b])) {
        fail(where, "loss of a wrong input", b, double(out.loss[b]), nan_value);
      }
    }
    if (!(std::fabs(double(out.loss[0] - right.loss[0])) <=
          1e-6 * std::fabs(double(right.loss[0])))) {
      fail(where, "loss beside wrong inputs", 0, double(out.loss[0]),
           double(right.loss[0]));
    }
    for (int64_t b = 0; b < 4; ++b) {
      const int64_t at = p.cell(b, 0, 0), size = p.N * p.N * p.R;
      for (int64_t k = at; k < at + size; ++k) {
        const bool wrong = b == 1 || b == 2;
        if (wrong ? !std::isnan(out.scores[k])
                  : out.scores[k] != right.scores[k]) {
          fail(where, "scores with wrong lengths", k, double(out.scores[k]),
               wrong ? nan_value : double(right.scores[k]));
        }
      }
    }
    // Anchors that are tokens: two of sentence 0 and one of sentence 3.
    if (int64_t(out.found.size()) != (4 + 1) * q.R) {
      fail(where, "cells of wrong anchors", 0, double(out.found.size()),
           double(5 * q.R));
    }
  }
  q = p;
  q.gold.insert(q.gold.begin(), {q.B, 0, 0, 0});
  if (!std::isnan(Outputs<T>(q, T(0.3), in_parts).loss[0])) {
    fail(where, "loss with gold of no sentence", 0, 0, nan_value);
  }
}

// NaN and infinities inside a sentence: cells are what tanh makes of them.
template <typename T>
void test_not_finite(const std::string& where) {
  Problem p = problem(33, 70, 7, false);
  p.a[4 * p.D + 2] = nan_value;
  p.c[9 * p.D + 5] = infinity;
  p.a[6 * p.D + 5] = -infinity;  // meets the infinity above
  p.c[11 * p.D + 65] = 1e30;
  solve(p);
  const Outputs<T> out(p, T(0.3));
  for (size_t k = 0; k < p.scores.size(); ++k) {
    const double got = double(out.scores[k]), wanted = p.scores[k];
    if (std::isnan(wanted) ? !std::isnan(got)
                           : !(std::fabs(got - wanted) <= 3e-6 * p.norm)) {
      fail(where, "scores that are not finite", int64_t(k), got, wanted);
    }
  }
  if (!std::isnan(out.loss[0])) {
    fail(where, "loss of NaN", 0, double(out.loss[0]), nan_value);
  }
  if (!(std::fabs(double(out.da[8 * p.D + 2]) - p.plain.da[8 * p.D + 2]) <
        1e-3)) {
    fail(where, "da beside NaN", 8 * p.D + 2, double(out.da[8 * p.D + 2]),
         p.plain.da[8 * p.D + 2]);
  }
}

template <typename T>
void test_all(const std::string& name, bool few) {
  const auto test_one = [](int64_t N, int64_t D, int64_t R, bool far) {
    const Problem p = problem(N, D, R, far);
    for (const bool in_parts : {false, true}) test<T>(p, far, in_parts);
  };
  const auto both = [&](int64_t N, int64_t D, int64_t R) {
    for (const bool far : {false, true}) test_one(N, D, R, far);
  };
  if (few) return both(70, 5, 6), both(17, 20, 25), both(5, 0, 2);
  for (const int64_t R : {1, 6, 12, 13, 40}) {
    both(39, 3, R);
    test_one(39, 1, R, false);
    test_one(18, 100, R, true);
    test_one(18, 128, R, false);
  }
  both(70, 5, 6), both(65, 67, 2), both(33, 128, 4), both(16, 33, 8);
  both(1, 20, 9), both(17, 20, 25);
  both(0, 3, 2), both(5, 0, 2), both(5, 3, 0);
  for (const bool in_parts : {false, true}) test_wrong_input<T>(name, in_parts);
  test_marks<T>(name);
  test_not_finite<T>(name);
}

}  // namespace

// "few" leaves most sizes out, for tools that take their time.
int main(int count, char** arguments) {
  const bool few = count > 1 && std::string(arguments[1]) == "few";
  test_all<float>("float32", few);
  test_all<double>("float64", few);
  std::printf("the pairs' CUDA kernels, %s: as they should be\n", device_name);
  return 0;
}
