// The pair kernels for AVX2 with FMA. Nothing here may end up in code that
// other processors run: the kernels have internal linkage, no template of the
// standard library is used, and the system's headers come before the target
// changes.
#include "pairs/plan.h"
#include "simd/isa.h"

#if CMAN_X86

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#pragma GCC target("avx2,fma")

#define CMAN_PAIR_LANES 8
#include "pairs/cpu_backward.h"

namespace cman {

const PairKernels<float>& pair_kernels_avx2() {
  static constexpr PairKernels<float> kernels = kernels_of<F32>();
  return kernels;
}

}  // namespace cman

#endif
