// The devices that have kernels, as the inner operations see them:
//
//   values_known             whether values can be looked at without waiting
//   Device(tensor)           makes the tensor's device the current one
//   where()                  what a kernel takes last: threads or a stream
//   summed(sizes, like)      a result that kernels write or, on a GPU, add to
//   tell_order_varies(name)  of an operation whose sums differ from run to run:
//                            an error, or a warning, in torch's deterministic
//                            mode
#pragma once

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#ifdef CMAN_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include "binding/operation.h"
#include "simd/parallel.h"

namespace cman {
namespace {

struct Cpu {
  static constexpr bool values_known = true;

  explicit Cpu(const Tensor& /*tensor*/) {}

  static void parallel_for(int64_t count, int64_t grain, const Work& work) {
    at::parallel_for(0, count, grain, work);
  }
  ParallelFor where() const { return parallel_for; }

  static Tensor summed(at::IntArrayRef sizes, const Tensor& like) {
    return at::empty(sizes, like.options());
  }

  static void tell_order_varies(const char* /*name*/) {}
};

#ifdef CMAN_CUDA

// Kernels are queued on torch's current stream and nothing waits for them, so
// values out of range are their own affair. Blocks add to what they share.
struct Cuda {
  static constexpr bool values_known = false;

  explicit Cuda(const Tensor& tensor) : guard(tensor.device()) {}

  Stream where() const { return {c10::cuda::getCurrentCUDAStream().stream()}; }

  static Tensor summed(at::IntArrayRef sizes, const Tensor& like) {
    return at::zeros(sizes, like.options());
  }

  static void tell_order_varies(const char* name) {
    at::globalContext().alertNotDeterministic(name);
  }

  const c10::cuda::CUDAGuard guard;
};

#endif

}  // namespace
}  // namespace cman
