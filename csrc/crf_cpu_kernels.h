// The kernels of one instruction set. A file defines CMAN_CRF_SET and includes
// this after its `#pragma GCC target`; everything but the function at the end
// has internal linkage, so that the linker cannot merge code of two sets.
#pragma once

#include "crf_backward.h"
#include "crf_group.h"
#include "crf_linear.h"
#include "crf_viterbi.h"

namespace cman {
namespace {

template <class F>
constexpr CrfKernels crf_kernels_of() {
  return {F::width, decode_group<F>, forward_group<F>, backward_group<F>};
}

}  // namespace
}  // namespace cman
