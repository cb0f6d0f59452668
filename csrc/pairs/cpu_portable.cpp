// The pair kernels for any processor, in registers of four floats, which every
// processor with vectors has, and the kernels in float64.
#include <cmath>
#include <cstdint>
#include <cstring>

#define CMAN_PAIR_LANES 0
#include "pairs/cpu_backward.h"
#include "pairs/cpu_double.h"
#include "simd/float4.h"

namespace cman {

const PairKernels<float>& pair_kernels_portable() {
  static constexpr PairKernels<float> kernels = kernels_of<F32x4>();
  return kernels;
}

const PairKernels<double>& pair_kernels_double() {
  static constexpr PairKernels<double> kernels = kernels_in_double();
  return kernels;
}

}  // namespace cman
