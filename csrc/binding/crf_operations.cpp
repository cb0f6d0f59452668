// The inner CRF operations, on each device: values checked where they are
// known, results allocated, and the kernels of crf/ called.

#include <ATen/Dispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include "binding/check.h"
#include "binding/device.h"
#include "binding/tensors.h"

namespace cman {
namespace {

// Only tags of tokens count: padding may hold anything, such as -100.
void check_values(const CrfTensors& crf) {
  check_range("lengths", crf.lengths, 0, crf.emissions.size(1));
  if (!crf.tags.defined()) return;
  const int64_t* tag = crf.tags.const_data_ptr<int64_t>();
  const int64_t* length = crf.lengths.const_data_ptr<int64_t>();
  const int64_t row = crf.tags.size(1), count = crf.emissions.size(2);
  for (int64_t b = 0; b < crf.tags.size(0); ++b) {
    for (int64_t t = 0; t < length[b]; ++t) {
      const int64_t found = tag[b * row + t];
      TORCH_CHECK_VALUE(found >= 0 && found < count, "tags: got ", found,
                        " at (", b, ", ", t, "), wanted 0 to ", count - 1);
    }
  }
}

// Each row names tokens of its sentence, and these have tags.
void check_spans(const CrfTensors& crf, const CrfSpans& given) {
  const int64_t batch = crf.emissions.size(0), length = crf.emissions.size(1);
  const int64_t count = crf.emissions.size(2);
  const int64_t* lengths = crf.lengths.const_data_ptr<int64_t>();
  for (int64_t s = 0; s < given.count; ++s) {
    const int64_t b = given.spans[3 * s];
    const int64_t first = given.spans[3 * s + 1];
    const int64_t after = given.spans[3 * s + 2];
    TORCH_CHECK_VALUE(b >= 0 && b < batch, "spans: got sentence ", b,
                      " in row ", s, ", wanted 0 to ", batch - 1);
    TORCH_CHECK_VALUE(first >= 0 && first < after && after <= lengths[b],
                      "spans: got tokens ", first, " to ", after, " in row ", s,
                      ", wanted one or more of the sentence's ", lengths[b]);
    for (int64_t t = first; t < after; ++t) {
      const int64_t tag = given.tags[b * length + t];
      TORCH_CHECK_VALUE(tag >= 0 && tag < count, "tags: got ", tag, " at (", b,
                        ", ", t, "), wanted 0 to ", count - 1);
    }
  }
}

template <class Device>
struct CrfOperations {
  // What a forward pass may keep; on a GPU every kernel needs as much.
  static Tensor workspace(const Tensor& emissions) {
    const int64_t batch = emissions.size(0), length = emissions.size(1);
    const int64_t tags = emissions.size(2);
    int64_t size = 0;
    if constexpr (Device::values_known) {
      size = crf_workspace_size(batch, length, tags);
    } else {
      size = crf_workspace_size_cuda(batch, length, tags);
    }
    return at::empty({size}, emissions.options());
  }

  static Pair decode(const Tensor& emissions, const Tensor& transitions,
                     const Tensor& start, const Tensor& end,
                     const Tensor& lengths, const OptionalTensor& allowed,
                     int64_t nbest) {
    const Device device(emissions);
    const CrfTensors crf(emissions, transitions, start, end, std::nullopt,
                         lengths, allowed);
    if constexpr (Device::values_known) check_values(crf);
    const int64_t batch = emissions.size(0), length = emissions.size(1);
    const bool one = nbest == 1;
    const Tensor tags =
        one ? at::empty({batch, length}, lengths.options())
            : at::empty({batch, nbest, length}, lengths.options());
    const Tensor scores = one ? at::empty({batch}, emissions.options())
                              : at::empty({batch, nbest}, emissions.options());
    AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_decode", [&] {
      const auto input = crf.batch<scalar_t>();
      auto* path = tags.mutable_data_ptr<int64_t>();
      auto* score = scores.mutable_data_ptr<scalar_t>();
      if constexpr (Device::values_known) {
        if (one) {
          crf_decode(input, path, score, device.where());
        } else {
          crf_decode_nbest(input, nbest, path, score, device.where());
        }
      } else {
        TORCH_INTERNAL_ASSERT(one);  // crf.cpp sends the rest elsewhere
        const Tensor memory = workspace(emissions);
        crf_decode(input, path, score, memory.mutable_data_ptr<scalar_t>(),
                   device.where());
      }
    });
    return {tags, scores};
  }

