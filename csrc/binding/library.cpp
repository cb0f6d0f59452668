// The operations' schemas, torch.ops.cman.*, and the module cman._C.
//
// Public operations check their arguments, bring half precision to float32 and
// call one of the inner operations, whose names begin with an underscore and
// which have a kernel a device and a fake kernel (cman/kernels/crf.py, pairs.py
// and recurrent.py). Being composite, the public ones need no autograd or
// autocast kernels of their own: torch sees the inner operation and the
// autograd function around it.

#include <pybind11/pybind11.h>
#include <torch/library.h>

#include <string>

#include "binding/products.h"
#include "simd/isa.h"

TORCH_LIBRARY(cman, m) {
  m.def(
      "crf_decode(Tensor emissions, Tensor transitions, Tensor start, Tensor "
      "end, Tensor lengths, *, Tensor? allowed=None, int nbest=1) -> (Tensor, "
      "Tensor)");
  m.def(
      "crf_log_partition(Tensor emissions, Tensor transitions, Tensor start, "
      "Tensor end, Tensor lengths, *, Tensor? allowed=None) -> Tensor");
  m.def(
      "crf_nll(Tensor emissions, Tensor transitions, Tensor start, Tensor end, "
      "Tensor tags, Tensor lengths, *, Tensor? allowed=None) -> Tensor");
  m.def(
      "crf_marginals(Tensor emissions, Tensor transitions, Tensor start, "
      "Tensor end, Tensor lengths, *, Tensor? allowed=None) -> Tensor");
  m.def(
      "crf_span_marginals(Tensor emissions, Tensor transitions, Tensor start, "
      "Tensor end, Tensor lengths, Tensor spans, Tensor tags, Tensor next_tag) "
      "-> Tensor");
  m.def(
      "pair_scores(Tensor a, Tensor c, Tensor V, Tensor? bias, Tensor lengths) "
      "-> Tensor");
  m.def(
      "pair_bce(Tensor a, Tensor c, Tensor V, Tensor? bias, Tensor gold, "
      "Tensor lengths, *, float pos_weight=1.0) -> Tensor");
  m.def(
      "pair_select(Tensor a, Tensor c, Tensor V, Tensor? bias, Tensor anchors, "
      "Tensor lengths, float threshold) -> (Tensor, Tensor)");

  m.def(
      "lstm(Tensor x, Tensor lengths, Tensor W, Tensor U, Tensor bias, bool "
      "backwards=False) -> Tensor");

  m.def(
      "_crf_decode(Tensor emissions, Tensor transitions, Tensor start, Tensor "
      "end, Tensor lengths, Tensor? allowed, int nbest) -> (Tensor, Tensor)");
  m.def(
      "_crf_forward(Tensor emissions, Tensor transitions, Tensor start, Tensor "
      "end, Tensor? tags, Tensor lengths, Tensor? allowed, bool keep) -> "
      "(Tensor, Tensor)");
  m.def(
      "_crf_backward(Tensor grad, Tensor(a!) workspace, Tensor emissions, "
      "Tensor transitions, Tensor start, Tensor end, Tensor? tags, Tensor "
      "lengths, Tensor? allowed) -> (Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "_crf_marginals(Tensor emissions, Tensor transitions, Tensor start, "
      "Tensor end, Tensor lengths, Tensor? allowed) -> Tensor");
  m.def(
      "_crf_span_marginals(Tensor emissions, Tensor transitions, Tensor start, "
      "Tensor end, Tensor lengths, Tensor spans, Tensor tags, Tensor next_tag) "
      "-> Tensor");
  m.def(
      "_pair_scores(Tensor a, Tensor c, Tensor V, Tensor? bias, Tensor "
      "lengths) -> Tensor");
  m.def(
      "_pair_scores_backward(Tensor grad, Tensor a, Tensor c, Tensor V, Tensor "
      "lengths) -> (Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "_pair_bce(Tensor a, Tensor c, Tensor V, Tensor? bias, Tensor gold, "
      "Tensor lengths, float pos_weight, bool differentiate) -> (Tensor, "
      "Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "_pair_select(Tensor a, Tensor c, Tensor V, Tensor? bias, Tensor "
      "anchors, Tensor lengths, float threshold) -> (Tensor, Tensor)");
  m.def(
      "_lstm_forward(Tensor x, Tensor lengths, Tensor W, Tensor U, Tensor "
      "bias, bool backwards) -> (Tensor, Tensor, Tensor)");
  m.def(
      "_lstm_backward(Tensor grad, Tensor x, Tensor lengths, Tensor W, Tensor "
      "U, Tensor outputs, Tensor gates, Tensor cells, bool backwards) -> "
      "(Tensor, Tensor, Tensor, Tensor)");

  // The n best paths on other devices than the CPU: plain PyTorch as well.
  m.def(
      "_crf_decode_nbest(Tensor emissions, Tensor transitions, Tensor start, "
      "Tensor end, Tensor lengths, Tensor? allowed, int nbest) -> (Tensor, "
      "Tensor)");

  // Gradients that can be differentiated again: plain PyTorch, registered by
  // cman/kernels/crf.py and pairs.py.
  m.def(
      "_crf_double_backward(Tensor grad, Tensor emissions, Tensor transitions, "
      "Tensor start, Tensor end, Tensor? tags, Tensor lengths, Tensor? "
      "allowed) -> (Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "_pair_scores_double_backward(Tensor grad, Tensor a, Tensor c, Tensor V, "
      "Tensor lengths) -> (Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "_pair_bce_double_backward(Tensor grad, Tensor a, Tensor c, Tensor V, "
      "Tensor? bias, Tensor gold, Tensor lengths, float pos_weight) -> "
      "(Tensor, "
      "Tensor, Tensor, Tensor)");
}

PYBIND11_MODULE(_C, module) {
  module.doc() = "The compiled operations; importing it registers them.";
  module.def(
      "isa", [] { return std::string(cman::isa_name(cman::isa())); },
      "The instruction set in use: portable, avx2 or avx512.");
  module.def(
      "set_isa",
      [](const std::string& name) {
        for (const cman::Isa each :
             {cman::Isa::portable, cman::Isa::avx2, cman::Isa::avx512}) {
          if (name == cman::isa_name(each)) return cman::set_isa(each);
        }
        return false;
      },
      "Use an instruction set; False where the processor lacks it.");
  module.def(
      "by_onednn", [] { return cman::by_onednn(); },
      "Whether products of float32 go to oneDNN.");
  module.attr("cuda") = pybind11::bool_(
#ifdef CMAN_CUDA
      true
#else
      false
#endif
  );
}
