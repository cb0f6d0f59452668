// W values of a type in an array, for every processor and for float64: loops
// that a compiler turns into what vector instructions the target has. See
// avx512.h for what each function gives.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace cman {
namespace {

template <typename T, int W>
struct Lanes {
  using Scalar = T;
  struct V {
    T lane[W];
  };
  struct Mask {
    bool lane[W];
  };
  struct Index {
    int32_t lane[W];
  };
  static constexpr int width = W;
  static constexpr int registers = 16;

  template <typename F>
  static V each(F f) {
    V v;
    for (int i = 0; i < W; ++i) v.lane[i] = f(i);
    return v;
  }
  template <typename F>
  static Mask each_bool(F f) {
    Mask m;
    for (int i = 0; i < W; ++i) m.lane[i] = f(i);
    return m;
  }
  template <typename F>
  static Index each_index(F f) {
    Index v;
    for (int i = 0; i < W; ++i) v.lane[i] = f(i);
    return v;
  }

  static V zero() { return set1(0); }
  static V set1(T x) {
    return each([=](int) { return x; });
  }
  static V load(const T* p) {
    return each([=](int i) { return p[i]; });
  }
  static void store(T* p, V v) {
    for (int i = 0; i < W; ++i) p[i] = v.lane[i];
  }
  static V load_first(const T* p, int count) {
    return each([=](int i) { return i < count ? p[i] : T(0); });
  }
  static void store_first(T* p, V v, int count) {
    for (int i = 0; i < W && i < count; ++i) p[i] = v.lane[i];
  }

  static V add(const V& a, const V& b) {
    return each([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static V sub(const V& a, const V& b) {
    return each([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  static V mul(const V& a, const V& b) {
    return each([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static V div(const V& a, const V& b) {
    return each([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  static V max(const V& a, const V& b) {
    return each(
        [&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static V min(const V& a, const V& b) {
    return each(
        [&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static V fma(const V& a, const V& b, const V& c) {
    return each([&](int i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
  }
  static V fnma(const V& a, const V& b, const V& c) {
    return each([&](int i) { return c.lane[i] - a.lane[i] * b.lane[i]; });
  }
  static V abs(const V& a) {
    return each([&](int i) { return a.lane[i] < 0 ? -a.lane[i] : a.lane[i]; });
  }
  static V reciprocal(const V& x) { return div(set1(1), x); }
  static V plus(const V& a, const V& b) { return add(a, b); }

  static Mask first(int count) {
    return each_bool([=](int i) { return i < count; });
  }
  static Mask greater(const V& a, const V& b) {
    return each_bool([&](int i) { return a.lane[i] > b.lane[i]; });
  }
  static Mask less(const V& a, const V& b) {
    return each_bool([&](int i) { return a.lane[i] < b.lane[i]; });
  }
  static Mask equal(const V& a, const V& b) {
    return each_bool([&](int i) { return a.lane[i] == b.lane[i]; });
  }
  static bool any(const Mask& m) {
    bool found = false;
    for (int i = 0; i < W; ++i) found |= m.lane[i];
    return found;
  }
  static V select(const Mask& m, const V& yes, const V& no) {
    return each([&](int i) { return m.lane[i] ? yes.lane[i] : no.lane[i]; });
  }

  static Index index(int32_t x) {
    return each_index([=](int) { return x; });
  }
  static Index load_index(const int32_t* p) {
    return each_index([=](int i) { return p[i]; });
  }
  static void store_index(int32_t* p, const Index& v) {
    for (int i = 0; i < W; ++i) p[i] = v.lane[i];
  }
  static Index select_index(const Mask& m, const Index& yes, const Index& no) {
    return each_index(
        [&](int i) { return m.lane[i] ? yes.lane[i] : no.lane[i]; });
  }
  static Mask index_equal(const Index& a, const Index& b) {
    return each_bool([&](int i) { return a.lane[i] == b.lane[i]; });
  }
  static Mask index_less(const Index& a, const Index& b) {
    return each_bool([&](int i) { return a.lane[i] < b.lane[i]; });
  }

  template <int Parts>
  static V lookup(const T* table, const Index& i) {
    return each([&](int k) { return table[i.lane[k]]; });
  }
  static void store_wide(int64_t* p, const Index& v) {
    for (int i = 0; i < W; ++i) p[i] = v.lane[i];
  }
  static void transpose_index(Index (&rows)[W]) { swap_halves(rows); }
  static void accumulate(double* sums, const V& v) {
    for (int i = 0; i < W; ++i) sums[i] += double(v.lane[i]);
  }

  // For float only, as what it does is defined by the bits.
  static V exponent(const V& x) {
    static_assert(sizeof(T) == sizeof(uint32_t), "float has 32 bits");
    return each([&](int i) {
      uint32_t bits;
      std::memcpy(&bits, &x.lane[i], sizeof bits);
      return T(int32_t(bits >> 23) - 127);
    });
  }
  static V scale_by_shifted(const V& x, const V& shifted) {
    static_assert(sizeof(T) == sizeof(uint32_t), "float has 32 bits");
    return each([&](int i) {
      uint32_t bits, n;
      std::memcpy(&bits, &x.lane[i], sizeof bits);
      std::memcpy(&n, &shifted.lane[i], sizeof n);
      bits += n << 23;
      T scaled;
      std::memcpy(&scaled, &bits, sizeof bits);
      return scaled;
    });
  }

  static V power_of_two(const V& n) {
    return each([&](int i) { return T(std::ldexp(1.0, int(n.lane[i]))); });
  }
  static V round(const V& x) {
    return each([&](int i) { return T(std::nearbyint(double(x.lane[i]))); });
  }

  static T sum(const V& v) {
    T total = 0;
    for (int i = 0; i < W; ++i) total += v.lane[i];
    return total;
  }
  static T largest(const V& v) {
    T found = v.lane[0];
    for (int i = 1; i < W; ++i) found = v.lane[i] > found ? v.lane[i] : found;
    return found;
  }

  static void transpose(V (&rows)[W]) { swap_halves(rows); }

  template <typename Rows>
  static void swap_halves(Rows (&rows)[W]) {
    for (int i = 0; i < W; ++i) {
      for (int j = 0; j < i; ++j) {
        const auto kept = rows[i].lane[j];
        rows[i].lane[j] = rows[j].lane[i];
        rows[j].lane[i] = kept;
      }
    }
  }
};

}  // namespace
}  // namespace cman
