// The CRF's kernels for AVX-512: 16 sentences a register.
#include "simd/isa.h"

#if CMAN_X86

#include <immintrin.h>

#include <cstdint>

#include "crf/plan.h"

// The intrinsics' "undefined" operands are meant to be so.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
// Stays on to the end of the file, where templates are instantiated.
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")

#include "crf/cpu_kernels.h"
#include "simd/avx512.h"

namespace cman {

CrfKernels crf_kernels_avx512() { return crf_kernels_of<F32>(); }

}  // namespace cman

#endif
