// Products of float32 matrices on a CPU. PyTorch sends its own to MKL, which
// leaves half of every register of AMD's processors with AVX-512 unused; there
// oneDNN computes them in half the time.
#pragma once

#include <ATen/Context.h>
#include <ATen/core/List.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include <string_view>

#include "binding/operation.h"

namespace cman {

// Whether oneDNN is the faster one, by what the processor is: a trial might
// come to another answer in another run, and the last bits would follow it.
inline bool by_onednn() {
#if defined(__x86_64__)
  static const bool faster = __builtin_cpu_is("amd") &&
                             __builtin_cpu_supports("avx512f") &&
                             at::globalContext().hasMKLDNN() &&
                             c10::Dispatcher::singleton()
                                 .findSchema({"mkldnn::_linear_pointwise", ""})
                                 .has_value();
  return faster && at::globalContext().userEnabledMkldnn();
#else
  return false;
#endif
}

// Rows, rounded up: oneDNN prepares itself for every number of them, and takes
// another way for a single one, whose last bits differ.
inline int64_t product_rows(int64_t rows) {
  return by_onednn() ? (rows + 15) / 16 * 16 : rows;
}

// a (M, K) times the transpose of b (N, K), plus a bias (N).
inline Tensor product(const Tensor& a, const Tensor& b,
                      const OptionalTensor& bias = std::nullopt) {
  if (a.size(0) == 0 || a.size(1) == 0 || b.size(0) == 0 || !by_onednn()) {
    return bias.has_value() ? at::addmm(*bias, a, b.t()) : at::mm(a, b.t());
  }
  using Signature = Tensor(
      const Tensor&, const Tensor&, const OptionalTensor&, std::string_view,
      c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
                             .typed<Signature>();
  const c10::List<std::optional<at::Scalar>> none;
  return op.call(a, b, bias, "none", none, "");
}

}  // namespace cman
