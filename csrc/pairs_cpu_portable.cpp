// The pair kernels for any processor, in registers of four floats, which every
// processor with vectors has, and the kernels in float64.
#include <cmath>
#include <cstdint>
#include <cstring>

#define CMAN_PAIR_LANES 0
#include "pairs_backward.h"
#include "pairs_double.h"
#include "pairs_portable.h"

namespace cman {

const PairKernels<float>& pair_kernels_portable() {
  static constexpr PairKernels<float> kernels = kernels_of<Four>();
  return kernels;
}

const PairKernels<double>& pair_kernels_double() {
  static constexpr PairKernels<double> kernels = kernels_in_double();
  return kernels;
}

}  // namespace cman
