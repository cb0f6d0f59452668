// Tests of the CRF's CUDA kernels, in the emulation or on a GPU: what they give
// is compared with sums in double and log space, those with sums over all paths
// where there are few.
//
// What must not be read (padding) holds NaN, infinities and 1e30, what must be
// written holds NaN beforehand, and arrays have exactly their size, so that a
// sanitizer sees a step too far. The program exits with 0, or with 1 after a
// sentence on the first thing that is wrong.
#include "cuda_device.h"

// After it, which may have CUDA's words.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "crf/cuda_operations.cu"
#include "crf_cuda_problem.h"

namespace {

using namespace cman;

template <typename T>
void compare(const std::string& name, const char* what,
             const DeviceVector<T>& got, const std::vector<double>& wanted,
             double tolerance, const std::vector<double>* sizes = nullptr) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double g = static_cast<double>(got[i]), w = wanted[i];
    if (std::isnan(g) && std::isnan(w)) continue;
    const double size = std::abs(sizes != nullptr ? (*sizes)[i] : w);
    if (g == w || std::abs(g - w) <= tolerance * (1 + size)) continue;
    fail(name, what, static_cast<int64_t>(i), g, w);
  }
}

template <typename T>
void check_path(const Problem& p, const DeviceVector<int64_t>& tags,
                const DeviceVector<T>& scores, double tolerance) {
  compare(p.name, "scores", scores, p.score, tolerance);
  for (int64_t b = 0; b < p.B; ++b) {
    const int64_t* y = tags.data() + b * p.L;
    const int64_t n = p.tokens(b);
    double sum = 0;
    bool same = true;
    for (int64_t t = 0; t < p.L; ++t) {
      if (t < n ? y[t] < 0 || y[t] >= p.K : y[t] != -1) {
        fail(p.name, "tags", b * p.L + t, double(y[t]), -1);
      }
      same = same && y[t] == p.tags[b * p.L + t];
      if (t >= n) continue;
      sum += p.e(b, t, y[t]) + (t > 0 ? p.move(y[t - 1], y[t]) : p.begin(y[0]));
      if (t == n - 1) sum += p.end[y[t]];
    }
    // Equal sums are equal in float only where all numbers are whole.
    const double best = p.score[b], room = tolerance * (1 + std::abs(best));
    if (same || (best != none && p.name[0] != 'w' && sum >= best - room)) {
      continue;
    }
    fail(p.name, "the score of the path of sentence", b, sum, best);
  }
}

// Sums the parts of a result.
template <typename T>
void add_parts(DeviceVector<T>* result, int64_t size) {
  for (size_t k = size; k < result->size(); ++k) {
    (*result)[k % size] += (*result)[k];
  }
  result->resize(size);  // without sentences there are no parts
}

template <typename T>
void check(const Problem& p, double tolerance) {
  const int64_t B = p.B, L = p.L, K = p.K;
  const T unset = std::numeric_limits<T>::quiet_NaN();
  const auto e = on_device<T>(p.emissions), grad = on_device<T>(p.grad);
  const auto transitions = on_device<T>(p.transitions);
  const auto start = on_device<T>(p.start), end = on_device<T>(p.end);
  const auto lengths = on_device<int64_t>(p.lengths);
  const auto gold = on_device<int64_t>(p.gold);
  const auto allowed = on_device<unsigned char>(p.allowed);
  const void* const restricted = p.allowed.empty() ? nullptr : allowed.data();
  CrfBatch<T> input{e.data(),
                    transitions.data(),
                    start.data(),
                    end.data(),
                    lengths.data(),
                    static_cast<const bool*>(restricted),
                    gold.data(),
                    B,
                    L,
                    K};
  const int64_t size = crf_workspace_size_cuda(B, L, K);
  DeviceVector<T> workspace(size, unset), scores(B, unset), result = scores;
  DeviceVector<int64_t> tags(B * L, -7);
  const CrfBatch<T> with_gold = input;
  input.gold = nullptr;
  crf_decode(input, tags.data(), scores.data(), workspace.data(), Stream{});
  synchronize();
  check_path(p, tags, scores, tolerance);

  crf_forward<T>(input, nullptr, result.data(), Stream{});
  synchronize();
  compare(p.name, "log-partition", result, p.partition, tolerance);
  workspace.assign(size, unset);
  const CrfBatch<T>& given = p.has_gold ? with_gold : input;
  crf_forward(given, workspace.data(), result.data(), Stream{});
  synchronize();
  compare(p.name, p.has_gold ? "loss" : "log-partition", result,
          p.has_gold ? p.loss : p.partition, tolerance, &p.partition);
  // Twice, as of a graph that is kept; then in parts, with the same bits.
  DeviceVector<T> all_before;
  for (int time = 0; time < 4; ++time) {
    const bool in_parts = time > 1;
    const int64_t parts = in_parts ? crf_blocks_cuda(B, K) : 1;
    const int64_t sets = in_parts ? B : 1;
    DeviceVector<T> d_e(B * L * K, unset), d_t(parts * K * K, 0);
    DeviceVector<T> d_s(sets * K, 0), d_n = d_s;
    crf_backward(given, workspace.data(), grad.data(), d_e.data(), d_t.data(),
                 d_s.data(), d_n.data(), in_parts, Stream{});
    synchronize();
    if (in_parts) {
      DeviceVector<T> all = d_e;
      for (const auto* each : {&d_t, &d_s, &d_n}) {
        all.insert(all.end(), each->begin(), each->end());
      }
      if (time == 3 && !all.empty() &&
          std::memcmp(all.data(), all_before.data(), all.size() * sizeof(T))) {
        fail(p.name, "the bits of sums in parts", 0, 1, 0);
      }
      all_before = all;
    }
    add_parts(&d_t, K * K), add_parts(&d_s, K), add_parts(&d_n, K);
    compare(p.name, "d_emissions", d_e, p.g_emissions, 3 * tolerance);
    compare(p.name, "d_transitions", d_t, p.g_transitions, 3 * tolerance,
            &p.size_transitions);
    const std::vector<double> all(K, double(B));
    compare(p.name, "d_start", d_s, p.g_start, 3 * tolerance, &all);
    compare(p.name, "d_end", d_n, p.g_end, 3 * tolerance, &all);
  }

  workspace.assign(size, unset);
  DeviceVector<T> marginals(B * L * K, unset);
  crf_marginals(input, workspace.data(), marginals.data(), Stream{});
  const auto spans = on_device<int64_t>(p.spans);
  const auto next_tag = on_device<int64_t>(p.next_tag);
  DeviceVector<T> span(p.next_tag.size(), unset);
  crf_span_marginals<T>(input,
                        {spans.data(), gold.data(), next_tag.data(),
                         static_cast<int64_t>(span.size())},
                        workspace.data(), marginals.data(), span.data(),
                        Stream{});
  synchronize();
  compare(p.name, "spans", span, p.span, 3 * tolerance);
  compare(p.name, "marginals", marginals, p.marginals, 3 * tolerance);
  for (int64_t i = 0; i < B * L * K; i += K) {
    double sum = 0, wanted = 0;
    for (int64_t k = i; k < i + K; ++k) {
      sum += double(marginals[k]), wanted += p.marginals[k];
    }
    const double most = sizeof(T) == sizeof(float) ? 2e-6 : 1e-12;
    if (!std::isnan(wanted) && !(std::abs(sum - std::round(wanted)) <= most)) {
      fail(p.name, "the sum of marginals", i / K, sum, wanted);
    }
  }
}

