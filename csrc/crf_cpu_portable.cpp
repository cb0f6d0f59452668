// The CRF's kernels for every processor, and for float64.
#include "crf_cpu_kernels.h"
#include "simd_portable.h"
#include "simd_vector.h"

namespace cman {
namespace {

#if CMAN_VECTORS
using Floats = F32x4;
#else
using Floats = Lanes<float, 4>;
#endif

}  // namespace

CrfKernels crf_kernels_portable() { return crf_kernels_of<Floats>(); }

CrfDecodeGroup<double> crf_decode_double_portable() {
  return decode_group<Lanes<double, crf_double_width>>;
}

}  // namespace cman
