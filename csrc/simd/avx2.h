// 8 floats in a register, for AVX2 with FMA; see avx512.h for what each
// function gives and why the linkage is internal.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace cman {
namespace {

struct F32 {
  using Scalar = float;
  using V = __m256;
  using Mask = __m256;  // all bits of a lane
  using Index = __m256i;
  static constexpr int width = 8;
  static constexpr int registers = 16;

  static V zero() { return _mm256_setzero_ps(); }
  static V set1(float x) { return _mm256_set1_ps(x); }
  static V load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, V v) { _mm256_storeu_ps(p, v); }
  static V load_first(const float* p, int count) {
    return _mm256_maskload_ps(p, _mm256_castps_si256(first(count)));
  }
  static void store_first(float* p, V v, int count) {
    _mm256_maskstore_ps(p, _mm256_castps_si256(first(count)), v);
  }

  static V add(V a, V b) { return _mm256_add_ps(a, b); }
  static V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static V div(V a, V b) { return _mm256_div_ps(a, b); }
  static V max(V a, V b) { return _mm256_max_ps(a, b); }
  static V min(V a, V b) { return _mm256_min_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static V fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
  static V abs(V a) { return _mm256_andnot_ps(set1(-0.0f), a); }
  static V plus(V a, V b) {
    V one = set1(1.0f);
    __asm__("" : "+x"(one));
    return _mm256_fmadd_ps(a, one, b);
  }

  // The 12-bit estimate and one Newton step: about two units in the last place.
  static V reciprocal(V x) {
    const V r = _mm256_rcp_ps(x);
    return _mm256_fmadd_ps(r, _mm256_fnmadd_ps(x, r, set1(1.0f)), r);
  }

  static Mask first(int count) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_castsi256_ps(
        _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes));
  }
  static Mask greater(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
  static Mask less(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
  static Mask equal(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
  static bool any(Mask m) { return _mm256_movemask_ps(m) != 0; }
  static V select(Mask m, V yes, V no) { return _mm256_blendv_ps(no, yes, m); }

  static Index index(int32_t x) { return _mm256_set1_epi32(x); }
  static Index load_index(const int32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void store_index(int32_t* p, Index i) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), i);
  }
  static Index select_index(Mask m, Index yes, Index no) {
    return _mm256_blendv_epi8(no, yes, _mm256_castps_si256(m));
  }
  static Mask index_equal(Index a, Index b) {
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
  }
  static Mask index_less(Index a, Index b) {
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a));
  }

  template <int Parts>
  static V lookup(const float* table, Index i) {
    if constexpr (Parts == 0 || Parts > 4) {
      return _mm256_i32gather_ps(table, i, 4);
    } else {
      V found = _mm256_permutevar8x32_ps(load(table), i);
      for (int part = 1; part < Parts; ++part) {
        const V other = _mm256_permutevar8x32_ps(load(table + 8 * part), i);
        found = select(index_less(index(8 * part - 1), i), other, found);
      }
      return found;
    }
  }
  static void store_wide(int64_t* p, Index i) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm256_cvtepi32_epi64(_mm256_castsi256_si128(i)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 4),
                        _mm256_cvtepi32_epi64(_mm256_extracti128_si256(i, 1)));
  }
  static void transpose_index(Index (&rows)[8]) {
    V cast[8];
    for (int i = 0; i < 8; ++i) cast[i] = _mm256_castsi256_ps(rows[i]);
    transpose(cast);
    for (int i = 0; i < 8; ++i) rows[i] = _mm256_castps_si256(cast[i]);
  }
  static void accumulate(double* sums, V v) {
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(v));
    const __m256d high = _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1));
    _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), low));
    _mm256_storeu_pd(sums + 4, _mm256_add_pd(_mm256_loadu_pd(sums + 4), high));
  }

  static V exponent(V x) {
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(
        _mm256_srli_epi32(_mm256_castps_si256(x), 23), _mm256_set1_epi32(127)));
  }
  static V scale_by_shifted(V x, V shifted) {
    return _mm256_castsi256_ps(
        _mm256_add_epi32(_mm256_castps_si256(x),
                         _mm256_slli_epi32(_mm256_castps_si256(shifted), 23)));
  }

  static V power_of_two(V n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(
        _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
  }
  static V round(V x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }

  static float sum(V v) {
    const __m128 half =
        _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
  }
  static float largest(V v) {
    const __m128 half =
        _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(pair, _mm_movehdup_ps(pair)));
  }

  static void transpose(V (&rows)[8]) {
    __m256 t[8], u[8];
    for (int i = 0; i < 4; ++i) {
      t[2 * i] = _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
      t[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
    }
    for (int i = 0; i < 2; ++i) {
      const __m256d a = _mm256_castps_pd(t[4 * i]),
                    b = _mm256_castps_pd(t[4 * i + 2]);
      const __m256d c = _mm256_castps_pd(t[4 * i + 1]),
                    d = _mm256_castps_pd(t[4 * i + 3]);
      u[4 * i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
      u[4 * i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
      u[4 * i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(c, d));
      u[4 * i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(c, d));
    }
    for (int i = 0; i < 4; ++i) {
      rows[i] = _mm256_permute2f128_ps(u[i], u[4 + i], 0x20);
      rows[4 + i] = _mm256_permute2f128_ps(u[i], u[4 + i], 0x31);
    }
  }
};

}  // namespace
}  // namespace cman