// Threads ask for limits, of two kernels on two devices, in any order: each
// limit only ever rises, and nobody goes on without what was asked for.
void check_limits() {
  RisingLimits limits;
  size_t current[2][2] = {};
  bool fell = false;
  const auto ask = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int k = 0; k < 2000; ++k) {
      const size_t bytes = random() % 4096, device = random() % 2;
      const size_t kernel = random() % 2;
      size_t& limit = current[device][kernel];
      limits.raise(static_cast<int>(device), &current[0][kernel], bytes, [&] {
        fell = fell || bytes <= limit;
        limit = bytes;
      });
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 4; ++seed) threads.emplace_back(ask, seed);
  for (std::thread& thread : threads) thread.join();
  if (fell) fail("limits", "shared memory fell", 0, 1, 0);
  for (const auto& device : current) {
    for (const size_t limit : device) {
      if (limit < 4000) fail("limits", "shared memory", 0, double(limit), 4095);
    }
  }
}

void check_both(Kind kind, int64_t B, int64_t L, int64_t K) {
  Problem p = make(kind, B, L, K);
  const std::string name = p.name;
  p.name = name + " float";
  check<float>(p, L > 1000 ? 1e-5 : 1e-6);
  p.name = name + " double";
  check<double>(p, kind == huge ? 1e-8 : L > 1000 ? 1e-9 : 1e-11);
}

}  // namespace

// "few" leaves most sizes out, for tools that take their time.
int main(int count, char** arguments) {
  const bool few = count > 1 && std::string(arguments[1]) == "few";
  check_limits();
  for (int k = 0; few && k < kinds; ++k) {
    const Kind kind = static_cast<Kind>(k);
    check_both(kind, 7, 5, 3), check_both(kind, 6, 23, 9);
    check_both(kind, 3, 13, 33);
  }
  if (few) return 0;
  for (int k = 0; k < kinds; ++k) {
    const Kind kind = static_cast<Kind>(k);
    for (int64_t K : {1, 2, 3}) {
      for (int64_t L : {1, 2, 5}) check_both(kind, 7, L, K);
    }
    for (int64_t K : {1, 2, 4, 5, 9, 12, 17, 20, 26, 32}) {
      check_both(kind, 3 + 32 / K, K == 9 ? 61 : 13 + below(20), K);
    }
    for (int64_t K : {33, 64}) check_both(kind, 3, 7 + below(20), K);
  }
  check_both(divided, 3, 40, 2);
  check_both(plain, 2, 4100, 3);
  check_both(huge, 1, 1100, 9);
  check_both(whole, 1, 140, 64);
  for (int64_t K : {80, 120, 520}) check_both(closed, 1, 4, K);
  check_both(plain, 0, 4, 5);
  check_both(plain, 3, 0, 5);
  std::printf("the CRF's CUDA kernels, %s: as they should be\n", device_name);
}
