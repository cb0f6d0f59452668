// Calling an operation through the dispatcher, so that torch.compile, fake
// tensors and every device see it.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

namespace cman {

template <typename Signature>
auto find_operation(const char* name) {
  return c10::Dispatcher::singleton()
      .findSchemaOrThrow(name, "")
      .template typed<Signature>();
}

}  // namespace cman
