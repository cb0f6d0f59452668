// The devices that have kernels, as the inner operations see them:
//
//   values_known             whether values can be looked at without waiting
//   Device(tensor)           makes the tensor's device the current one
//   where()                  what a kernel takes last: threads or a stream
//   in_parts                 whether what blocks add to comes in parts, so that
//                            sums are the same in every run
#pragma once

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#ifdef CMAN_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include <vector>

#include "binding/operation.h"
#include "simd/parallel.h"

namespace cman {
namespace {

struct Cpu {
  static constexpr bool values_known = true;
  static constexpr bool in_parts = false;

  explicit Cpu(const Tensor& /*tensor*/) {}

  static void parallel_for(int64_t count, int64_t grain, const Work& work) {
    at::parallel_for(0, count, grain, work);
  }
  ParallelFor where() const { return parallel_for; }
};

#ifdef CMAN_CUDA

// Kernels are queued on torch's current stream and nothing waits for them, so
// values out of range are their own affair. Blocks add to what they share, in
// an order that varies; in torch's deterministic mode a part each, and then the
// parts are summed.
struct Cuda {
  static constexpr bool values_known = false;

  explicit Cuda(const Tensor& tensor)
      : in_parts(at::globalContext().deterministicAlgorithms()),
        guard(tensor.device()) {}

  Stream where() const { return {c10::cuda::getCurrentCUDAStream().stream()}; }

  const bool in_parts;
  const c10::cuda::CUDAGuard guard;
};

#endif

// A result that kernels write or, on a GPU, add to; in that many parts, the
// first dimension, if they must not meet.
template <class Device>
class Sums {
 public:
  Sums(const Device& device, int64_t parts, at::IntArrayRef sizes,
       const Tensor& like)
      : in_parts_(device.in_parts) {
    std::vector<int64_t> all(sizes.begin(), sizes.end());
    if (in_parts_) all.insert(all.begin(), parts);
    result_ = Device::values_known ? at::empty(all, like.options())
                                   : at::zeros(all, like.options());
  }

  template <typename T>
  T* data() const {
    return result_.mutable_data_ptr<T>();
  }
  Tensor total() const { return in_parts_ ? result_.sum(0) : result_; }

 private:
  const bool in_parts_;
  Tensor result_;
};

}  // namespace
}  // namespace cman
