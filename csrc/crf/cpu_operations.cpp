// The CRF on the CPU: prepares the parameters once a call, sorts sentences by
// length, gives groups of them to threads and to the kernels of the processor's
// instruction set, and does the rest: path scores, sentences whose numbers are
// too far apart for linear space, sums over groups.
//
// Results do not depend on the number of threads: gradients of parameters are
// summed within fixed parts of the batch and then over the parts in order.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "crf/cpu_call.h"
#include "crf/cpu_memory.h"
#include "crf/cpu_nbest.h"
#include "crf/cpu_spans.h"
#include "crf/cpu_sums.h"
#include "crf/interface.h"
#include "crf/plan.h"
#include "simd/isa.h"

namespace cman {
namespace {

// The score of the gold path; -inf if it takes a forbidden transition.
template <typename T>
double gold_score(const CrfBatch<T>& input, const CrfModel<T>& model,
                  int64_t b) {
  const int64_t tokens = input.lengths[b], K = input.tags;
  if (tokens == 0) return 0;
  const int64_t* gold = input.gold + b * input.length;
  const T* e = input.emissions + b * input.length * K;
  double unary = double(model.start[gold[0]]) + double(e[gold[0]]);
  double pairs = double(model.end[gold[tokens - 1]]);
  for (int64_t t = 1; t < tokens; ++t) {
    unary += double(e[t * K + gold[t]]);
    pairs += double(model.transitions[gold[t - 1] * model.stride + gold[t]]);
  }
  return unary + pairs;
}

// What a forward pass leaves: the instruction set, what was learnt about each
// sentence, and alpha and the factors of the emissions of each group. All are
// numbers of T, so that it can live in a tensor.
template <typename T>
class Workspace {
 public:
  Workspace(T* memory, const CrfBatch<T>& input)
      : memory_(memory), length_(input.length), tags_(input.tags) {
    rows_ = crf_round_up(input.batch, crf_widest);
  }
  static int64_t size(int64_t batch, int64_t length, int64_t tags) {
    return head + crf_round_up(batch, crf_widest) * (2 + 2 * length * tags);
  }

  T& set() const { return memory_[0]; }
  T& how(int64_t b) const { return memory_[head + b]; }
  T& spread(int64_t b) const { return memory_[head + rows_ + b]; }
  T* alpha(int64_t group, int width) const {
    return memory_ + head + 2 * rows_ + 2 * group * width * length_ * tags_;
  }
  T* factors(int64_t group, int width) const {
    return alpha(group, width) + width * length_ * tags_;
  }

 private:
  static constexpr int64_t head = 16;  // a cache line
  T* memory_;
  int64_t length_, tags_, rows_;
};

}  // namespace

int64_t crf_workspace_size(int64_t batch, int64_t length, int64_t tags) {
  return Workspace<float>::size(batch, length, tags);
}

// Best paths ------------------------------------------------------------------

template <typename T>
void crf_decode(const CrfBatch<T>& input, int64_t* tags, T* scores,
                ParallelFor parallel) {
  const Call<T> call(input, isa(), false);
  const int64_t length = input.length;
  for (int64_t i = call.order.used; i < input.batch; ++i) {
    const int64_t b = call.order.sentence[i];
    std::fill_n(tags + b * length, length, int64_t{-1});
    scores[b] = 0;
  }
  const auto work = [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      const CrfGroup<T> group = make_group(input, call.order, g, call.width);
      T* scratch = kernel_scratch().take<T>(
          crf_decode_scratch(input.tags, group.longest));
      int64_t* rows[crf_widest] = {};
      double best[crf_widest];
      for (int lane = 0; lane < call.width; ++lane) {
        if (group.lengths[lane] == 0) continue;
        rows[lane] = tags + call.sentence(g, lane) * length;
      }
      decode_of(call.kernels, T())(call.model, group, length, scratch, rows,
                                   best);
      for (int lane = 0; lane < call.width; ++lane) {
        if (group.lengths[lane] == 0) continue;
        scores[call.sentence(g, lane)] = T(best[lane]);
      }
    }
  };
  parallel(call.groups, grain_of(call.cost(1, 12), call.groups),
           [&work](int64_t begin, int64_t end) { work(begin, end); });
}

