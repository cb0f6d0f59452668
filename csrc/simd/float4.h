// 4 floats in a register of any processor that has such registers, by the
// vector extension that GCC and Clang share; elsewhere they are an array. See
// avx512.h for what each function gives.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "simd/lanes.h"

namespace cman {
namespace {

#if defined(__GNUC__)

struct F32x4 {
  using Scalar = float;
  typedef float V __attribute__((vector_size(16)));
  typedef int32_t Index __attribute__((vector_size(16)));
  typedef int32_t Mask __attribute__((vector_size(16)));  // all bits of a lane
  static constexpr int width = 4;
  static constexpr int registers = 16;

  static V zero() { return V{}; }
  static V set1(float x) { return V{x, x, x, x}; }
  static V load(const float* p) {
    V v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static void store(float* p, V v) { std::memcpy(p, &v, sizeof v); }
  static V load_first(const float* p, int count) {
    float lanes[4] = {};
    for (int i = 0; i < 4 && i < count; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  static void store_first(float* p, V v, int count) {
    for (int i = 0; i < 4 && i < count; ++i) p[i] = v[i];
  }

  static V add(V a, V b) { return a + b; }
  static V sub(V a, V b) { return a - b; }
  static V mul(V a, V b) { return a * b; }
  static V div(V a, V b) { return a / b; }
#if defined(__SSE2__)
  // The comparison below is this instruction, which compilers do not see.
  static V max(V a, V b) { return _mm_max_ps(a, b); }
  static V min(V a, V b) { return _mm_min_ps(a, b); }
#else
  static V max(V a, V b) { return a > b ? a : b; }
  static V min(V a, V b) { return a < b ? a : b; }
#endif
  static V fma(V a, V b, V c) { return a * b + c; }
  static V fnma(V a, V b, V c) { return c - a * b; }
  static V abs(V a) {
    return reinterpret_cast<V>(reinterpret_cast<Index>(a) & index(0x7fffffff));
  }
  static V plus(V a, V b) { return a + b; }
  static V reciprocal(V x) { return set1(1) / x; }

  static Mask first(int count) { return index(count) > Index{0, 1, 2, 3}; }
  static Mask greater(V a, V b) { return a > b; }
  static Mask less(V a, V b) { return a < b; }
  static Mask equal(V a, V b) { return a == b; }
  static bool any(Mask m) { return (m[0] | m[1] | m[2] | m[3]) != 0; }
  static V select(Mask m, V yes, V no) {
    return reinterpret_cast<V>(select_index(m, reinterpret_cast<Index>(yes),
                                            reinterpret_cast<Index>(no)));
  }

  static Index index(int32_t x) { return Index{x, x, x, x}; }
  static Index load_index(const int32_t* p) {
    Index i;
    std::memcpy(&i, p, sizeof i);
    return i;
  }
  static void store_index(int32_t* p, Index i) { std::memcpy(p, &i, sizeof i); }
  static Index select_index(Mask m, Index yes, Index no) {
    return (m & yes) | (~m & no);
  }
  static Mask index_equal(Index a, Index b) { return a == b; }
  static Mask index_less(Index a, Index b) { return a < b; }

  template <int Parts>
  static V lookup(const float* table, Index i) {
    return V{table[i[0]], table[i[1]], table[i[2]], table[i[3]]};
  }
  static void store_wide(int64_t* p, Index i) {
    for (int k = 0; k < 4; ++k) p[k] = i[k];
  }
  static void transpose_index(Index (&rows)[4]) {
    V cast[4];
    for (int i = 0; i < 4; ++i) cast[i] = reinterpret_cast<V>(rows[i]);
    transpose(cast);
    for (int i = 0; i < 4; ++i) rows[i] = reinterpret_cast<Index>(cast[i]);
  }
  static void accumulate(double* sums, V v) {
    for (int i = 0; i < 4; ++i) sums[i] += double(v[i]);
  }

  static V exponent(V x) {
    return __builtin_convertvector(
        (reinterpret_cast<Index>(x) >> 23) - index(127), V);
  }
  static V scale_by_shifted(V x, V shifted) {
    typedef uint32_t Bits __attribute__((vector_size(16)));
    return reinterpret_cast<V>(reinterpret_cast<Bits>(x) +
                               (reinterpret_cast<Bits>(shifted) << 23));
  }
  static V power_of_two(V n) {
    return reinterpret_cast<V>((__builtin_convertvector(n, Index) + index(127))
                               << 23);
  }
  static V round(V x) {
    for (int i = 0; i < 4; ++i) x[i] = std::nearbyint(x[i]);
    return x;
  }

  static float sum(V v) { return (v[0] + v[2]) + (v[1] + v[3]); }
  static float largest(V v) {
    const float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
  }

  static void transpose(V (&rows)[4]) {
    const V a = rows[0], b = rows[1], c = rows[2], d = rows[3];
#if defined(__SSE2__)
    const V low_ab = _mm_unpacklo_ps(a, b), high_ab = _mm_unpackhi_ps(a, b);
    const V low_cd = _mm_unpacklo_ps(c, d), high_cd = _mm_unpackhi_ps(c, d);
    rows[0] = _mm_movelh_ps(low_ab, low_cd);
    rows[1] = _mm_movehl_ps(low_cd, low_ab);
    rows[2] = _mm_movelh_ps(high_ab, high_cd);
    rows[3] = _mm_movehl_ps(high_cd, high_ab);
#else
    for (int i = 0; i < 4; ++i) rows[i] = V{a[i], b[i], c[i], d[i]};
#endif
  }
};

#else

using F32x4 = Lanes<float, 4>;

#endif

}  // namespace
}  // namespace cman
