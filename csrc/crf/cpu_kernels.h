// The kernels of one instruction set. A file includes this after its `#pragma
// GCC target`; everything but the function at the end has internal linkage, so
// that the linker cannot merge code of two sets.
#pragma once

#include "crf/cpu_backward.h"
#include "crf/cpu_forward.h"
#include "crf/cpu_viterbi.h"
#include "crf/plan.h"

namespace cman {
namespace {

template <class F>
constexpr CrfKernels crf_kernels_of() {
  return {F::width, decode_group<F>, forward_group<F>, backward_group<F>};
}

}  // namespace
}  // namespace cman