template <typename T>
void crf_decode_nbest(const CrfBatch<T>& input, int64_t n, int64_t* tags,
                      T* scores, ParallelFor parallel) {
  if (n <= 0) return;
  const Call<T> call(input, isa(), false);
  const int64_t K = input.tags, length = input.length;
  const auto work = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = call.order.sentence[i], tokens = input.lengths[b];
      const int64_t prefixes = tokens * K * n + n;
      Cutter cutter(kernel_scratch().take<char>(
          prefixes * int64_t(sizeof(Prefix)) + 12 * K + 256));
      Prefix* lists = cutter.take<Prefix>(prefixes);
      double* added = cutter.take<double>(K);
      nbest_sentence(call.model, input.emissions + b * length * K, tokens,
                     length, n, lists, added, cutter.take<int32_t>(K),
                     tags + b * n * length, scores + b * n);
    }
  };
  const double ns = double(call.order.tokens) * double(n * K * K) * 1.5;
  parallel(input.batch, grain_of(ns, input.batch),
           [&work](int64_t begin, int64_t end) { work(begin, end); });
}

// Sums over paths -------------------------------------------------------------

template <typename T>
void crf_forward(const CrfBatch<T>& input, T* workspace, T* result,
                 ParallelFor parallel) {
  constexpr T infinite = std::numeric_limits<T>::infinity();
  const Isa set = isa();
  const Call<T> call(input, set, true);
  const bool keep = workspace != nullptr;
  const Workspace<T> kept(workspace, input);
  if (keep) kept.set() = T(static_cast<int>(set));
  for (int64_t i = call.order.used; i < input.batch; ++i) {
    const int64_t b = call.order.sentence[i];
    result[b] = 0;
    if (keep) kept.how(b) = T(no_gradient);
  }
  const auto work = [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      const CrfGroup<T> group = make_group(input, call.order, g, call.width);
      double partition[crf_widest];
      LaneStates states;
      group_partitions(call, group, keep ? kept.alpha(g, call.width) : nullptr,
                       keep ? kept.factors(g, call.width) : nullptr, partition,
                       &states);
      for (int lane = 0; lane < call.width; ++lane) {
        if (group.lengths[lane] == 0) continue;
        const int64_t b = call.sentence(g, lane);
        bool feasible = partition[lane] != -infinity;
        if (input.gold == nullptr) {
          result[b] = T(partition[lane]);
        } else {
          const double gold = gold_score(input, call.model, b);
          feasible = feasible && gold != -infinity;
          result[b] = feasible ? T(partition[lane] - gold) : infinite;
        }
        if (keep) {
          kept.how(b) = T(feasible ? states.how[lane] : no_gradient);
          kept.spread(b) = T(states.spread[lane]);
        }
      }
    }
  };
  parallel(call.groups, grain_of(call.cost(1, 16), call.groups),
           [&work](int64_t begin, int64_t end) { work(begin, end); });
}

namespace {

// Subtracts the gold path's own counts from a sentence's gradient.
template <typename T>
void subtract_gold(const CrfBatch<T>& input, int64_t b, T weight, T* unary,
                   PartialGradient* to) {
  const int64_t tokens = input.lengths[b], K = input.tags;
  const int64_t* gold = input.gold + b * input.length;
  to->start[gold[0]] -= double(weight);
  to->end[gold[tokens - 1]] -= double(weight);
  for (int64_t t = 0; t < tokens; ++t) {
    unary[t * K + gold[t]] -= weight;
    if (t > 0) to->pairs[gold[t - 1] * K + gold[t]] -= double(weight);
  }
}

// Parts of a batch whose gradients are summed on their own: as many whatever
// the number of threads. Part p has the groups p, p + parts, ..., so that each
// has long sentences and short ones.
constexpr int64_t most_parts = 32;

}  // namespace