  static Pair forward(const Tensor& emissions, const Tensor& transitions,
                      const Tensor& start, const Tensor& end,
                      const OptionalTensor& tags, const Tensor& lengths,
                      const OptionalTensor& allowed, bool keep) {
    const Device device(emissions);
    const CrfTensors crf(emissions, transitions, start, end, tags, lengths,
                         allowed);
    if constexpr (Device::values_known) check_values(crf);
    const Tensor result = at::empty({emissions.size(0)}, emissions.options());
    const Tensor kept =
        keep ? workspace(emissions) : at::empty({0}, emissions.options());
    AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_forward", [&] {
      crf_forward(crf.batch<scalar_t>(),
                  keep ? kept.mutable_data_ptr<scalar_t>() : nullptr,
                  result.mutable_data_ptr<scalar_t>(), device.where());
    });
    return {result, kept};
  }

  static Quadruple backward(const Tensor& grad, const Tensor& kept,
                            const Tensor& emissions, const Tensor& transitions,
                            const Tensor& start, const Tensor& end,
                            const OptionalTensor& tags, const Tensor& lengths,
                            const OptionalTensor& allowed) {
    const Device device(emissions);
    const CrfTensors crf(emissions, transitions, start, end, tags, lengths,
                         allowed);
    const Tensor weight = grad.contiguous();
    const Tensor d_emissions = at::empty_like(crf.emissions);
    const int64_t batch = emissions.size(0);
    int64_t blocks = 1;
    if constexpr (!Device::values_known) {
      blocks = crf_blocks_cuda(batch, emissions.size(2));
    }
    const Sums d_transitions(device, blocks, transitions.sizes(), transitions);
    const Sums d_start(device, batch, start.sizes(), start);
    const Sums d_end(device, batch, end.sizes(), end);
    AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_backward", [&] {
      const auto call = [&](auto... where) {
        crf_backward(crf.batch<scalar_t>(), kept.mutable_data_ptr<scalar_t>(),
                     weight.const_data_ptr<scalar_t>(),
                     d_emissions.mutable_data_ptr<scalar_t>(),
                     d_transitions.template data<scalar_t>(),
                     d_start.template data<scalar_t>(),
                     d_end.template data<scalar_t>(), where...);
      };
      if constexpr (Device::values_known) {
        call(device.where());
      } else {
        call(device.in_parts, device.where());
      }
    });
    return {d_emissions, d_transitions.total(), d_start.total(), d_end.total()};
  }

  static Tensor marginals(const Tensor& emissions, const Tensor& transitions,
                          const Tensor& start, const Tensor& end,
                          const Tensor& lengths,
                          const OptionalTensor& allowed) {
    const Device device(emissions);
    const CrfTensors crf(emissions, transitions, start, end, std::nullopt,
                         lengths, allowed);
    if constexpr (Device::values_known) check_values(crf);
    const Tensor result = at::empty_like(crf.emissions);
    AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_marginals", [&] {
      auto* probability = result.mutable_data_ptr<scalar_t>();
      if constexpr (Device::values_known) {
        crf_marginals(crf.batch<scalar_t>(), probability, device.where());
      } else {
        const Tensor memory = workspace(emissions);
        crf_marginals(crf.batch<scalar_t>(),
                      memory.mutable_data_ptr<scalar_t>(), probability,
                      device.where());
      }
    });
    return result;
  }

  static Tensor span_marginals(const Tensor& emissions,
                               const Tensor& transitions, const Tensor& start,
                               const Tensor& end, const Tensor& lengths,
                               const Tensor& spans, const Tensor& tags,
                               const Tensor& next_tag) {
    const Device device(emissions);
    const CrfTensors crf(emissions, transitions, start, end, std::nullopt,
                         lengths, std::nullopt);
    const Tensor rows = spans.contiguous(), path = tags.contiguous();
    const Tensor next = next_tag.contiguous();
    const CrfSpans given{rows.const_data_ptr<int64_t>(),
                         path.const_data_ptr<int64_t>(),
                         next.const_data_ptr<int64_t>(), spans.size(0)};
    if constexpr (Device::values_known) {
      check_values(crf);
      check_spans(crf, given);
      check_range("next_tag", next, -1, emissions.size(2) - 1);
    }
    const Tensor result = at::empty({spans.size(0)}, emissions.options());
    AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_spans", [&] {
      auto* probability = result.mutable_data_ptr<scalar_t>();
      const auto input = crf.batch<scalar_t>();
      if constexpr (Device::values_known) {
        crf_span_marginals(input, given, probability, device.where());
      } else {
        const Tensor memory = workspace(emissions);
        const Tensor marginals = at::empty_like(crf.emissions);
        auto* kept = memory.mutable_data_ptr<scalar_t>();
        auto* of_tokens = marginals.mutable_data_ptr<scalar_t>();
        crf_marginals(input, kept, of_tokens, device.where());
        crf_span_marginals(input, given, kept, of_tokens, probability,
                           device.where());
      }
    });
    return result;
  }

  static void implement(torch::Library& library) {
    library.impl("_crf_decode", decode);
    library.impl("_crf_forward", forward);
    library.impl("_crf_backward", backward);
    library.impl("_crf_marginals", marginals);
    library.impl("_crf_span_marginals", span_marginals);
  }
};

}  // namespace
}  // namespace cman

TORCH_LIBRARY_IMPL(cman, CPU, m) {
  cman::CrfOperations<cman::Cpu>::implement(m);
}
#ifdef CMAN_CUDA
TORCH_LIBRARY_IMPL(cman, CUDA, m) {
  cman::CrfOperations<cman::Cuda>::implement(m);
}
#endif
