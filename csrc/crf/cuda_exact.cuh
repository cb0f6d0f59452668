// Sums over paths in double and log space: for scores of any size, for double,
// and for more tags than a warp has lanes. The rule is that of cpu_exact.h:
//
//   alpha_t[j] = e_t[j] + log sum_i exp(alpha_{t-1}[i]) exp(transitions[i][j])
//
// with alpha shifted to a maximum of 0 at every token and the shifts summed.
// The sum is tried with one exponential a tag; what underflows in it is below
// 1e-300 and harms nothing unless the sum is below 1e-250 (or overflows), and
// then this thread alone takes its K exponentials, from the logarithms. There
// is no state too far apart for that: alpha never leaves log space.
//
// Backwards, Pr(j at t | i at t-1) = exp(transitions[i][j]) y[j] / its own sum
// over j, with y = exp(beta_t + e_t), times the marginal of i gives the pair's
// probability: a quotient of numbers that one thread had together, and no
// product of alpha and beta that could leave the range.
//
// Memory: exp(transitions) in shared memory while it fits, turned around for
// the way back so that threads read neighbours; a few vectors of K doubles. It
// is bound by latency, two barriers, an exp and a log in double each step: the
// price of the rare case in float, and the only path in double.
#pragma once

#include <cmath>
#include <cstdint>

#include "crf/cuda_team.cuh"

namespace cman {
namespace {

constexpr double narrowest_sum = 1e-250, widest_sum = 1e250;
constexpr int team_vectors = 8;  // of K doubles
// More shared memory than this some devices do not have.
constexpr size_t shared_goal = 96 * 1024;

// The shared memory of the sums, decided by the launcher.
struct SumsPlan {
  int columns;          // teams x tags
  bool factors, pairs;  // whether there is room for each
  size_t bytes;
};

inline SumsPlan plan_sums(int64_t tags, bool pairs) {
  const int64_t columns = team_count(tags) * tags;
  const auto bytes = [&](bool with_factors, bool with_pairs) {
    return sizeof(double) *
           static_cast<size_t>((with_factors ? tags * tags : 0) +
                               (with_pairs ? tags * columns : 0) +
                               team_vectors * columns);
  };
  SumsPlan plan{};
  plan.columns = static_cast<int>(columns);
  plan.factors = bytes(true, false) <= shared_goal;
  plan.pairs = pairs && bytes(true, true) <= shared_goal;
  plan.bytes = bytes(plan.factors, plan.pairs);
  return plan;
}

struct SumsRoom {
  double* factors;  // (K, K) or null
  double* pairs;    // (K, columns), to a tag from a (team, tag), or null
  double* vectors;  // (team_vectors, columns), at the team's first column
  int columns;

  __device__ double* vector(int number) const {
    return vectors + number * columns;
  }
};

__device__ inline SumsRoom sums_room(const SumsPlan& plan, double* memory,
                                     int tags, const Team& team) {
  SumsRoom room{};
  room.columns = plan.columns;
  if (plan.factors) {
    room.factors = memory;
    memory += tags * tags;
  }
  if (plan.pairs) {
    room.pairs = memory;
    memory += tags * plan.columns;
  }
  room.vectors = memory + team.first;
  return room;
}

// All threads of the block; ends before a barrier that the caller has next.
template <typename T>
__device__ void fill_factors(const CrfBatch<T>& input, const SumsRoom& room,
                             bool turned) {
  if (room.factors == nullptr) return;
  const int K = static_cast<int>(input.tags);
  __syncthreads();  // the factors before these were read
  for (int p = threadIdx.x; p < K * K; p += blockDim.x) {
    const int row = p / K, column = p % K;
    const T score = turned ? transition(input, column, row)
                           : transition(input, row, column);
    room.factors[p] = exp(static_cast<double>(score));
  }
  __syncthreads();
}

// Of log values, one at a time: the largest, then the sum, then the logarithm.
template <typename Value>
__device__ double log_sum_exp(int count, Value value) {
  const double lowest = -infinite(0.0);
  double top = lowest, sum = 0;
  for (int k = 0; k < count; ++k) top = fmax(top, value(k));
  if (top == lowest) top = 0;
  for (int k = 0; k < count; ++k) sum += exp(value(k) - top);
  return log(sum) + top;
}

__device__ inline double finite_top(const double* values, int count) {
  const double lowest = -infinite(0.0);
  double top = lowest;
  for (int k = 0; k < count; ++k) top = fmax(top, values[k]);
  return top == lowest ? 0 : top;
}

// The log-partition of a team's sentence; keeps alpha if `kept` is not null.
template <typename T>
__device__ __noinline__ double exact_forward(const CrfBatch<T>& input,
                                             const Team& team,
                                             const SumsRoom& room,
                                             double* kept) {
  const int K = static_cast<int>(input.tags), tokens = team.tokens;
  const T* e = emissions_of(input, team);
  double *state = room.vector(0), *next = room.vector(1);
  double* powers = room.vector(2);
  const double* factors = room.factors;
  double shift = 0, top = 0;
  T ahead = team.tag < K && tokens > 0 ? e[team.tag] : T(0);
  const int steps = longest_of_block(team);
  for (int t = 0; t < steps; ++t) {
    if (t < tokens) {
      const T* row = e + static_cast<int64_t>(t) * K;
      for (int j = team.tag; j < K; j += team.size) {
        const T emission = j == team.tag ? ahead : row[j];
        if (j == team.tag && t + 1 < tokens) ahead = row[K + j];
        double sum = 0;
        if (t == 0) {
          sum = static_cast<double>(start_score(input, j));
        } else {
          for (int i = 0; i < K; ++i) {
            sum += powers[i] *
                   (factors != nullptr
                        ? factors[i * K + j]
                        : exp(static_cast<double>(transition(input, i, j))));
          }
          if (sum > narrowest_sum && sum < widest_sum) {
            sum = log(sum);
          } else {
            sum = log_sum_exp(K, [&](int i) {
              return state[i] - top +
                     static_cast<double>(transition(input, i, j));
            });
          }
        }
        next[j] = sum + static_cast<double>(emission);
      }
    }
    __syncthreads();
    if (t < tokens) {
      double* const before = state;
      state = next;
      next = before;
      top = finite_top(state, K);
      shift += top;
      for (int j = team.tag; j < K; j += team.size) {
        const double alpha = state[j] - top;
        powers[j] = exp(alpha);
        if (kept != nullptr) kept[static_cast<int64_t>(t) * K + j] = alpha;
      }
    }
    __syncthreads();
  }
  if (tokens == 0) return 0;
  return shift + log_sum_exp(K, [&](int j) {
           return state[j] - top + static_cast<double>(input.end[j]);
         });
}

template <typename T>
struct Gradient {
  T* emissions;    // (B, L, K)
  T* transitions;  // (K, K); null with the next two if only marginals count
  T* start;        // (K)
  T* end;          // (K)
  bool in_parts;   // (blocks, K, K), (B, K) and (B, K) in place of these

