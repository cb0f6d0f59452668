// How a block of scores leaves the registers: lane j of rows[r] goes to
// p[j * R + r]. Four rows at a time are transposed within 128 bits, so that
// each lane's four floats are one store. All offsets are constants, and
// everything is unrolled by recursion, because the rows must not leave the
// registers before.
//
// The including file says which registers it uses: CMAN_PAIR_LANES is 16, 8 or,
// for anything that can be stored, 0.
#pragma once

#if CMAN_PAIR_LANES == 16
#include "simd/avx512.h"
#elif CMAN_PAIR_LANES == 8
#include "simd/avx2.h"
#endif

#define CMAN_INLINE inline __attribute__((always_inline))

namespace cman {
namespace {

template <typename F, int R>
struct Columns {
  static void store(float* p, const typename F::V (&rows)[R]) {
    for (int r = 0; r < R; ++r) {
      float lanes[F::width];
      F::store(lanes, rows[r]);
      for (int j = 0; j < F::width; ++j) p[j * R + r] = lanes[j];
    }
  }
};

#if CMAN_PAIR_LANES >= 8

// The first 1 to 4 of four floats.
template <int count>
CMAN_INLINE void store_few(float* p, __m128 v) {
  if constexpr (count >= 4) {
    _mm_storeu_ps(p, v);
  } else if constexpr (count == 1) {
    _mm_store_ss(p, v);
  } else {
    _mm_storel_pi(reinterpret_cast<__m64*>(p), v);
    if constexpr (count == 3) _mm_store_ss(p + 2, _mm_movehl_ps(v, v));
  }
}

#if CMAN_PAIR_LANES == 16

template <int R>
struct Columns<F32, R> {
  // Lanes 0, 4, 8 and 12 of rows r to r + 3.
  template <int count>
  static CMAN_INLINE void lanes(float* p, __m512d rows) {
    const __m512 v = _mm512_castpd_ps(rows);
    store_few<count>(p, _mm512_castps512_ps128(v));
    store_few<count>(p + 4 * R, _mm512_extractf32x4_ps(v, 1));
    store_few<count>(p + 8 * R, _mm512_extractf32x4_ps(v, 2));
    store_few<count>(p + 12 * R, _mm512_extractf32x4_ps(v, 3));
  }
  template <int r>
  static CMAN_INLINE void from(float* p, const __m512 (&rows)[R]) {
    const __m512 r1 = rows[r + 1 < R ? r + 1 : r];
    const __m512 r2 = rows[r + 2 < R ? r + 2 : r];
    const __m512 r3 = rows[r + 3 < R ? r + 3 : r];
    const __m512d t0 = _mm512_castps_pd(_mm512_unpacklo_ps(rows[r], r1));
    const __m512d t1 = _mm512_castps_pd(_mm512_unpackhi_ps(rows[r], r1));
    const __m512d t2 = _mm512_castps_pd(_mm512_unpacklo_ps(r2, r3));
    const __m512d t3 = _mm512_castps_pd(_mm512_unpackhi_ps(r2, r3));
    lanes<R - r>(p + r, _mm512_unpacklo_pd(t0, t2));
    lanes<R - r>(p + r + R, _mm512_unpackhi_pd(t0, t2));
    lanes<R - r>(p + r + 2 * R, _mm512_unpacklo_pd(t1, t3));
    lanes<R - r>(p + r + 3 * R, _mm512_unpackhi_pd(t1, t3));
    if constexpr (r + 4 < R) from<r + 4>(p, rows);
  }
  static CMAN_INLINE void store(float* p, const __m512 (&rows)[R]) {
    from<0>(p, rows);
  }
};

#else

template <int R>
struct Columns<F32, R> {
  // Lanes 0 and 4 of rows r to r + 3.
  template <int count>
  static CMAN_INLINE void lanes(float* p, __m256d rows) {
    const __m256 v = _mm256_castpd_ps(rows);
    store_few<count>(p, _mm256_castps256_ps128(v));
    store_few<count>(p + 4 * R, _mm256_extractf128_ps(v, 1));
  }
  template <int r>
  static CMAN_INLINE void from(float* p, const __m256 (&rows)[R]) {
    const __m256 r1 = rows[r + 1 < R ? r + 1 : r];
    const __m256 r2 = rows[r + 2 < R ? r + 2 : r];
    const __m256 r3 = rows[r + 3 < R ? r + 3 : r];
    const __m256d t0 = _mm256_castps_pd(_mm256_unpacklo_ps(rows[r], r1));
    const __m256d t1 = _mm256_castps_pd(_mm256_unpackhi_ps(rows[r], r1));
    const __m256d t2 = _mm256_castps_pd(_mm256_unpacklo_ps(r2, r3));
    const __m256d t3 = _mm256_castps_pd(_mm256_unpackhi_ps(r2, r3));
    lanes<R - r>(p + r, _mm256_unpacklo_pd(t0, t2));
    lanes<R - r>(p + r + R, _mm256_unpackhi_pd(t0, t2));
    lanes<R - r>(p + r + 2 * R, _mm256_unpacklo_pd(t1, t3));
    lanes<R - r>(p + r + 3 * R, _mm256_unpackhi_pd(t1, t3));
    if constexpr (r + 4 < R) from<r + 4>(p, rows);
  }
  static CMAN_INLINE void store(float* p, const __m256 (&rows)[R]) {
    from<0>(p, rows);
  }
};

#endif
#endif

// v registers of rows each, one after the other.
template <typename F, int R, int count, int v = 0>
CMAN_INLINE void store_columns(float* p,
                               const typename F::V (&rows)[count][R]) {
  Columns<F, R>::store(p + v * F::width * R, rows[v]);
  if constexpr (v + 1 < count) store_columns<F, R, count, v + 1>(p, rows);
}

}  // namespace
}  // namespace cman
