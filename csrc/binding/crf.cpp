// The CRF operations as torch sees them: checks, half precision, autograd. The
// inner operations that they call stand in crf_operations.cpp.

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "binding/check.h"
#include "binding/operation.h"

namespace cman {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The inner operations ------------------------------------------------------

Pair call_forward(const Tensor& emissions, const Tensor& transitions,
                  const Tensor& start, const Tensor& end,
                  const OptionalTensor& tags, const Tensor& lengths,
                  const OptionalTensor& allowed, bool keep) {
  static const auto op =
      find_operation<Pair(const Tensor&, const Tensor&, const Tensor&,
                          const Tensor&, const OptionalTensor&, const Tensor&,
                          const OptionalTensor&, bool)>("cman::_crf_forward");
  return op.call(emissions, transitions, start, end, tags, lengths, allowed,
                 keep);
}

Quadruple call_backward(const Tensor& grad, const Tensor& workspace,
                        const Tensor& emissions, const Tensor& transitions,
                        const Tensor& start, const Tensor& end,
                        const OptionalTensor& tags, const Tensor& lengths,
                        const OptionalTensor& allowed) {
  static const auto op = find_operation<Quadruple(
      const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
      const Tensor&, const OptionalTensor&, const Tensor&,
      const OptionalTensor&)>("cman::_crf_backward");
  return op.call(grad, workspace, emissions, transitions, start, end, tags,
                 lengths, allowed);
}

Quadruple call_double_backward(const Tensor& grad, const Tensor& emissions,
                               const Tensor& transitions, const Tensor& start,
                               const Tensor& end, const OptionalTensor& tags,
                               const Tensor& lengths,
                               const OptionalTensor& allowed) {
  static const auto op = find_operation<Quadruple(
      const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
      const OptionalTensor&, const Tensor&, const OptionalTensor&)>(
      "cman::_crf_double_backward");
  return op.call(grad, emissions, transitions, start, end, tags, lengths,
                 allowed);
}

// Autograd ------------------------------------------------------------------

// The forward pass keeps its messages; the backward pass reads them once.
struct CrfPartition : torch::autograd::Function<CrfPartition> {
  static Tensor forward(AutogradContext* context, const Tensor& emissions,
                        const Tensor& transitions, const Tensor& start,
                        const Tensor& end, const OptionalTensor& tags,
                        const Tensor& lengths, const OptionalTensor& allowed) {
    at::AutoDispatchBelowADInplaceOrView guard;
    auto [result, workspace] = call_forward(emissions, transitions, start, end,
                                            tags, lengths, allowed, true);
    context->save_for_backward({workspace, emissions, transitions, start, end,
                                or_undefined(tags), lengths,
                                or_undefined(allowed)});
    return result;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const OptionalTensor tags = or_none(saved[5]), allowed = or_none(saved[7]);
    Quadruple result;
    if (at::GradMode::is_enabled()) {
      result = call_double_backward(grads[0], saved[1], saved[2], saved[3],
                                    saved[4], tags, saved[6], allowed);
    } else {
      result = call_backward(grads[0], saved[0], saved[1], saved[2], saved[3],
                             saved[4], tags, saved[6], allowed);
    }
    return {std::get<0>(result),
            std::get<1>(result),
            std::get<2>(result),
            std::get<3>(result),
            Tensor(),
            Tensor(),
            Tensor()};
  }
};

// Public operations ---------------------------------------------------------

struct Potentials {
  Tensor emissions, transitions, start, end;
};

Potentials checked(const Tensor& emissions, const Tensor& transitions,
                   const Tensor& start, const Tensor& end,
                   const Tensor& lengths, const OptionalTensor& allowed) {
  TORCH_CHECK_VALUE(emissions.dim() == 3 && emissions.sym_size(2) > 0,
                    "emissions: got shape ", text(emissions.sym_sizes()),
                    ", wanted (B, L, K) with K at least 1");
  const auto batch = emissions.sym_size(0), tags = emissions.sym_size(2);
  check_shape("transitions", transitions, {tags, tags});
  check_shape("start", start, {tags});
  check_shape("end", end, {tags});
  check_shape("lengths", lengths, {batch});
  check_type("lengths", lengths, at::kLong);
  check_device("transitions", transitions, "emissions", emissions);
  check_device("start", start, "emissions", emissions);
  check_device("end", end, "emissions", emissions);
  check_device("lengths", lengths, "emissions", emissions);
  if (allowed.has_value()) {
    check_shape("allowed", *allowed, {tags + 1, tags});
    check_type("allowed", *allowed, at::kBool);
    check_device("allowed", *allowed, "emissions", emissions);
  }
  return {promoted("emissions", emissions, "emissions", emissions),
          promoted("transitions", transitions, "emissions", emissions),
          promoted("start", start, "emissions", emissions),
          promoted("end", end, "emissions", emissions)};
}

Tensor log_partition(const Potentials& crf, const OptionalTensor& tags,
                     const Tensor& lengths, const OptionalTensor& allowed) {
  if (at::GradMode::is_enabled() &&
      (crf.emissions.requires_grad() || crf.transitions.requires_grad() ||
       crf.start.requires_grad() || crf.end.requires_grad())) {
    return CrfPartition::apply(crf.emissions, crf.transitions, crf.start,
                               crf.end, tags, lengths, allowed);
  }
  return std::get<0>(call_forward(crf.emissions, crf.transitions, crf.start,
                                  crf.end, tags, lengths, allowed, false));
}

Tensor crf_log_partition(const Tensor& emissions, const Tensor& transitions,
                         const Tensor& start, const Tensor& end,
                         const Tensor& lengths, const OptionalTensor& allowed) {
  const auto crf =
      checked(emissions, transitions, start, end, lengths, allowed);
  return log_partition(crf, std::nullopt, lengths, allowed);
}

Tensor crf_nll(const Tensor& emissions, const Tensor& transitions,
               const Tensor& start, const Tensor& end, const Tensor& tags,
               const Tensor& lengths, const OptionalTensor& allowed) {
  const auto crf =
      checked(emissions, transitions, start, end, lengths, allowed);
  check_shape("tags", tags, {emissions.sym_size(0), emissions.sym_size(1)});
  check_type("tags", tags, at::kLong);
  check_device("tags", tags, "emissions", emissions);
  return log_partition(crf, tags, lengths, allowed);
}

Tensor crf_marginals(const Tensor& emissions, const Tensor& transitions,
                     const Tensor& start, const Tensor& end,
                     const Tensor& lengths, const OptionalTensor& allowed) {
  const auto crf =
      checked(emissions, transitions, start, end, lengths, allowed);
  static const auto op = find_operation<Tensor(
      const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
      const OptionalTensor&)>("cman::_crf_marginals");
  return op.call(crf.emissions.detach(), crf.transitions.detach(),
                 crf.start.detach(), crf.end.detach(), lengths, allowed);
}

Tensor crf_span_marginals(const Tensor& emissions, const Tensor& transitions,
                          const Tensor& start, const Tensor& end,
                          const Tensor& lengths, const Tensor& spans,
                          const Tensor& tags, const Tensor& next_tag) {
  const auto crf =
      checked(emissions, transitions, start, end, lengths, std::nullopt);
  TORCH_CHECK_VALUE(spans.dim() == 2 && spans.sym_size(1) == 3,
                    "spans: got shape ", text(spans.sym_sizes()),
                    ", wanted (S, 3)");
  check_shape("tags", tags, {emissions.sym_size(0), emissions.sym_size(1)});
  check_shape("next_tag", next_tag, {spans.sym_size(0)});
  check_type("spans", spans, at::kLong);
  check_type("tags", tags, at::kLong);
  check_type("next_tag", next_tag, at::kLong);
  check_device("spans", spans, "emissions", emissions);
  check_device("tags", tags, "emissions", emissions);
  check_device("next_tag", next_tag, "emissions", emissions);
  using Signature =
      Tensor(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
             const Tensor&, const Tensor&, const Tensor&, const Tensor&);
  static const auto op = find_operation<Signature>("cman::_crf_span_marginals");
  return op.call(crf.emissions.detach(), crf.transitions.detach(),
                 crf.start.detach(), crf.end.detach(), lengths, spans, tags,
                 next_tag);
}

Pair crf_decode(const Tensor& emissions, const Tensor& transitions,
                const Tensor& start, const Tensor& end, const Tensor& lengths,
                const OptionalTensor& allowed, int64_t nbest) {
  const auto crf =
      checked(emissions, transitions, start, end, lengths, allowed);
  TORCH_CHECK_VALUE(nbest >= 1, "nbest: got ", nbest, ", wanted 1 or more");
  using Signature =
      Pair(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
           const Tensor&, const OptionalTensor&, int64_t);
  static const auto kernel = find_operation<Signature>("cman::_crf_decode");
  static const auto plain =
      find_operation<Signature>("cman::_crf_decode_nbest");
  const auto& op = nbest > 1 && emissions.is_cuda() ? plain : kernel;
  return op.call(crf.emissions.detach(), crf.transitions.detach(),
                 crf.start.detach(), crf.end.detach(), lengths, allowed, nbest);
}

}  // namespace
}  // namespace cman

TORCH_LIBRARY_IMPL(cman, CompositeImplicitAutograd, m) {
  m.impl("crf_decode", cman::crf_decode);
  m.impl("crf_log_partition", cman::crf_log_partition);
  m.impl("crf_nll", cman::crf_nll);
  m.impl("crf_marginals", cman::crf_marginals);
  m.impl("crf_span_marginals", cman::crf_span_marginals);
}