  // What the team's block adds to. A team adds to numbers of its own in one
  // order: a thread's own numbers, and, after a barrier, equal ones for gold.
  __device__ Gradient of(const Team& team, int64_t tags) const {
    Gradient mine = *this;
    if (in_parts) {
      mine.transitions += blockIdx.x * tags * tags;
      mine.start += team.sentence * tags;
      mine.end += team.sentence * tags;
    }
    return mine;
  }
};

// Adds to the pair's sum, in shared memory if there is room.
template <typename T>
__device__ inline void add_pair(const Gradient<T>& to, const SumsRoom& room,
                                const Team& team, int tags, int from, int at,
                                double value) {
  if (room.pairs != nullptr) {
    atomicAdd(room.pairs + at * room.columns + team.first + from, value);
  } else {
    atomicAdd(to.transitions + static_cast<int64_t>(from) * tags + at,
              static_cast<T>(value));
  }
}

// The gradient `weight` d log-partition of a feasible sentence from its alpha.
// The factors are turned.
template <typename T>
__device__ __noinline__ void exact_backward(const CrfBatch<T>& input,
                                            const Team& team,
                                            const SumsRoom& room, T weight,
                                            const double* kept,
                                            const Gradient<T>& to) {
  const int K = static_cast<int>(input.tags), tokens = team.tokens;
  const double w = static_cast<double>(weight);
  const double* factors = room.factors;
  const int64_t offset = team.exists ? team.sentence * input.length * K : 0;
  const T* e = input.emissions + offset;
  double *beta = room.vector(0), *shares = room.vector(1);
  double *sums = room.vector(2), *top_both = room.vector(3);
  double *y = room.vector(4), *y_before = room.vector(5);
  double *log_y = room.vector(6), *log_y_before = room.vector(7);
  double top = 0;  // of log_y
  const auto factor = [&](int i, int j) {
    return factors != nullptr
               ? factors[j * K + i]
               : exp(static_cast<double>(transition(input, i, j)));
  };
  const int steps = longest_of_block(team);
  for (int step = 0; step < steps; ++step) {
    const int t = tokens - 1 - step;
    const int64_t row = static_cast<int64_t>(t) * K;
    if (t >= 0) {
      for (int i = team.tag; i < K; i += team.size) {
        double sum = 0, value = 0;
        if (step == 0) {
          value = static_cast<double>(input.end[i]);
        } else {
          for (int j = 0; j < K; ++j) sum += factor(i, j) * y[j];
          if (sum > narrowest_sum && sum < widest_sum) {
            value = log(sum);
          } else {
            sum = 0;  // says: from the logarithms
            value = log_sum_exp(K, [&](int j) {
              return log_y[j] - top +
                     static_cast<double>(transition(input, i, j));
            });
          }
        }
        sums[i] = sum;
        beta[i] = value;
        top_both[i] = kept[row + i] + value;
        log_y_before[i] = value + static_cast<double>(e[row + i]);
      }
    }
    __syncthreads();
    double top_before = 0;
    if (t >= 0) {
      const double highest = finite_top(top_both, K);
      top_before = finite_top(log_y_before, K);
      for (int i = team.tag; i < K; i += team.size) {
        shares[i] = exp(top_both[i] - highest);
        y_before[i] = exp(log_y_before[i] - top_before);
      }
    }
    __syncthreads();
    if (t >= 0) {
      double total = 0;
      for (int k = 0; k < K; ++k) total += shares[k];
      for (int i = team.tag; i < K; i += team.size) {
        const double share = w * (shares[i] / total);
        to.emissions[offset + row + i] = static_cast<T>(share);
        if (to.transitions == nullptr) continue;
        if (t == 0) atomicAdd(to.start + i, static_cast<T>(share));
        if (step == 0) {
          atomicAdd(to.end + i, static_cast<T>(share));
        } else if (share != 0) {
          for (int j = 0; j < K; ++j) {
            const double given =
                sums[i] > 0 ? factor(i, j) * y[j] / sums[i]
                            : exp(static_cast<double>(transition(input, i, j)) +
                                  (log_y[j] - top) - beta[i]);
            add_pair(to, room, team, K, i, j, share * given);
          }
        }
      }
    }
    __syncthreads();
    if (t >= 0) {
      double* const free_y = y;
      double* const free_log_y = log_y;
      y = y_before, y_before = free_y;
      log_y = log_y_before, log_y_before = free_log_y;
      top = top_before;
    }
  }
}

}  // namespace
}  // namespace cman
