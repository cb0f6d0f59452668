// Checks of the operations' arguments, in sentences that name the argument,
// what was found and what was wanted: the same sentences as the definitions in
// cman/kernels/reference. Shapes are compared as symbols, so that a
// compiled graph stays valid for every length.
#pragma once

#include <torch/library.h>

#include <initializer_list>
#include <string>

#include "binding/operation.h"

namespace cman {

using Shape = std::initializer_list<c10::SymInt>;

inline std::string text(c10::SymIntArrayRef shape) {
  std::string result = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) result += ", ";
    result += c10::str(shape[i]);
  }
  return result + (shape.size() == 1 ? ",)" : ")");
}

inline void check_shape(const char* name, const Tensor& tensor, Shape wanted) {
  const auto found = tensor.sym_sizes();
  bool same = found.size() == wanted.size();
  for (size_t i = 0; same && i < wanted.size(); ++i) {
    same = found[i] == *(wanted.begin() + i);
  }
  TORCH_CHECK_VALUE(same, name, ": got shape ", text(found), ", wanted ",
                    text(c10::SymIntArrayRef(wanted.begin(), wanted.size())));
}

inline const char* type_name(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kShort:
      return "int16";
    case at::kChar:
      return "int8";
    case at::kByte:
      return "uint8";
    case at::kBool:
      return "bool";
    default:
      return c10::toString(type);
  }
}

inline void check_type(const char* name, const Tensor& tensor,
                       at::ScalarType wanted) {
  TORCH_CHECK_TYPE(tensor.scalar_type() == wanted, name, ": got ",
                   type_name(tensor.scalar_type()), ", wanted ",
                   type_name(wanted));
}

inline void check_device(const char* name, const Tensor& tensor,
                         const char* first_name, const Tensor& first) {
  TORCH_CHECK_VALUE(tensor.device() == first.device(), name, ": got device ",
                    tensor.device(), ", wanted ", first.device(), ", that of ",
                    first_name);
}

// Integer values, in the memory of the CPU, must lie in [low, high].
inline void check_range(const char* name, const Tensor& values, int64_t low,
                        int64_t high) {
  const Tensor flat = values.contiguous();
  const int64_t* value = flat.const_data_ptr<int64_t>();
  const int64_t count = flat.numel();
  if (count == 0) return;
  int64_t smallest = value[0], largest = value[0];
  for (int64_t i = 1; i < count; ++i) {
    smallest = value[i] < smallest ? value[i] : smallest;
    largest = value[i] > largest ? value[i] : largest;
  }
  TORCH_CHECK_VALUE(smallest >= low && largest <= high, name,
                    ": got values from ", smallest, " to ", largest,
                    ", wanted ", low, " to ", high);
}

// The type that an operation computes in: float32 for half precision.
inline at::ScalarType computed(at::ScalarType type) {
  return type == at::kHalf || type == at::kBFloat16 ? at::kFloat : type;
}

inline void check_floating(const char* name, const Tensor& tensor) {
  const auto type = tensor.scalar_type();
  TORCH_CHECK_TYPE(type == at::kFloat || type == at::kDouble ||
                       type == at::kHalf || type == at::kBFloat16,
                   name, ": got ", type_name(type),
                   ", wanted float32, float64, float16 or bfloat16");
}

// The tensor in the type that the first one is computed in.
inline Tensor promoted(const char* name, const Tensor& tensor,
                       const char* first_name, const Tensor& first) {
  check_floating(first_name, first);
  check_floating(name, tensor);
  const auto wanted = computed(first.scalar_type());
  TORCH_CHECK_TYPE(computed(tensor.scalar_type()) == wanted, name, ": got ",
                   type_name(tensor.scalar_type()), ", wanted ",
                   type_name(wanted), ", as ", first_name);
  return tensor.scalar_type() == wanted ? tensor : tensor.to(wanted);
}

}  // namespace cman
