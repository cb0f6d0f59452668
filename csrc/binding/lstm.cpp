// The LSTM over padded sentences as torch sees it: checks, half precision,
// autograd. What needs no token before, matrix products compute for all tokens
// at once; the recurrence is lstm/'s.

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <numeric>

#include "binding/check.h"
#include "binding/device.h"
#include "binding/operation.h"
#include "binding/products.h"
#include "lstm/interface.h"

namespace cman {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Triple = std::tuple<Tensor, Tensor, Tensor>;

// The inner operations ------------------------------------------------------

// A batch's tokens without its padding: their rows among all (B L).
Tensor tokens_of(const Tensor& lengths, int64_t longest) {
  const int64_t* const length = lengths.const_data_ptr<int64_t>();
  const int64_t batch = lengths.size(0);
  const Tensor result = at::empty(
      {std::accumulate(length, length + batch, int64_t(0))}, lengths.options());
  int64_t* row = result.mutable_data_ptr<int64_t>();
  for (int64_t b = 0; b < batch; row += length[b++]) {
    std::iota(row, row + length[b], b * longest);
  }
  return result;
}

Tensor rows_of(const Tensor& values) {  // (B, L, N) -> (B L, N)
  return values.reshape({values.size(0) * values.size(1), values.size(2)});
}

// The tokens' rows of (B L, N), and rows of 0 up to what products take.
Tensor taken(const Tensor& rows, const Tensor& tokens) {
  const int64_t count = tokens.size(0), all = product_rows(count);
  if (all == count) return rows.index_select(0, tokens);
  const Tensor result = at::empty({all, rows.size(1)}, rows.options());
  Tensor of_tokens = result.narrow(0, 0, count);
  at::index_select_out(of_tokens, rows, 0, tokens);
  result.narrow(0, count, all - count).zero_();
  return result;
}

// (T, N) -> (B, L, N), 0 in the padding.
Tensor padded(const Tensor& rows, const Tensor& tokens, at::IntArrayRef sizes) {
  const Tensor result = at::zeros(sizes, rows.options());
  result.view({sizes[0] * sizes[1], sizes[2]}).index_copy_(0, tokens, rows);
  return result;
}

LstmBatch batch_of(const Tensor& lengths, const Tensor& U, bool backwards) {
  return {U.const_data_ptr<float>(), lengths.const_data_ptr<int64_t>(),
          lengths.size(0), U.size(1), backwards};
}

// Outputs (B, L, H); for the gradient, the gates' values and cells, whose first
// T rows are the tokens'.
Triple forward(const Tensor& x, const Tensor& lengths, const Tensor& W,
               const Tensor& U, const Tensor& bias, bool backwards) {
  const Cpu device(x);
  const Tensor known = lengths.contiguous(), weights = U.contiguous();
  const int64_t B = x.size(0), L = x.size(1), H = U.size(1);
  check_range("lengths", known, 0, L);
  const Tensor tokens = tokens_of(known, L);
  const int64_t T = tokens.size(0);
  const Tensor all_gates = at::empty({B, L, 4 * H}, x.options());
  const Tensor all_cells = at::empty({B, L, H}, x.options());
  const Tensor gates = rows_of(all_gates).narrow(0, 0, T);
  const Tensor cells = rows_of(all_cells).narrow(0, 0, T);
  rows_of(all_gates).narrow(0, T, B * L - T).zero_();
  rows_of(all_cells).narrow(0, T, B * L - T).zero_();
  gates.copy_(product(taken(rows_of(x), tokens), W, bias).narrow(0, 0, T));
  const Tensor outputs = at::empty_like(cells);
  lstm_forward(batch_of(known, weights, backwards),
               gates.mutable_data_ptr<float>(), cells.mutable_data_ptr<float>(),
               outputs.mutable_data_ptr<float>(), device.where());
  return {padded(outputs, tokens, {B, L, H}), all_gates, all_cells};
}

// The gradients of x, W, U and the bias.
Quadruple backward(const Tensor& grad, const Tensor& x, const Tensor& lengths,
                   const Tensor& W, const Tensor& U, const Tensor& outputs,
                   const Tensor& gates, const Tensor& cells, bool backwards) {
  const Cpu device(x);
  const Tensor known = lengths.contiguous(), weights = U.contiguous();
  const Tensor tokens = tokens_of(known, x.size(1));
  const int64_t T = tokens.size(0), H = U.size(1);
  const Tensor upstream = rows_of(grad).index_select(0, tokens);
  const Tensor slopes = at::empty({product_rows(T), 4 * H}, x.options());
  slopes.narrow(0, T, slopes.size(0) - T).zero_();
  lstm_backward(batch_of(known, weights, backwards),
                upstream.const_data_ptr<float>(), gates.const_data_ptr<float>(),
                cells.const_data_ptr<float>(), slopes.mutable_data_ptr<float>(),
                device.where());
  const Tensor before = at::zeros_like(outputs);  // h' of each token
  if (const int64_t others = x.size(1) - 1; others > 0) {
    before.narrow(1, backwards ? 0 : 1, others)
        .copy_(outputs.narrow(1, backwards ? 1 : 0, others));
  }
  const Tensor transposed = slopes.t();
  return {padded(product(slopes, W.t()).narrow(0, 0, T), tokens, x.sizes()),
          product(transposed, taken(rows_of(x), tokens).t()),
          product(transposed, taken(rows_of(before), tokens).t()),
          at::sum(slopes, 0)};
}

Triple call_forward(const Tensor& x, const Tensor& lengths, const Tensor& W,
                    const Tensor& U, const Tensor& bias, bool backwards) {
  static const auto op =
      find_operation<Triple(const Tensor&, const Tensor&, const Tensor&,
                            const Tensor&, const Tensor&, bool)>(
          "cman::_lstm_forward");
  return op.call(x, lengths, W, U, bias, backwards);
}

Quadruple call_backward(const Tensor& grad, const variable_list& saved,
                        bool backwards) {
  static const auto op = find_operation<Quadruple(
      const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
      const Tensor&, const Tensor&, const Tensor&, bool)>(
      "cman::_lstm_backward");
  return op.call(grad, saved[0], saved[1], saved[2], saved[3], saved[4],
                 saved[5], saved[6], backwards);
}

// Autograd ------------------------------------------------------------------

struct Lstm : torch::autograd::Function<Lstm> {
  static Tensor forward(AutogradContext* context, const Tensor& x,
                        const Tensor& lengths, const Tensor& W, const Tensor& U,
                        const Tensor& bias, bool backwards) {
    at::AutoDispatchBelowADInplaceOrView guard;
    auto [outputs, gates, cells] =
        call_forward(x, lengths, W, U, bias, backwards);
    context->save_for_backward({x, lengths, W, U, outputs, gates, cells});
    context->saved_data["backwards"] = backwards;
    return outputs;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    TORCH_CHECK_NOT_IMPLEMENTED(
        !at::GradMode::is_enabled(),
        "cman::lstm: found a gradient that is to be differentiated again, "
        "wanted the first one alone: cman.kernels.reference has the others");
    auto [dx, dW, dU, dbias] =
        call_backward(grads[0], context->get_saved_variables(),
                      context->saved_data["backwards"].toBool());
    return {dx, Tensor(), dW, dU, dbias, Tensor()};
  }
};

// Public operation ----------------------------------------------------------

Tensor lstm(const Tensor& x, const Tensor& lengths, const Tensor& W,
            const Tensor& U, const Tensor& bias, bool backwards) {
  TORCH_CHECK_VALUE(x.dim() == 3, "x: got shape ", text(x.sym_sizes()),
                    ", wanted (B, L, D)");
  TORCH_CHECK_VALUE(U.dim() == 2 && U.sym_size(0) == 4 * U.sym_size(1),
                    "U: got shape ", text(U.sym_sizes()), ", wanted (4 H, H)");
  check_shape("W", W, {U.sym_size(0), x.sym_size(2)});
  check_shape("bias", bias, {U.sym_size(0)});
  check_shape("lengths", lengths, {x.sym_size(0)});
  check_type("lengths", lengths, at::kLong);
  check_device("lengths", lengths, "x", x);
  check_device("W", W, "x", x);
  check_device("U", U, "x", x);
  check_device("bias", bias, "x", x);
  const Tensor wide = promoted("x", x, "x", x);
  check_type("x", wide, at::kFloat);
  const Tensor W_ = promoted("W", W, "x", x), U_ = promoted("U", U, "x", x),
               bias_ = promoted("bias", bias, "x", x);
  const bool differentiable = at::GradMode::is_enabled() &&
                              (wide.requires_grad() || W_.requires_grad() ||
                               U_.requires_grad() || bias_.requires_grad());
  if (differentiable) {
    return Lstm::apply(wide, lengths, W_, U_, bias_, backwards);
  }
  return std::get<0>(call_forward(wide, lengths, W_, U_, bias_, backwards));
}

}  // namespace
}  // namespace cman

TORCH_LIBRARY_IMPL(cman, CompositeImplicitAutograd, m) {
  m.impl("lstm", cman::lstm);
}

TORCH_LIBRARY_IMPL(cman, CPU, m) {
  m.impl("_lstm_forward", cman::forward);
  m.impl("_lstm_backward", cman::backward);
}
