// Four floats in a register through the compiler's vector types (GCC and
// Clang), which every processor with vector instructions has: the functions of
// simd_avx512.h that the pair kernels need. Where a processor has none, the
// compiler makes scalar code of it.
#pragma once

#include <cstdint>
#include <cstring>

namespace cman {
namespace {

struct Four {
  using Scalar = float;
  typedef float V __attribute__((vector_size(16)));
  typedef int32_t Mask __attribute__((vector_size(16)));  // 0 or all bits
  static constexpr int width = 4;
  static constexpr int registers = 16;

  static V zero() { return V{0, 0, 0, 0}; }
  static V set1(float x) { return V{x, x, x, x}; }
  static V load(const float* p) {
    V v;
    std::memcpy(&v, p, sizeof v);
    return v;
  }
  static void store(float* p, V v) { std::memcpy(p, &v, sizeof v); }
  static V load_first(const float* p, int count) {
    if (count >= width) return load(p);
    V v = zero();
    for (int k = 0; k < count; ++k) v[k] = p[k];
    return v;
  }
  static void store_first(float* p, V v, int count) {
    if (count >= width) return store(p, v);
    for (int k = 0; k < count; ++k) p[k] = v[k];
  }

  static V add(V a, V b) { return a + b; }
  static V sub(V a, V b) { return a - b; }
  static V mul(V a, V b) { return a * b; }
  static V div(V a, V b) { return a / b; }
  static V max(V a, V b) { return select(a > b, a, b); }
  static V min(V a, V b) { return select(a < b, a, b); }
  static V fma(V a, V b, V c) { return a * b + c; }
  static V fnma(V a, V b, V c) { return c - a * b; }
  static V abs(V a) { return from_bits(bits(a) & 0x7fffffff); }
  static V reciprocal(V x) { return 1.0f / x; }

  static Mask first(int count) { return Mask{0, 1, 2, 3} < count; }
  static Mask greater(V a, V b) { return a > b; }
  static Mask less(V a, V b) { return a < b; }
  static Mask equal(V a, V b) { return a == b; }
  static bool any(Mask m) { return (m[0] | m[1] | m[2] | m[3]) != 0; }
  static V select(Mask m, V yes, V no) {
    return from_bits((m & bits(yes)) | (~m & bits(no)));
  }

  // x 2^n, where n is the integer in the low bits of `shifted` = n + 1.5 2^23.
  static V scale_by_shifted(V x, V shifted) {
    Unsigned bits, n;
    std::memcpy(&bits, &x, sizeof bits);
    std::memcpy(&n, &shifted, sizeof n);
    bits += n << 23;
    std::memcpy(&x, &bits, sizeof x);
    return x;
  }
  // 2^n for an integral n from -126 to 127.
  static V power_of_two(V n) {
    return scale_by_shifted(set1(1.0f), n + 12582912.0f);
  }

  static void transpose(V (&rows)[4]) {
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < i; ++j) {
        const float kept = rows[i][j];
        rows[i][j] = rows[j][i];
        rows[j][i] = kept;
      }
    }
  }

 private:
  typedef uint32_t Unsigned __attribute__((vector_size(16)));
  static Mask bits(V v) {
    Mask m;
    std::memcpy(&m, &v, sizeof m);
    return m;
  }
  static V from_bits(Mask m) {
    V v;
    std::memcpy(&v, &m, sizeof v);
    return v;
  }
};

}  // namespace
}  // namespace cman