template <typename T>
void crf_backward(const CrfBatch<T>& input, const T* workspace, const T* grad,
                  T* d_emissions, T* d_transitions, T* d_start, T* d_end,
                  ParallelFor parallel) {
  const int64_t K = input.tags, row = input.length * K;
  const Workspace<T> kept(const_cast<T*>(workspace), input);
  const auto set = static_cast<Isa>(static_cast<int>(kept.set()));
  const int64_t part_size = PartialGradient::size(K);
  const Call<T> call(input, set, true, most_parts * part_size);
  const int64_t parts = std::min(call.groups, most_parts);
  for (int64_t i = call.order.used; i < input.batch; ++i) {
    std::fill_n(d_emissions + call.order.sentence[i] * row, row, T(0));
  }
  const auto one_group = [&](int64_t g, PartialGradient* to) {
    const CrfGroup<T> group = make_group(input, call.order, g, call.width);
    T weights[crf_widest] = {};
    T* unary[crf_widest] = {};
    LaneStates states;
    for (int lane = 0; lane < call.width; ++lane) {
      if (group.lengths[lane] == 0) continue;
      const int64_t b = call.sentence(g, lane);
      weights[lane] = grad[b];
      unary[lane] = d_emissions + b * row;
      states.how[lane] = static_cast<int>(kept.how(b));
      states.spread[lane] = static_cast<float>(kept.spread(b));
    }
    group_gradient<T>(call, group, kept.alpha(g, call.width),
                      kept.factors(g, call.width), weights, unary, &states, to);
    if (input.gold == nullptr) return;
    for (int lane = 0; lane < call.width; ++lane) {
      if (states.how[lane] == no_gradient) continue;
      subtract_gold(input, call.sentence(g, lane), weights[lane], unary[lane],
                    to);
    }
  };
  const auto work = [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      double* memory = call.parts + part * part_size;
      std::fill_n(memory, part_size, 0.0);
      PartialGradient to(memory, K);
      for (int64_t g = part; g < call.groups; g += parts) one_group(g, &to);
    }
  };
  parallel(parts, grain_of(call.cost(2, 16), parts),
           [&work](int64_t begin, int64_t end) { work(begin, end); });

  // Part 0 takes the sums of all others, in their order.
  PartialGradient sum(call.parts, K);
  if (parts == 0) std::fill_n(call.parts, part_size, 0.0);
  for (int64_t part = 1; part < parts; ++part) {
    const double* other = call.parts + part * part_size;
    for (int64_t i = 0; i < part_size; ++i) call.parts[i] += other[i];
  }
  for (int64_t i = 0; i < K; ++i) {
    for (int64_t j = 0; j < K; ++j) {
      const int64_t p = i * K + j;
      d_transitions[p] =
          T(sum.products[p] * factor_of(call.model, i, j) + sum.pairs[p]);
    }
    d_start[i] = T(sum.start[i]);
    d_end[i] = T(sum.end[i]);
  }
}

template <typename T>
void crf_marginals(const CrfBatch<T>& input, T* marginals,
                   ParallelFor parallel) {
  const Call<T> call(input, isa(), true);
  const int64_t row = input.length * input.tags;
  for (int64_t i = call.order.used; i < input.batch; ++i) {
    std::fill_n(marginals + call.order.sentence[i] * row, row, T(0));
  }
  const auto work = [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      const CrfGroup<T> group = make_group(input, call.order, g, call.width);
      // float64 computes everything from the emissions again.
      const bool linear = sizeof(T) == sizeof(float);
      const int64_t size =
          linear ? int64_t(group.longest) * input.tags * call.width : 0;
      T* alpha = alpha_scratch().take<T>(2 * size);
      double partition[crf_widest];
      LaneStates states;
      group_partitions(call, group, alpha, alpha + size, partition, &states);
      T weights[crf_widest] = {};
      T* unary[crf_widest] = {};
      for (int lane = 0; lane < call.width; ++lane) {
        if (group.lengths[lane] == 0) continue;
        weights[lane] = 1;
        unary[lane] = marginals + call.sentence(g, lane) * row;
        if (partition[lane] == -infinity) states.how[lane] = no_gradient;
      }
      group_gradient<T>(call, group, alpha, alpha + size, weights, unary,
                        &states, nullptr);
    }
  };
  parallel(call.groups, grain_of(call.cost(2, 32), call.groups),
           [&work](int64_t begin, int64_t end) { work(begin, end); });
}

#define CMAN_INSTANTIATE(T)                                                  \
  template void crf_decode(const CrfBatch<T>&, int64_t*, T*, ParallelFor);   \
  template void crf_decode_nbest(const CrfBatch<T>&, int64_t, int64_t*, T*,  \
                                 ParallelFor);                               \
  template void crf_forward(const CrfBatch<T>&, T*, T*, ParallelFor);        \
  template void crf_backward(const CrfBatch<T>&, const T*, const T*, T*, T*, \
                             T*, T*, ParallelFor);                           \
  template void crf_marginals(const CrfBatch<T>&, T*, ParallelFor);          \
  template void crf_span_marginals(const CrfBatch<T>&, const CrfSpans&, T*,  \
                                   ParallelFor);

CMAN_INSTANTIATE(float)
CMAN_INSTANTIATE(double)
#undef CMAN_INSTANTIATE

}  // namespace cman
