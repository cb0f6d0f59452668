// Exponentials of a register of floats. The functions are templates over the
// set of vector functions (F32 of avx512.h or avx2.h, or Lanes of
// lanes.h), so a file that is compiled for one instruction set includes
// that set's header first, then this one. Everything stays in registers.
//
// All are accurate to a few units in the last place over the whole range of
// float: the extremes are 0, 1 or infinity, as they should be, and NaN stays
// NaN. That is cheap here because every argument is reduced to one side: only
// exp(-|x|), which cannot overflow, feeds the others.
#pragma once

#include <cstdint>

namespace cman {
namespace {

// e^x is 2^n e^r with |r| <= ln(2) / 2, and e^r the polynomial of Cephes' expf.
constexpr float exp_per_ln2 = 1.44269504088896341f;
// ln(2) in two parts: n times the first is exact.
constexpr float exp_ln2_high = 0.693359375f, exp_ln2_low = -2.12194440e-4f;
// 1.5 * 2^23: a sum with it has no bits left for a fraction, so it rounds, and
// the integer stands in its low bits.
constexpr float exp_rounder = 12582912.0f;

// e^(x - n ln(2)).
template <typename F>
inline typename F::V exp_polynomial(typename F::V x, typename F::V n) {
  using V = typename F::V;
  V r = F::fnma(n, F::set1(exp_ln2_high), x);
  r = F::fnma(n, F::set1(exp_ln2_low), r);
  V p = F::set1(1.9875691500e-4f);
  p = F::fma(p, r, F::set1(1.3981999507e-3f));
  p = F::fma(p, r, F::set1(8.3334519073e-3f));
  p = F::fma(p, r, F::set1(4.1665795894e-2f));
  p = F::fma(p, r, F::set1(1.6666665459e-1f));
  p = F::fma(p, r, F::set1(5.0000001201e-1f));
  return F::add(F::fma(p, F::mul(r, r), r), F::set1(1.0f));
}

// e^x for every x.
template <typename F>
inline typename F::V vector_exp(typename F::V x) {
  using V = typename F::V;
  // Beyond these e^x is 0 or infinity; between them 2^n still splits in two
  // factors that are both normal numbers.
  constexpr float lowest = -104.0f, highest = 89.0f;
  const V rounder = F::set1(exp_rounder);
  // max and min give their second argument where one is NaN.
  x = F::max(F::set1(lowest), F::min(F::set1(highest), x));
  V n = F::sub(F::fma(x, F::set1(exp_per_ln2), rounder), rounder);
  const V p = exp_polynomial<F>(x, n);
  // NaN is no exponent; p carries it on.
  n = F::select(F::equal(n, n), n, F::zero());
  const V half = F::sub(F::fma(n, F::set1(0.5f), rounder), rounder);
  return F::mul(F::mul(p, F::power_of_two(half)),
                F::power_of_two(F::sub(n, half)));
}

// e^x for |x| <= 87, in half the steps; others give any number.
template <typename F>
inline typename F::V vector_exp_near(typename F::V x) {
  using V = typename F::V;
  const V rounder = F::set1(exp_rounder);
  const V shifted = F::fma(x, F::set1(exp_per_ln2), rounder);
  const V p = exp_polynomial<F>(x, F::sub(shifted, rounder));
  return F::scale_by_shifted(p, shifted);
}

// The logistic function 1 / (1 + e^-x) and softplus, log(1 + e^x).
template <typename F>
struct Logistic {
  typename F::V sigmoid, softplus;
};

template <typename F>
inline Logistic<F> vector_logistic(typename F::V x) {
  using V = typename F::V;
  const V one = F::set1(1.0f);
  const V e = vector_exp<F>(F::sub(F::zero(), F::abs(x)));  // in [0, 1]
  const V q = F::div(one, F::add(one, e));
  // log(1 + e) = 2 atanh(z) with z = e / (2 + e) <= 1/3, by its series, which
  // is exact to rounding for small e too.
  const V z = F::div(e, F::add(F::set1(2.0f), e));
  const V zz = F::mul(z, z);
  V p = F::set1(2.0f / 15);
  p = F::fma(p, zz, F::set1(2.0f / 13));
  p = F::fma(p, zz, F::set1(2.0f / 11));
  p = F::fma(p, zz, F::set1(2.0f / 9));
  p = F::fma(p, zz, F::set1(2.0f / 7));
  p = F::fma(p, zz, F::set1(2.0f / 5));
  p = F::fma(p, zz, F::set1(2.0f / 3));
  p = F::fma(p, zz, F::set1(2.0f));
  Logistic<F> result;
  result.softplus = F::fma(p, z, F::max(F::zero(), x));
  result.sigmoid = F::select(F::less(x, F::zero()), F::mul(e, q), q);
  return result;
}

// tanh(x) and its derivative 1 - tanh(x)^2.
template <typename F>
struct Tanh {
  typename F::V value, slope;
};

// The absolute error of the value is about one unit of 1.
template <typename F>
inline Tanh<F> vector_tanh(typename F::V x) {
  using V = typename F::V;
  const V one = F::set1(1.0f);
  const V e = vector_exp<F>(F::mul(F::set1(-2.0f), F::abs(x)));
  const V q = F::div(one, F::add(one, e));
  const V size = F::mul(F::sub(one, e), q);
  Tanh<F> result;
  result.value =
      F::select(F::less(x, F::zero()), F::sub(F::zero(), size), size);
  result.slope = F::mul(F::mul(F::set1(4.0f), e), F::mul(q, q));
  return result;
}

}  // namespace
}  // namespace cman
