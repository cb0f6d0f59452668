// The LSTM's kernels for AVX-512. Nothing here may end up in code that
// other processors run: the kernels have internal linkage, no template of the
// standard library is used, and the system's headers come before the target
// changes.
#include "lstm/plan.h"
#include "simd/isa.h"

#if CMAN_X86

#include <immintrin.h>

#include <cstdint>
#include <cstring>

// The intrinsics' "undefined" operands are meant to be so.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")

#include "lstm/cpu_steps.h"
#include "simd/avx512.h"

namespace cman {

const LstmKernels& lstm_kernels_avx512() {
  static constexpr LstmKernels kernels = lstm_kernels_of<F32>();
  return kernels;
}

}  // namespace cman

#endif
