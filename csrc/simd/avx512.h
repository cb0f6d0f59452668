// 16 floats in a register, for AVX-512 (F, DQ, BW, VL). Included after the
// `#pragma GCC target` of a file that is compiled for this set; everything has
// internal linkage, so that the linker can never give these instructions to
// code that runs on other processors.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace cman {
namespace {

struct F32 {
  using Scalar = float;
  using V = __m512;        // the values
  using Mask = __mmask16;  // one bit a lane
  using Index = __m512i;   // one int32 a lane
  static constexpr int width = 16;
  static constexpr int registers = 32;

  static V zero() { return _mm512_setzero_ps(); }
  static V set1(float x) { return _mm512_set1_ps(x); }
  static V load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, V v) { _mm512_storeu_ps(p, v); }
  // The first `count` lanes; the others are 0 and their memory is not touched.
  static V load_first(const float* p, int count) {
    return _mm512_maskz_loadu_ps(first(count), p);
  }
  static void store_first(float* p, V v, int count) {
    _mm512_mask_storeu_ps(p, first(count), v);
  }

  static V add(V a, V b) { return _mm512_add_ps(a, b); }
  static V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static V div(V a, V b) { return _mm512_div_ps(a, b); }
  static V max(V a, V b) { return _mm512_max_ps(a, b); }
  static V min(V a, V b) { return _mm512_min_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }    // ab + c
  static V fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }  // c - ab
  static V abs(V a) { return _mm512_abs_ps(a); }
  // a + b, rounded as add does it, by the units that multiply: where a loop is
  // full of max, which only the adders know, both kinds of units have work.
  static V plus(V a, V b) {
    V one = set1(1.0f);
    __asm__("" : "+v"(one));  // or the compiler would turn it back into add
    return _mm512_fmadd_ps(a, one, b);
  }

  // 1/x to about one unit in the last place: an estimate and a Newton step.
  static V reciprocal(V x) {
    const V r = _mm512_rcp14_ps(x);
    return _mm512_fmadd_ps(r, _mm512_fnmadd_ps(x, r, set1(1.0f)), r);
  }

  static Mask first(int count) {
    return static_cast<Mask>(count >= 16  ? 0xffff
                             : count <= 0 ? 0
                                          : (1u << count) - 1u);
  }
  static Mask greater(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
  static Mask less(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static Mask equal(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
  static bool any(Mask m) { return m != 0; }
  static V select(Mask m, V yes, V no) {
    return _mm512_mask_blend_ps(m, no, yes);
  }

  static Index index(int32_t x) { return _mm512_set1_epi32(x); }
  static Index load_index(const int32_t* p) { return _mm512_loadu_si512(p); }
  static void store_index(int32_t* p, Index i) { _mm512_storeu_si512(p, i); }
  static Index select_index(Mask m, Index yes, Index no) {
    return _mm512_mask_blend_epi32(m, no, yes);
  }
  static Mask index_equal(Index a, Index b) {
    return _mm512_cmpeq_epi32_mask(a, b);
  }
  static Mask index_less(Index a, Index b) {
    return _mm512_cmplt_epi32_mask(a, b);
  }

  // table[i] for a table of up to Parts registers; Parts = 0 is one of any
  // size.
  template <int Parts>
  static V lookup(const float* table, Index i) {
    if constexpr (Parts == 1) {
      return _mm512_permutexvar_ps(i, load(table));
    } else if constexpr (Parts == 2) {
      return _mm512_permutex2var_ps(load(table), i, load(table + 16));
    } else if constexpr (Parts == 3 || Parts == 4) {
      const V low = lookup<2>(table, i),
              high = lookup<Parts - 2>(table + 32, i);
      return select(_mm512_cmpgt_epi32_mask(i, index(31)), high, low);
    } else {
      return _mm512_i32gather_ps(i, table, 4);
    }
  }
  static void store_wide(int64_t* p, Index i) {
    _mm512_storeu_si512(p, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(i)));
    _mm512_storeu_si512(p + 8,
                        _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(i, 1)));
  }
  static void transpose_index(Index (&rows)[16]) {
    V cast[16];
    for (int i = 0; i < 16; ++i) cast[i] = _mm512_castsi512_ps(rows[i]);
    transpose(cast);
    for (int i = 0; i < 16; ++i) rows[i] = _mm512_castps_si512(cast[i]);
  }
  // sums[lane] += v[lane]
  static void accumulate(double* sums, V v) {
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(v));
    const __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
    _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums), low));
    _mm512_storeu_pd(sums + 8, _mm512_add_pd(_mm512_loadu_pd(sums + 8), high));
  }

  // The integer n with 2^n <= x < 2^(n+1), for a normal x > 0.
  static V exponent(V x) {
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(
        _mm512_srli_epi32(_mm512_castps_si512(x), 23), _mm512_set1_epi32(127)));
  }
  // x 2^n, where n is the integer in the low bits of `shifted` = n + 1.5 2^23.
  static V scale_by_shifted(V x, V shifted) {
    return _mm512_castsi512_ps(
        _mm512_add_epi32(_mm512_castps_si512(x),
                         _mm512_slli_epi32(_mm512_castps_si512(shifted), 23)));
  }

  // 2^n for an integral n in [-126, 127], held as float.
  static V power_of_two(V n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(
        _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
  }
  static V round(V x) {
    return _mm512_roundscale_ps(x,
                                _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }

  static float sum(V v) { return _mm512_reduce_add_ps(v); }
  static float largest(V v) { return _mm512_reduce_max_ps(v); }

  // rows[i] lane j <-> rows[j] lane i.
  static void transpose(V (&rows)[16]) {
    __m512 t[16], u[16];
    for (int i = 0; i < 8; ++i) {
      t[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
      t[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
    }
    for (int i = 0; i < 4; ++i) {
      const __m512d a = _mm512_castps_pd(t[4 * i]),
                    b = _mm512_castps_pd(t[4 * i + 2]);
      const __m512d c = _mm512_castps_pd(t[4 * i + 1]),
                    d = _mm512_castps_pd(t[4 * i + 3]);
      u[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
      u[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
      u[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(c, d));
      u[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(c, d));
    }
    for (int i = 0; i < 4; ++i) {
      t[i] = _mm512_shuffle_f32x4(u[i], u[4 + i], 0x88);
      t[4 + i] = _mm512_shuffle_f32x4(u[i], u[4 + i], 0xdd);
      t[8 + i] = _mm512_shuffle_f32x4(u[8 + i], u[12 + i], 0x88);
      t[12 + i] = _mm512_shuffle_f32x4(u[8 + i], u[12 + i], 0xdd);
    }
    for (int i = 0; i < 4; ++i) {
      rows[i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0x88);
      rows[8 + i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0xdd);
      rows[4 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0x88);
      rows[12 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0xdd);
    }
  }
};

}  // namespace
}  // namespace cman
