// The pairwise relation operations as torch sees them: checks, half precision,
// autograd. The inner operations that they call stand in pair_operations.cpp.

#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "binding/check.h"
#include "binding/operation.h"

namespace cman {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The inner operations ------------------------------------------------------

Tensor call_scores(const Tensor& a, const Tensor& c, const Tensor& V,
                   const OptionalTensor& bias, const Tensor& lengths) {
  static const auto op =
      find_operation<Tensor(const Tensor&, const Tensor&, const Tensor&,
                            const OptionalTensor&, const Tensor&)>(
          "cman::_pair_scores");
  return op.call(a, c, V, bias, lengths);
}

Quadruple call_scores_backward(const Tensor& grad, const Tensor& a,
                               const Tensor& c, const Tensor& V,
                               const Tensor& lengths) {
  using Signature = Quadruple(const Tensor&, const Tensor&, const Tensor&,
                              const Tensor&, const Tensor&);
  static const auto once =
      find_operation<Signature>("cman::_pair_scores_backward");
  static const auto twice =
      find_operation<Signature>("cman::_pair_scores_double_backward");
  const auto& op = at::GradMode::is_enabled() ? twice : once;
  return op.call(grad, a, c, V, lengths);
}

Quintuple call_bce(const Tensor& a, const Tensor& c, const Tensor& V,
                   const OptionalTensor& bias, const Tensor& gold,
                   const Tensor& lengths, double pos_weight,
                   bool differentiate) {
  static const auto op = find_operation<Quintuple(
      const Tensor&, const Tensor&, const Tensor&, const OptionalTensor&,
      const Tensor&, const Tensor&, double, bool)>("cman::_pair_bce");
  return op.call(a, c, V, bias, gold, lengths, pos_weight, differentiate);
}

Quadruple call_bce_double_backward(const Tensor& grad, const Tensor& a,
                                   const Tensor& c, const Tensor& V,
                                   const OptionalTensor& bias,
                                   const Tensor& gold, const Tensor& lengths,
                                   double pos_weight) {
  static const auto op = find_operation<Quadruple(
      const Tensor&, const Tensor&, const Tensor&, const Tensor&,
      const OptionalTensor&, const Tensor&, const Tensor&, double)>(
      "cman::_pair_bce_double_backward");
  return op.call(grad, a, c, V, bias, gold, lengths, pos_weight);
}

// Autograd ------------------------------------------------------------------

// Nothing but the inputs is kept: the backward pass computes the tanh again.
struct PairScores : torch::autograd::Function<PairScores> {
  static Tensor forward(AutogradContext* context, const Tensor& a,
                        const Tensor& c, const Tensor& V,
                        const OptionalTensor& bias, const Tensor& lengths) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({a, c, V, lengths});
    context->saved_data["bias"] = bias.has_value();
    return call_scores(a, c, V, bias, lengths);
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    auto [da, dc, dV, dbias] =
        call_scores_backward(grads[0], saved[0], saved[1], saved[2], saved[3]);
    const bool biased = context->saved_data["bias"].toBool();
    return {da, dc, dV, biased ? dbias : Tensor(), Tensor()};
  }
};

// A sentence's loss is a number, so its gradient is known up to a factor when
// the loss is: the forward pass computes both while it has the scores.
struct PairBce : torch::autograd::Function<PairBce> {
  static Tensor forward(AutogradContext* context, const Tensor& a,
                        const Tensor& c, const Tensor& V,
                        const OptionalTensor& bias, const Tensor& gold,
                        const Tensor& lengths, double pos_weight) {
    at::AutoDispatchBelowADInplaceOrView guard;
    auto [loss, da, dc, dV, dbias] =
        call_bce(a, c, V, bias, gold, lengths, pos_weight, true);
    context->save_for_backward(
        {da, dc, dV, dbias, a, c, V, or_undefined(bias), gold, lengths});
    context->saved_data["pos_weight"] = pos_weight;
    return loss;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const OptionalTensor bias = or_none(saved[7]);
    Quadruple result;
    if (at::GradMode::is_enabled()) {
      result = call_bce_double_backward(
          grads[0], saved[4], saved[5], saved[6], bias, saved[8], saved[9],
          context->saved_data["pos_weight"].toDouble());
    } else {
      const Tensor weight = grads[0].unsqueeze(1), wide = weight.unsqueeze(2);
      result = {saved[0].mul(wide), saved[1].mul(wide),
                saved[2].mul(wide).sum(0), saved[3].mul(weight).sum(0)};
    }
    return {std::get<0>(result),
            std::get<1>(result),
            std::get<2>(result),
            bias.has_value() ? std::get<3>(result) : Tensor(),
            Tensor(),
            Tensor(),
            Tensor()};
  }
};

