// CUDA kernels on the CPU, for tests without a device: g++ compiles a .cu file
// behind this header and csrc/simd/cuda_launch.h runs its kernels here.
//
//   #define CMAN_CUDA_EMULATION
//   #include "cuda_emulation.h"
//   #include "crf/cuda_operations.cu"
//   g++ -std=c++17 -O1 -Wall -Wno-unknown-pragmas -x c++ some_cuda_test.cpp
//
// Each thread of a block is a fiber, run until it meets a barrier or an
// operation of its warp, in an order that changes from block to block: a
// missing barrier shows as a wrong or a NaN result. Blocks run one after
// another, in changing order. Whoever breaks a rule gets a sentence on stderr
// and abort(): threads at different __syncthreads(), lanes of a mask that do
// not come, a launch beyond the limits, a write behind the dynamic shared
// memory. What is not here: memory shared by blocks in flight, races within a
// warp between two barriers (one order is tried a block), streams, timing.
#pragma once

#include "cuda_emulation_fibers.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline
#define __noinline__
#define __restrict__
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static  // keeps its content; CMAN_SHARED is poisoned

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}
inline double2 make_double2(double x, double y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }

namespace cuda_emulation {

inline unsigned char* dynamic_shared() { return machine.shared.data(); }

template <typename T, int count>
struct StaticShared {
  T values[count];
  uint64_t block = 0;

  T (&of_this_block())
  [count] {
    if (block != machine.block) std::memset(values, 0xff, sizeof(values));
    block = machine.block;
    return values;
  }
};

inline uint64_t barrier(uint64_t value, Site site) {
  Fiber& fiber = machine.fibers[machine.current];
  fiber.value = value;
  wait(State::barrier, site);
  return fiber.result;
}

inline uint64_t warp(Operation operation, unsigned mask, uint64_t value,
                     int source, Site site) {
  Fiber& fiber = machine.fibers[machine.current];
  if (!(mask >> (machine.current % 32) & 1)) {
    stop("a lane is not in its own mask", site, machine.current);
  }
  fiber.operation = operation, fiber.mask = mask;
  fiber.value = value, fiber.source = source;
  wait(State::warp, site);
  return fiber.result;
}

template <typename T>
T shuffle(unsigned mask, T value, int lane, int source, int width, Site site) {
  static_assert(sizeof(T) <= 8, "shuffles take at most 8 bytes");
  const int first = lane / width * width;
  if (source < first || source >= first + width) source = lane;
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = warp(Operation::shuffle, mask, bits, source, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

inline int lane() { return machine.current % 32; }

template <typename T, typename From>
T bits(From value) {
  static_assert(sizeof(T) == sizeof(From), "one size");
  T result;
  std::memcpy(&result, &value, sizeof(T));
  return result;
}

}  // namespace cuda_emulation

// Barriers and operations of a warp, known by their place in the source. No
// __activemask(): which lanes are together is the device's own affair.
#define CMAN_SITE \
  const char *file = __builtin_FILE(), int line = __builtin_LINE()

inline int __syncthreads_count(int x, CMAN_SITE) {
  return static_cast<int>(cuda_emulation::barrier(x != 0, {file, line}));
}
inline void __syncthreads(CMAN_SITE) { __syncthreads_count(0, file, line); }
inline int __syncthreads_or(int x, CMAN_SITE) {
  return __syncthreads_count(x, file, line) > 0;
}
inline int __syncthreads_and(int x, CMAN_SITE) {
  return __syncthreads_count(x == 0, file, line) == 0;
}
inline unsigned __ballot_sync(unsigned mask, int x, CMAN_SITE) {
  return static_cast<unsigned>(cuda_emulation::warp(
      cuda_emulation::Operation::ballot, mask, x != 0, 0, {file, line}));
}
inline int __any_sync(unsigned mask, int x, CMAN_SITE) {
  return __ballot_sync(mask, x, file, line) != 0;
}
inline int __all_sync(unsigned mask, int x, CMAN_SITE) {
  return __ballot_sync(mask, x == 0, file, line) == 0;
}
inline void __syncwarp(unsigned mask = ~0u, CMAN_SITE) {
  __ballot_sync(mask, 1, file, line);
}
#define CMAN_SHUFFLE(name, Third, third, source)                           \
  template <typename T>                                                    \
  T name(unsigned mask, T value, Third third, int width = 32, CMAN_SITE) { \
    const int lane = cuda_emulation::lane();                               \
    return cuda_emulation::shuffle(mask, value, lane, source, width,       \
                                   {file, line});                          \
  }
CMAN_SHUFFLE(__shfl_sync, int, from, lane / width * width + from % width)
CMAN_SHUFFLE(__shfl_up_sync, unsigned, delta, lane - static_cast<int>(delta))
CMAN_SHUFFLE(__shfl_down_sync, unsigned, delta, lane + static_cast<int>(delta))
CMAN_SHUFFLE(__shfl_xor_sync, int, bits, lane ^ bits)

template <typename T, typename V>
T atomicAdd(T* to, V value) {
  const T before = *to;
  *to = static_cast<T>(before + value);
  return before;
}
template <typename T>
T __ldg(const T* from) {
  return *from;
}
template <typename A, typename B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  return b < a ? b : a;
}
template <typename A, typename B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  return a < b ? b : a;
}
#define __expf(x) std::exp(static_cast<float>(x))  // the C library's names
#define __logf(x) std::log(static_cast<float>(x))
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __clz(unsigned x) { return x ? __builtin_clz(x) : 32; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __float_as_int(float x) { return cuda_emulation::bits<int>(x); }
inline float __int_as_float(int x) { return cuda_emulation::bits<float>(x); }
