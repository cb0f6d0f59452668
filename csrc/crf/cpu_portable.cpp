// The CRF's kernels for every processor, and for float64.
#include "crf/cpu_kernels.h"
#include "simd/float4.h"
#include "simd/lanes.h"

namespace cman {

CrfKernels crf_kernels_portable() { return crf_kernels_of<F32x4>(); }

CrfDecodeGroup<double> crf_decode_double_portable() {
  return decode_group<Lanes<double, crf_double_width>>;
}

}  // namespace cman
