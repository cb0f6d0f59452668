// What the operations take and give, and how one calls another: through the
// dispatcher, so that torch.compile, fake tensors and every device see it.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <tuple>

namespace cman {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Pair = std::tuple<Tensor, Tensor>;
using Quadruple = std::tuple<Tensor, Tensor, Tensor, Tensor>;
using Quintuple = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

template <typename Signature>
auto find_operation(const char* name) {
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow(name, "")
      .template typed<Signature>();
}

// What autograd saves is a tensor, undefined where there is none.
inline Tensor or_undefined(const OptionalTensor& tensor) {
  return tensor.has_value() ? *tensor : Tensor();
}

inline OptionalTensor or_none(const Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
}

}  // namespace cman
