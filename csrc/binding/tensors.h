// From tensors to the raw pointers that kernels know. A holder keeps contiguous
// tensors alive for as long as a kernel reads their memory.
#pragma once

#include "binding/operation.h"
#include "crf/interface.h"
#include "pairs/interface.h"

namespace cman {

struct CrfTensors {
  Tensor emissions, transitions, start, end, lengths, allowed, tags;

  CrfTensors(const Tensor& emissions, const Tensor& transitions,
             const Tensor& start, const Tensor& end, const OptionalTensor& tags,
             const Tensor& lengths, const OptionalTensor& allowed)
      : emissions(emissions.contiguous()),
        transitions(transitions.contiguous()),
        start(start.contiguous()),
        end(end.contiguous()),
        lengths(lengths.contiguous()) {
    if (allowed.has_value()) this->allowed = allowed->contiguous();
    if (tags.has_value()) this->tags = tags->contiguous();
  }

  template <typename T>
  CrfBatch<T> batch() const {
    return {emissions.const_data_ptr<T>(),
            transitions.const_data_ptr<T>(),
            start.const_data_ptr<T>(),
            end.const_data_ptr<T>(),
            lengths.const_data_ptr<int64_t>(),
            allowed.defined() ? allowed.const_data_ptr<bool>() : nullptr,
            tags.defined() ? tags.const_data_ptr<int64_t>() : nullptr,
            emissions.size(0),
            emissions.size(1),
            emissions.size(2)};
  }
};

struct PairTensors {
  Tensor a, c, V, bias, lengths;

  PairTensors(const Tensor& a, const Tensor& c, const Tensor& V,
              const OptionalTensor& bias, const Tensor& lengths)
      : a(a.contiguous()),
        c(c.contiguous()),
        V(V.contiguous()),
        lengths(lengths.contiguous()) {
    if (bias.has_value()) this->bias = bias->contiguous();
  }

  template <typename T>
  PairBatch<T> batch() const {
    return {a.const_data_ptr<T>(),
            c.const_data_ptr<T>(),
            V.const_data_ptr<T>(),
            bias.defined() ? bias.const_data_ptr<T>() : nullptr,
            lengths.const_data_ptr<int64_t>(),
            a.size(0),
            a.size(1),
            a.size(2),
            V.size(0)};
  }
};

}  // namespace cman
