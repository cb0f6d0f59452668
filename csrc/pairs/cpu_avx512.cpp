// The pair kernels for AVX-512. Nothing here may end up in code that other
// processors run: the kernels have internal linkage, no template of the
// standard library is used, and the system's headers come before the target
// changes.
#include "pairs/plan.h"
#include "simd/isa.h"

#if CMAN_X86

#include <immintrin.h>

#include <cstdint>
#include <cstring>

// The intrinsics' "undefined" operands are meant to be so.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")

#define CMAN_PAIR_LANES 16
#include "pairs/cpu_backward.h"

namespace cman {

const PairKernels<float>& pair_kernels_avx512() {
  static constexpr PairKernels<float> kernels = kernels_of<F32>();
  return kernels;
}

}  // namespace cman

#endif
