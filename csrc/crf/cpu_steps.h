// One step of a recurrence over tags, for both semirings:
//
//   out[j] = local[j] (x) SUM_i previous[i] (x) matrix[i][j]
//
// with (x), SUM = +, max for the best path and *, + for sums. The matrix is
// equal for all lanes and comes as broadcasts; `Columns` values of j stay in
// registers while i runs, so that an element of the matrix costs one load and
// two (one) arithmetic instructions and an element of `previous` one load in
// `Columns` uses.
#pragma once

#include <cstdint>

#include "crf/plan.h"

namespace cman {
namespace {

template <class F>
struct MaxPlus {
  using V = typename F::V;
  static V first(V a, V w) { return F::plus(a, w); }
  static V next(V sum, V a, V w) { return F::max(sum, F::plus(a, w)); }
  static V local(V sum, V x) { return F::plus(sum, x); }
};

template <class F>
struct SumProduct {
  using V = typename F::V;
  static V first(V a, V w) { return F::mul(a, w); }
  static V next(V sum, V a, V w) { return F::fma(a, w, sum); }
  static V local(V sum, V x) { return F::mul(sum, x); }
};

// Columns that fit: one register for an element of `previous`, one for the
// matrix and its product, one for a constant.
template <class F>
constexpr int most_columns = F::registers >= 32 ? 12 : 9;

// Tags and columns are known when this is compiled where Tags is not 0.
template <class F, template <class> class Rule, int Columns, int Tags>
inline void step_columns(const typename F::Scalar* previous,
                         const typename F::Scalar* matrix, int64_t stride,
                         int64_t tags, const typename F::Scalar* local,
                         typename F::Scalar* out) {
  using V = typename F::V;
  constexpr int W = F::width;
  V sum[Columns];
  const V a = F::load(previous);
  for (int b = 0; b < Columns; ++b) {
    sum[b] = Rule<F>::first(a, F::set1(matrix[b]));
  }
  const int64_t count = Tags ? Tags : tags;
#pragma GCC unroll 12
  for (int64_t i = 1; i < count; ++i) {
    const V a = F::load(previous + i * W);
    const typename F::Scalar* row = matrix + i * stride;
    for (int b = 0; b < Columns; ++b) {
      sum[b] = Rule<F>::next(sum[b], a, F::set1(row[b]));
    }
  }
  for (int b = 0; b < Columns; ++b) {
    if (local != nullptr) {
      sum[b] = Rule<F>::local(sum[b], F::load(local + b * W));
    }
    F::store(out + b * W, sum[b]);
  }
}

// A step over any number of tags, in blocks of nearly equal numbers of columns;
// `local` may be null.
template <class F, template <class> class Rule>
inline void step_blocks(const typename F::Scalar* previous,
                        const typename F::Scalar* matrix, int64_t stride,
                        int64_t tags, const typename F::Scalar* local,
                        typename F::Scalar* out) {
  constexpr int W = F::width;
  const int64_t blocks = (tags + most_columns<F> - 1) / most_columns<F>;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * tags / blocks;
    const int64_t columns = (block + 1) * tags / blocks - first;
    const auto* at = local == nullptr ? nullptr : local + first * W;
#define CMAN_COLUMNS(n)                                                       \
  case n:                                                                     \
    if constexpr (n <= most_columns<F>) {                                     \
      step_columns<F, Rule, n, 0>(previous, matrix + first, stride, tags, at, \
                                  out + first * W);                           \
    }                                                                         \
    break;
    switch (columns) {
      CMAN_COLUMNS(1)
      CMAN_COLUMNS(2)
      CMAN_COLUMNS(3)
      CMAN_COLUMNS(4)
      CMAN_COLUMNS(5)
      CMAN_COLUMNS(6)
      CMAN_COLUMNS(7)
      CMAN_COLUMNS(8)
      CMAN_COLUMNS(9)
      CMAN_COLUMNS(10)
      CMAN_COLUMNS(11)
      CMAN_COLUMNS(12)
    }
#undef CMAN_COLUMNS
  }
}

// Tags = 0: any number of tags.
template <class F, template <class> class Rule, int Tags>
inline void step(const typename F::Scalar* previous,
                 const typename F::Scalar* matrix, int64_t stride, int64_t tags,
                 const typename F::Scalar* local, typename F::Scalar* out) {
  if constexpr (Tags == 0) {
    step_blocks<F, Rule>(previous, matrix, stride, tags, local, out);
  } else {
    step_columns<F, Rule, Tags, Tags>(previous, matrix, stride, tags, local,
                                      out);
  }
}

// Calls Kernel<F, tags>::run(arguments...), or Kernel<F, 0>::run for a number
// of tags that has no kernel of its own.
template <class F, template <class, int> class Kernel, int Tags = 1,
          typename... Arguments>
void run_for_tags(int64_t tags, Arguments... arguments) {
  if constexpr (Tags > most_columns<F>) {
    Kernel<F, 0>::run(arguments...);
  } else if (tags == Tags) {
    Kernel<F, Tags>::run(arguments...);
  } else {
    run_for_tags<F, Kernel, Tags + 1>(tags, arguments...);
  }
}

}  // namespace
}  // namespace cman
