// Tests of the LSTM's recurrence on the CPU against the formulas in double.
// Every instruction set of this processor is tried on every shape.
//
// What must be written holds NaN beforehand. Arrays have exactly their size, so
// that a sanitizer sees a step too far. The program exits with 0, or with 1
// after a sentence on the first thing that is wrong.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "lstm/interface.h"
#include "lstm/plan.h"
#include "simd/isa.h"

namespace {

using namespace cman;

constexpr float nothing = std::numeric_limits<float>::quiet_NaN();

// Two threads, and two uneven ranges handed out backwards.
void two_threads(int64_t count, int64_t /*grain*/, const Work& work) {
  std::thread other([&] { work(count / 2, count); });
  if (count / 2 > 0) work(0, count / 2);
  other.join();
}

void two_ranges(int64_t count, int64_t /*grain*/, const Work& work) {
  work(count / 3, count);
  if (count / 3 > 0) work(0, count / 3);
}

struct Problem {
  int64_t B, H;
  bool backwards;
  std::vector<int64_t> lengths;
  int64_t T;
  std::vector<float> weights, gates, grad;

  Problem(int64_t B, int64_t L, int64_t H, bool backwards, unsigned seed)
      : B(B), H(H), backwards(backwards) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (int64_t b = 0; b < B; ++b) lengths.push_back(random() % (L + 1));
    T = std::accumulate(lengths.begin(), lengths.end(), int64_t(0));
    for (int64_t k = 0; k < 4 * H * H; ++k) weights.push_back(normal(random));
    for (int64_t k = 0; k < T * 4 * H; ++k) gates.push_back(normal(random));
    for (int64_t k = 0; k < T * H; ++k) grad.push_back(normal(random));
  }

  LstmBatch batch() const {
    return {weights.data(), lengths.data(), B, H, backwards};
  }
};

struct Result {
  std::vector<double> outputs, cells, gates, slopes;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Result exact(const Problem& p) {
  const int64_t H = p.H;
  Result r;
  r.outputs.assign(p.T * H, 0);
  r.cells = r.outputs;
  r.gates.assign(p.T * 4 * H, 0);
  r.slopes = r.gates;
  int64_t first = 0;
  for (int64_t b = 0; b < p.B; first += p.lengths[b++]) {
    const int64_t n = p.lengths[b];
    const auto token = [&](int64_t s) {
      return first + (p.backwards ? n - 1 - s : s);
    };
    for (int64_t s = 0; s < n; ++s) {
      const int64_t at = token(s);
      const double* h = s ? &r.outputs[token(s - 1) * H] : nullptr;
      for (int64_t k = 0; k < 4 * H; ++k) {
        double sum = p.gates[at * 4 * H + k];
        for (int64_t u = 0; h && u < H; ++u) sum += p.weights[k * H + u] * h[u];
        r.gates[at * 4 * H + k] = k / H == 2 ? std::tanh(sum) : sigmoid(sum);
      }
      const double* gate = &r.gates[at * 4 * H];
      for (int64_t u = 0; u < H; ++u) {
        const double before = s ? r.cells[token(s - 1) * H + u] : 0;
        const double c = gate[H + u] * before + gate[u] * gate[2 * H + u];
        r.cells[at * H + u] = c;
        r.outputs[at * H + u] = gate[3 * H + u] * std::tanh(c);
      }
    }
    std::vector<double> dh(H, 0), dc(H, 0);
    for (int64_t s = n; s-- > 0;) {
      const int64_t at = token(s);
      const double* gate = &r.gates[at * 4 * H];
      double* slope = &r.slopes[at * 4 * H];
      for (int64_t u = 0; u < H; ++u) {
        const double i = gate[u], f = gate[H + u], g = gate[2 * H + u],
                     o = gate[3 * H + u];
        const double shaped = std::tanh(r.cells[at * H + u]);
        const double d = p.grad[at * H + u] + dh[u];
        dc[u] += d * o * (1 - shaped * shaped);
        slope[u] = dc[u] * g * i * (1 - i);
        slope[H + u] =
            s ? dc[u] * r.cells[token(s - 1) * H + u] * f * (1 - f) : 0;
        slope[2 * H + u] = dc[u] * i * (1 - g * g);
        slope[3 * H + u] = d * shaped * o * (1 - o);
        dc[u] *= f;
      }
      for (int64_t u = 0; u < H; ++u) {
        dh[u] = 0;
        for (int64_t k = 0; k < 4 * H; ++k) {
          dh[u] += slope[k] * p.weights[k * H + u];
        }
      }
    }
  }
  return r;
}

void check(const std::string& where, const char* what,
           const std::vector<float>& got, const std::vector<double>& wanted) {
  for (size_t k = 0; k < got.size(); ++k) {
    if (!(std::fabs(got[k] - wanted[k]) <= 2e-5 * (1 + std::fabs(wanted[k])))) {
      std::printf("%s: %s[%zu] is %.9g, wanted %.9g\n", where.c_str(), what, k,
                  got[k], wanted[k]);
      std::exit(1);
    }
  }
}

void try_shape(const Problem& p, const Result& wanted,
               const std::string& where) {
  std::vector<float> bits;
  for (const ParallelFor parallel : {serial_for, two_threads, two_ranges}) {
    std::vector<float> gates = p.gates, cells(p.T * p.H, nothing);
    std::vector<float> outputs = cells, slopes(gates.size(), nothing);
    lstm_forward(p.batch(), gates.data(), cells.data(), outputs.data(),
                 parallel);
    lstm_backward(p.batch(), p.grad.data(), gates.data(), cells.data(),
                  slopes.data(), parallel);
    check(where, "outputs", outputs, wanted.outputs);
    check(where, "cells", cells, wanted.cells);
    check(where, "gates", gates, wanted.gates);
    check(where, "slopes", slopes, wanted.slopes);
    if (bits.empty()) bits = slopes;
    if (bits != slopes) {
      std::printf("%s: threads change the result\n", where.c_str());
      std::exit(1);
    }
  }
}

}  // namespace

int main() {
  int shapes = 0;
  for (const int64_t H : {1, 3, 8, 16, 21, 40}) {
    for (const int64_t B : {0, 1, 2, 4, 5, 11}) {
      for (const int64_t L : {0, 1, 6}) {
        for (const bool backwards : {false, true}) {
          const Problem p(B, L, H, backwards, ++shapes);
          const Result wanted = exact(p);
          for (const Isa each : {Isa::portable, Isa::avx2, Isa::avx512}) {
            if (!set_isa(each)) continue;
            try_shape(p, wanted,
                      std::string(isa_name(each)) + ", B " + std::to_string(B) +
                          ", L " + std::to_string(L) + ", H " +
                          std::to_string(H) + (backwards ? ", backwards" : ""));
          }
        }
      }
    }
  }
  std::printf("lstm: all as it should be\n");
  return 0;
}
