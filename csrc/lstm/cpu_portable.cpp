// The LSTM's kernels for any processor, in registers of four floats, which
// every processor with vectors has.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "lstm/cpu_steps.h"
#include "simd/float4.h"

namespace cman {

const LstmKernels& lstm_kernels_portable() {
  static constexpr LstmKernels kernels = lstm_kernels_of<F32x4>();
  return kernels;
}

}  // namespace cman
