// Some rows of an array times a packed matrix; see plan.h.
#pragma once

#include "lstm/plan.h"

namespace cman {
namespace {

// Accumulators of a row. Four rows of them and a panel's values must find
// registers, and be enough to hide what a multiply-add takes.
template <typename F>
constexpr int panel_registers = F::registers >= 32 ? 4 : 2;
template <typename F>
constexpr int panel_columns = panel_registers<F> * F::width;
constexpr int rows_at_once = 4;

template <typename F>
void pack_matrix(const float* matrix, int64_t K, int64_t N, int64_t by_row,
                 int64_t by_column, float* packed) {
  for (int64_t begin = 0; begin < N; begin += panel_columns<F>) {
    for (int64_t k = 0; k < K; ++k) {
      for (int64_t n = begin; n < begin + panel_columns<F>; ++n) {
        *packed++ = n < N ? matrix[k * by_row + n * by_column] : 0.0f;
      }
    }
  }
}

// Some lanes of a row: all of a register, or what is left at the row's end.
template <typename F>
struct Some {
  int count;
  Some(int64_t size, int64_t from)
      : count(static_cast<int>(size - from < F::width ? size - from
                                                      : F::width)) {}
  typename F::V load(const float* at) const {
    return count == F::width ? F::load(at) : F::load_first(at, count);
  }
  void store(float* at, typename F::V v) const {
    if (count == F::width) {
      F::store(at, v);
    } else {
      F::store_first(at, v, count);
    }
  }
};

// Rows of an array, by their numbers.
template <typename T>
struct Rows {
  T* first;
  const int64_t* numbers;
  int64_t width;
  T* operator[](int64_t row) const { return first + numbers[row] * width; }
};

// The columns of one panel, from `begin` on, of sums (N) of rows (K).
template <typename F, bool Add, int Count>
inline void multiply_panel(Rows<const float> rows, int64_t row, int64_t K,
                           const float* panel, Rows<float> sums, int64_t begin,
                           int64_t N) {
  using V = typename F::V;
  constexpr int registers = panel_registers<F>;
  V total[Count][registers];
  const float* at[Count];
  for (int r = 0; r < Count; ++r) {
    at[r] = rows[row + r];
    for (int v = 0; v < registers; ++v) total[r][v] = F::zero();
  }
  for (int64_t k = 0; k < K; ++k, panel += panel_columns<F>) {
    V values[registers];
    for (int v = 0; v < registers; ++v) {
      values[v] = F::load(panel + v * F::width);
    }
    for (int r = 0; r < Count; ++r) {
      const V one = F::set1(at[r][k]);
      for (int v = 0; v < registers; ++v) {
        total[r][v] = F::fma(one, values[v], total[r][v]);
      }
    }
  }
  for (int r = 0; r < Count; ++r) {
    for (int v = 0; v < registers && begin + v * F::width < N; ++v) {
      const int64_t column = begin + v * F::width;
      const Some<F> lanes(N, column);
      float* const sum = sums[row + r] + column;
      lanes.store(sum,
                  Add ? F::add(lanes.load(sum), total[r][v]) : total[r][v]);
    }
  }
}

// sums[row] (N) = rows[row] (K) x matrix (K, N) for `count` rows, or added to
// what is there.
template <typename F, bool Add>
void multiply_rows(Rows<const float> rows, int64_t count, int64_t K,
                   const float* packed, Rows<float> sums, int64_t N) {
  for (int64_t begin = 0; begin < N; begin += panel_columns<F>) {
    int64_t row = 0;
    for (; row + rows_at_once <= count; row += rows_at_once) {
      multiply_panel<F, Add, rows_at_once>(rows, row, K, packed, sums, begin,
                                           N);
    }
    switch (count - row) {
      case 3:
        multiply_panel<F, Add, 3>(rows, row, K, packed, sums, begin, N);
        break;
      case 2:
        multiply_panel<F, Add, 2>(rows, row, K, packed, sums, begin, N);
        break;
      case 1:
        multiply_panel<F, Add, 1>(rows, row, K, packed, sums, begin, N);
    }
    packed += K * panel_columns<F>;
  }
}

}  // namespace
}  // namespace cman
