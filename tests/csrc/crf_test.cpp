// Tests of the CRF on the CPU against two references: every path of small
// problems, and the recursions of crf_reference.h. Runs every instruction set
// of the processor. Prints what failed and returns 1.
#include "crf/interface.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "simd/isa.h"
#include "crf_reference.h"

namespace {

int failures = 0;
std::string context;

void check(bool ok, const std::string& what) {
  if (ok || ++failures > 20) return;
  std::printf("%s: %s\n", context.c_str(), what.c_str());
}

void close(double got, double wanted, double tolerance,
           const std::string& what) {
  const bool ok = got == wanted || std::abs(got - wanted) <= tolerance;
  if (ok) return;
  check(false, what + " is " + std::to_string(got) + ", wanted " +
                   std::to_string(wanted) + ", difference " +
                   std::to_string((got - wanted) * 1e9) + "e-9");
}

// Two threads and a range for each `grain`.
void two_threads(int64_t count, int64_t grain, const cman::Work& work) {
  if (count <= 0) return;
  const int64_t half = std::max(grain, (count + 1) / 2);
  std::thread other([&] {
    if (half < count) work(half, count);
  });
  work(0, std::min(half, count));
  other.join();
}

// The tests -------------------------------------------------------------------

template <typename T>
void test_decode(const Problem<T>& p, bool ties) {
  std::vector<int64_t> tags(p.B * p.L, 77);
  std::vector<T> scores(p.B, T(77));
  cman::crf_decode(p.batch(), tags.data(), scores.data(), two_threads);
  const double digits = sizeof(T) == 8 ? 1e-12 : 2e-7;
  for (int64_t b = 0; b < p.B; ++b) {
    const int64_t* path = &tags[b * p.L];
    const int64_t n = p.lengths[b];
    bool in_place = true;
    for (int64_t t = 0; t < p.L; ++t) {
      in_place &= t < n ? path[t] >= 0 && path[t] < p.K : path[t] == -1;
    }
    check(in_place, "a tag is out of range or padding is not -1");
    if (!in_place) continue;
    const double best = best_score(p, b);
    double largest = 1;
    for (int64_t i = 0; i < n * p.K; ++i) {
      largest = std::max(largest, std::abs(double(p.e[b * p.L * p.K + i])));
    }
    for (T x : p.transitions) {
      if (std::isfinite(x) && x > -5000) {
        largest = std::max(largest, std::abs(double(x)));
      }
    }
    // Scores are exact to rounding within a chunk, whose sums are larger.
    const double tolerance = digits * 40 * largest * std::sqrt(double(n) + 1);
    close(double(scores[b]), best, tolerance + digits * std::abs(best),
          "the best score");
    if (best == none) continue;
    close(p.score(b, path), best, tolerance, "the score of the best path");
    if (!ties) continue;
    // Lowest tag, from the last token backwards: the smallest reversed path.
    std::vector<int64_t> other(n, 0), wanted;
    int64_t paths = 1;
    for (int64_t t = 0; t < n; ++t) paths *= p.K;
    for (int64_t code = 0; code < paths && wanted.empty(); ++code) {
      int64_t rest = code;
      for (int64_t t = 0; t < n; ++t, rest /= p.K) other[t] = rest % p.K;
      // `code` has the last token's tag in its highest digit: ascending order.
      if (p.score(b, other.data()) == best) wanted = other;
    }
    check(std::equal(wanted.begin(), wanted.end(), path),
          "a tie does not go to the lowest tag");
  }
}

template <typename T>
void test_sums(const Problem<T>& p) {
  const int64_t K = p.K, row = p.L * K;
  const bool exact = sizeof(T) == 8;
  std::vector<Sums> sums;
  for (int64_t b = 0; b < p.B; ++b) sums.push_back(recursions(p, b));

  std::vector<T> result(p.B), again(p.B);
  std::vector<T> workspace(cman::crf_workspace_size(p.B, p.L, K), T(NAN));
  cman::crf_forward(p.batch(), workspace.data(), result.data(), two_threads);
  cman::crf_forward<T>(p.batch(), nullptr, again.data(), cman::serial_for);
  double tokens = 0, shares = 0;
  for (int64_t b = 0; b < p.B; ++b) {
    double wanted = double(sums[b].partition), size = std::abs(wanted);
    if (p.with_gold) {
      const double gold = p.score(b, &p.gold[b * p.L]);
      wanted = wanted == none || gold == none ? -none : wanted - gold;
      size += std::abs(gold);
    }
    check(result[b] == again[b], "the result depends on the workspace");
    if (std::isinf(wanted)) {
      check(double(result[b]) == wanted, "an impossible sentence's result");
      continue;
    }
    // Sums of exponentials are exact to 1e-7 a token; the rest is in double.
    const double each = exact ? 1e-13 : 1e-7;
    close(double(result[b]), wanted,
          (exact ? 1e-12 : 1e-6) * std::max(1.0, size == 0 ? 1.0 : size) +
              each * std::sqrt(double(p.lengths[b])),
          "the log-partition or loss");
    tokens += double(p.lengths[b]);
    shares += std::abs(double(p.grad[b])) * double(p.lengths[b]);
  }

  // The set may change between the two; the gradient is the same then.
  std::vector<T> unary(p.B * row, T(77)), pairs(K * K), start(K), end(K);
  const cman::Isa set = cman::isa();
  cman::set_isa(cman::Isa::portable);
  cman::crf_backward(p.batch(), workspace.data(), p.grad.data(), unary.data(),
                     pairs.data(), start.data(), end.data(), two_threads);
  cman::set_isa(set);
  std::vector<T> unary2(p.B * row, T(77)), pairs2(K * K), start2(K), end2(K);
  cman::crf_backward(p.batch(), workspace.data(), p.grad.data(), unary2.data(),
                     pairs2.data(), start2.data(), end2.data(),
                     cman::serial_for);
  check(unary == unary2 && pairs == pairs2 && start == start2 && end == end2,
        "the gradient depends on the number of threads");
  const Gradient g = reference_gradient(p, p.grad, sums);
  // The reference itself sums to 1e7 over 4096 tokens.
  const double near = exact ? 1e-10 * (1 + double(p.L) / 512) : 2e-6;
  const auto compare = [&](const std::vector<T>& got, const Doubles& wanted,
                           double tolerance, const char* what) {
    for (size_t i = 0; i < got.size(); ++i) {
      close(double(got[i]), wanted[i], tolerance, what);
    }
  };
  compare(unary, g.unary, near, "the gradient of emissions");
  compare(pairs, g.pairs, near * (1 + shares), "the gradient of transitions");
  compare(start, g.start, near * (1 + double(p.B)), "the gradient of start");
  compare(end, g.end, near * (1 + double(p.B)), "the gradient of end");

  std::vector<T> marginals(p.B * row, T(77));
  Problem<T> plain = p;
  plain.with_gold = false;
  cman::crf_marginals(plain.batch(), marginals.data(), two_threads);
  const std::vector<T> ones(p.B, T(1));
  compare(marginals, reference_gradient(plain, ones, sums).unary, near,
          "a marginal");
  for (int64_t b = 0; b < p.B; ++b) {
    for (int64_t t = 0; t < p.lengths[b]; ++t) {
      double sum = 0;
      for (int64_t k = 0; k < K; ++k)
        sum += double(marginals[b * row + t * K + k]);
      close(sum, sums[b].partition == none ? 0 : 1, near,
            "the sum of a token's marginals");
    }
  }
}

template <typename T>
void test_nbest(const Problem<T>& p, int64_t n) {
  std::vector<int64_t> tags(p.B * n * p.L, 77);
  std::vector<T> scores(p.B * n, T(77));
  cman::crf_decode_nbest(p.batch(), n, tags.data(), scores.data(), two_threads);
  for (int64_t b = 0; b < p.B; ++b) {
    const int64_t length = p.lengths[b];
    Doubles all;
    int64_t paths = 1;
    for (int64_t t = 0; t < length; ++t) paths *= p.K;
    std::vector<int64_t> path(length);
    for (int64_t code = 0; code < paths; ++code) {
      int64_t rest = code;
      for (int64_t t = 0; t < length; ++t, rest /= p.K) path[t] = rest % p.K;
      const double score = p.score(b, path.data());
      if (score > none) all.push_back(score);
    }
    std::sort(all.rbegin(), all.rend());
    std::vector<std::vector<int64_t>> seen;
    for (int64_t r = 0; r < n; ++r) {
      const int64_t* got = &tags[(b * n + r) * p.L];
      const double score = double(scores[b * n + r]);
      if (r >= int64_t(all.size())) {
        check(score == none, "a path too many has a score");
        check(std::all_of(got, got + p.L, [](int64_t x) { return x == -1; }),
              "a path too many has tags");
        continue;
      }
      const double digits = sizeof(T) == 8 ? 1e-13 : 1e-6;
      close(score, all[r], digits * (1 + std::abs(all[r])), "an n-best score");
      close(p.score(b, got), all[r], 1e-8, "the score of an n-best path");
      seen.emplace_back(got, got + p.L);
    }
    std::sort(seen.begin(), seen.end());
    check(std::adjacent_find(seen.begin(), seen.end()) == seen.end() ||
              length == 0,
          "an n-best path comes twice");
  }
}

template <typename T>
void test_all_of(int64_t B, int64_t L, int64_t K, const Options& options,
                 uint32_t seed) {
  context = std::string(cman::isa_name(cman::isa())) +
            (sizeof(T) == 8 ? " double" : " float") +
            " B=" + std::to_string(B) + " L=" + std::to_string(L) +
            " K=" + std::to_string(K) + " seed=" + std::to_string(seed);
  const Problem<T> p = make<T>(B, L, K, options, seed);
  const bool brute = K <= 4 && L <= 5;
  test_decode(p, brute && options.integers);
  test_sums(p);
  if (brute) {
    for (int64_t n : {1, 3, 40}) test_nbest(p, n);
  }
}

template <typename T>
void test_type() {
  uint32_t seed = 1;
  const auto run = [&](int64_t B, int64_t L, int64_t K,
                       const Options& options) {
    test_all_of<T>(B, L, K, options, ++seed);
  };
  Options plain, ties, masked, forbidden, gold, large, wide, soft;
  ties.integers = true;
  masked.disallowed = 0.4;
  forbidden.forbidden = 0.5;
  gold.gold = true;
  gold.disallowed = 0.05;
  large.emissions = 1e4;
  wide.transitions = 200;
  wide.forbidden = 0.1;
  soft.discouraged = 0.3;
  for (int64_t K = 1; K <= 4; ++K) {
    for (int64_t L = 1; L <= 5; ++L) {
      for (const Options& each :
           {plain, ties, masked, forbidden, gold, large, wide, soft}) {
        run(7, L, K, each);
      }
    }
  }
  for (int64_t B : {0, 1, 3, 15, 16, 17, 33}) {
    for (const Options& each : {plain, gold, masked}) run(B, 37, 9, each);
  }
  for (int64_t K : {1, 2, 5, 9, 10, 12, 13, 15, 16, 17, 24, 32, 33, 64, 100}) {
    Options strong = gold;
    strong.emissions = 12;
    strong.transitions = 4;
    Options bio = strong;
    bio.forbidden = 0.3;
    for (const Options& each : {plain, gold, strong, bio, soft}) {
      run(18, K > 40 ? 21 : 70, K, each);
    }
    run(5, 40, K, large);
    run(5, 40, K, wide);
  }
  // Around the limits of linear space, from both sides.
  for (double emissions : {10, 18, 25, 33, 40, 45}) {
    for (double transitions : {1, 5, 10, 15, 20}) {
      for (double share : {0.0, 0.3, 0.6}) {
        Options limit;
        limit.emissions = emissions;
        limit.transitions = transitions;
        limit.forbidden = share;
        run(9, 30, 5, limit);
      }
    }
  }
  Options full;
  full.full = true;
  run(17, 512, 9, full);
  run(2, 4096, 9, full);
  full.emissions = 1e4;
  run(2, 4096, 5, full);
  full.emissions = 8;
  full.transitions = 6;
  full.forbidden = 0.3;
  run(2, 4096, 9, full);
}

// Values that are not numbers give some result, and no accident.
void test_nonsense() {
  context = std::string(cman::isa_name(cman::isa())) + " nonsense";
  for (float bad : {NAN, INFINITY, -INFINITY}) {
    for (int where = 0; where < 3; ++where) {
      Options options;
      options.full = true;
      Problem<float> p = make<float>(3, 20, 9, options, 5);
      (where == 0   ? p.e[100]
       : where == 1 ? p.transitions[13]
                    : p.start[2]) = bad;
      std::vector<int64_t> tags(3 * 4 * 20);
      std::vector<float> scores(12), result(3), unary(540), rest(99);
      std::vector<float> workspace(cman::crf_workspace_size(3, 20, 9));
      const auto batch = p.batch();
      cman::crf_decode(batch, tags.data(), scores.data(), two_threads);
      for (int i = 0; i < 60; ++i) {
        check(tags[i] >= 0 && tags[i] < 9, "a tag is out of range");
      }
      cman::crf_decode_nbest(batch, 4, tags.data(), scores.data(), two_threads);
      cman::crf_forward(batch, workspace.data(), result.data(), two_threads);
      cman::crf_backward(batch, workspace.data(), p.grad.data(), unary.data(),
                         rest.data(), rest.data() + 81, rest.data() + 90,
                         two_threads);
      cman::crf_marginals(batch, unary.data(), two_threads);
    }
  }
}

}  // namespace

int main() {
  for (cman::Isa set :
       {cman::Isa::portable, cman::Isa::avx2, cman::Isa::avx512}) {
    if (!cman::set_isa(set)) continue;
    test_type<float>();
    test_nonsense();
    std::printf("%s: %d failures so far\n", cman::isa_name(set), failures);
  }
  cman::set_isa(cman::best_isa());
  test_type<double>();
  if (failures > 0) {
    std::printf("%d checks failed\n", failures);
    return 1;
  }
  std::printf("all checks passed\n");
  return 0;
}