// Public operations ---------------------------------------------------------

struct Arguments {
  Tensor a, c, V;
  OptionalTensor bias;

  bool differentiable() const {
    return at::GradMode::is_enabled() &&
           (a.requires_grad() || c.requires_grad() || V.requires_grad() ||
            (bias.has_value() && bias->requires_grad()));
  }
};

Arguments checked(const Tensor& a, const Tensor& c, const Tensor& V,
                  const OptionalTensor& bias, const Tensor& lengths) {
  TORCH_CHECK_VALUE(a.dim() == 3, "a: got shape ", text(a.sym_sizes()),
                    ", wanted (B, N, D)");
  const auto size = a.sym_size(2);
  check_shape("c", c, {a.sym_size(0), a.sym_size(1), size});
  TORCH_CHECK_VALUE(V.dim() == 2 && V.sym_size(1) == size, "V: got shape ",
                    text(V.sym_sizes()), ", wanted (R, ", size, ")");
  check_device("c", c, "a", a);
  check_device("V", V, "a", a);
  OptionalTensor wide;
  if (bias.has_value()) {
    check_shape("bias", *bias, {V.sym_size(0)});
    check_device("bias", *bias, "a", a);
    wide = promoted("bias", *bias, "a", a);
  }
  check_shape("lengths", lengths, {a.sym_size(0)});
  check_type("lengths", lengths, at::kLong);
  check_device("lengths", lengths, "a", a);
  return {promoted("a", a, "a", a), promoted("c", c, "a", a),
          promoted("V", V, "a", a), wide};
}

void check_list(const char* name, const Tensor& list, int64_t width,
                const char* wanted, const Tensor& a) {
  TORCH_CHECK_VALUE(list.dim() == 2 && list.sym_size(1) == width, name,
                    ": got shape ", text(list.sym_sizes()), ", wanted ",
                    wanted);
  check_type(name, list, at::kLong);
  check_device(name, list, "a", a);
}

Tensor pair_scores(const Tensor& a, const Tensor& c, const Tensor& V,
                   const OptionalTensor& bias, const Tensor& lengths) {
  const auto given = checked(a, c, V, bias, lengths);
  if (given.differentiable()) {
    return PairScores::apply(given.a, given.c, given.V, given.bias, lengths);
  }
  return call_scores(given.a, given.c, given.V, given.bias, lengths);
}

Tensor pair_bce(const Tensor& a, const Tensor& c, const Tensor& V,
                const OptionalTensor& bias, const Tensor& gold,
                const Tensor& lengths, double pos_weight) {
  const auto given = checked(a, c, V, bias, lengths);
  check_list("gold", gold, 4, "(S, 4)", a);
  TORCH_CHECK_VALUE(pos_weight > 0, "pos_weight: got ", pos_weight,
                    ", wanted a number above 0");
  if (given.differentiable()) {
    return PairBce::apply(given.a, given.c, given.V, given.bias, gold, lengths,
                          pos_weight);
  }
  return std::get<0>(call_bce(given.a, given.c, given.V, given.bias, gold,
                              lengths, pos_weight, false));
}

Pair pair_select(const Tensor& a, const Tensor& c, const Tensor& V,
                 const OptionalTensor& bias, const Tensor& anchors,
                 const Tensor& lengths, double threshold) {
  const auto given = checked(a, c, V, bias, lengths);
  check_list("anchors", anchors, 2, "(M, 2)", a);
  static const auto op = find_operation<Pair(
      const Tensor&, const Tensor&, const Tensor&, const OptionalTensor&,
      const Tensor&, const Tensor&, double)>("cman::_pair_select");
  OptionalTensor detached;
  if (given.bias.has_value()) detached = given.bias->detach();
  return op.call(given.a.detach(), given.c.detach(), given.V.detach(), detached,
                 anchors, lengths, threshold);
}

}  // namespace
}  // namespace cman

TORCH_LIBRARY_IMPL(cman, CompositeImplicitAutograd, m) {
  m.impl("pair_scores", cman::pair_scores);
  m.impl("pair_bce", cman::pair_bce);
  m.impl("pair_select", cman::pair_select);
}
