// The inner operations on CUDA: results allocated, and the kernels of
// crf_cuda.cu and pairs_cuda.cu queued on torch's current stream. Nothing waits
// for the device, except pair_select, which must know how many cells there are.

#include <ATen/Dispatch.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/library.h>

#include <tuple>

#include "check.h"
#include "tensors.h"

namespace cman {
namespace {

using Pair = std::tuple<Tensor, Tensor>;
using Four = std::tuple<Tensor, Tensor, Tensor, Tensor>;
using Five = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

void* stream() { return c10::cuda::getCurrentCUDAStream().stream(); }

// CRF -----------------------------------------------------------------------

Tensor crf_workspace(const Tensor& emissions) {
  const int64_t size = crf_workspace_size_cuda(
      emissions.size(0), emissions.size(1), emissions.size(2));
  return at::empty({size}, emissions.options());
}

Pair crf_decode(const Tensor& emissions, const Tensor& transitions,
                const Tensor& start, const Tensor& end, const Tensor& lengths,
                const OptionalTensor& allowed, int64_t nbest) {
  TORCH_INTERNAL_ASSERT(nbest == 1);  // crf.cpp sends the rest elsewhere
  const c10::cuda::CUDAGuard guard(emissions.device());
  const CrfTensors crf(emissions, transitions, start, end, std::nullopt,
                       lengths, allowed);
  const Tensor tags =
      at::empty({emissions.size(0), emissions.size(1)}, lengths.options());
  const Tensor scores = at::empty({emissions.size(0)}, emissions.options());
  const Tensor workspace = crf_workspace(emissions);
  AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_decode", [&] {
    crf_decode_cuda(crf.batch<scalar_t>(), tags.mutable_data_ptr<int64_t>(),
                    scores.mutable_data_ptr<scalar_t>(),
                    workspace.mutable_data_ptr<scalar_t>(), stream());
  });
  return {tags, scores};
}

Pair crf_forward(const Tensor& emissions, const Tensor& transitions,
                 const Tensor& start, const Tensor& end,
                 const OptionalTensor& tags, const Tensor& lengths,
                 const OptionalTensor& allowed, bool keep) {
  const c10::cuda::CUDAGuard guard(emissions.device());
  const CrfTensors crf(emissions, transitions, start, end, tags, lengths,
                       allowed);
  const Tensor result = at::empty({emissions.size(0)}, emissions.options());
  const Tensor workspace =
      keep ? crf_workspace(emissions) : at::empty({0}, emissions.options());
  AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_forward", [&] {
    auto* kept = keep ? workspace.mutable_data_ptr<scalar_t>() : nullptr;
    crf_forward_cuda(crf.batch<scalar_t>(), kept,
                     result.mutable_data_ptr<scalar_t>(), stream());
  });
  return {result, workspace};
}

Four crf_backward(const Tensor& grad, const Tensor& workspace,
                  const Tensor& emissions, const Tensor& transitions,
                  const Tensor& start, const Tensor& end,
                  const OptionalTensor& tags, const Tensor& lengths,
                  const OptionalTensor& allowed) {
  const c10::cuda::CUDAGuard guard(emissions.device());
  const CrfTensors crf(emissions, transitions, start, end, tags, lengths,
                       allowed);
  const Tensor weight = grad.contiguous();
  const Tensor d_emissions = at::empty_like(crf.emissions);
  const Tensor d_transitions = at::zeros_like(crf.transitions);
  const Tensor d_start = at::zeros_like(crf.start);
  const Tensor d_end = at::zeros_like(crf.end);
  AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_backward", [&] {
    crf_backward_cuda(crf.batch<scalar_t>(),
                      workspace.mutable_data_ptr<scalar_t>(),
                      weight.const_data_ptr<scalar_t>(),
                      d_emissions.mutable_data_ptr<scalar_t>(),
                      d_transitions.mutable_data_ptr<scalar_t>(),
                      d_start.mutable_data_ptr<scalar_t>(),
                      d_end.mutable_data_ptr<scalar_t>(), stream());
  });
  return {d_emissions, d_transitions, d_start, d_end};
}

Tensor crf_marginals(const Tensor& emissions, const Tensor& transitions,
                     const Tensor& start, const Tensor& end,
                     const Tensor& lengths, const OptionalTensor& allowed) {
  const c10::cuda::CUDAGuard guard(emissions.device());
  const CrfTensors crf(emissions, transitions, start, end, std::nullopt,
                       lengths, allowed);
  const Tensor result = at::empty_like(crf.emissions);
  const Tensor workspace = crf_workspace(emissions);
  AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_marginals", [&] {
    crf_marginals_cuda(crf.batch<scalar_t>(),
                       workspace.mutable_data_ptr<scalar_t>(),
                       result.mutable_data_ptr<scalar_t>(), stream());
  });
  return result;
}

// Pairs ---------------------------------------------------------------------

Tensor pair_scores(const Tensor& a, const Tensor& c, const Tensor& V,
                   const OptionalTensor& bias, const Tensor& lengths) {
  const c10::cuda::CUDAGuard guard(a.device());
  const PairTensors pairs(a, c, V, bias, lengths);
  const int64_t length = a.size(1);
  const Tensor scores =
      at::empty({a.size(0), length, length, V.size(0)}, a.options());
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_scores", [&] {
    pair_scores_cuda(pairs.batch<scalar_t>(),
                     scores.mutable_data_ptr<scalar_t>(), stream());
  });
  return scores;
}

Four pair_scores_backward(const Tensor& grad, const Tensor& a, const Tensor& c,
                          const Tensor& V, const Tensor& lengths) {
  const c10::cuda::CUDAGuard guard(a.device());
  const PairTensors pairs(a, c, V, std::nullopt, lengths);
  const Tensor upstream = grad.contiguous();
  const Tensor da = at::zeros_like(pairs.a), dc = at::zeros_like(pairs.c);
  const Tensor dV = at::zeros_like(pairs.V);
  const Tensor dbias = at::zeros({V.size(0)}, V.options());
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_scores_backward", [&] {
    pair_scores_backward_cuda(
        pairs.batch<scalar_t>(), upstream.const_data_ptr<scalar_t>(),
        da.mutable_data_ptr<scalar_t>(), dc.mutable_data_ptr<scalar_t>(),
        dV.mutable_data_ptr<scalar_t>(), dbias.mutable_data_ptr<scalar_t>(),
        stream());
  });
  return {da, dc, dV, dbias};
}

Five pair_bce(const Tensor& a, const Tensor& c, const Tensor& V,
              const OptionalTensor& bias, const Tensor& gold,
              const Tensor& lengths, double pos_weight, bool differentiate) {
  const c10::cuda::CUDAGuard guard(a.device());
  const PairTensors pairs(a, c, V, bias, lengths);
  const Tensor cells = gold.contiguous();
  const int64_t batch = a.size(0), labels = V.size(0);
  const Tensor loss = at::zeros({batch}, a.options());
  const int64_t kept = differentiate ? batch : 0;
  const Tensor da = at::zeros({kept, a.size(1), a.size(2)}, a.options());
  const Tensor dc = at::zeros_like(da);
  const Tensor dV = at::zeros({kept, labels, a.size(2)}, a.options());
  const Tensor dbias = at::zeros({kept, labels}, a.options());
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_bce", [&] {
    const auto pointer = [&](const Tensor& tensor) -> scalar_t* {
      return differentiate ? tensor.mutable_data_ptr<scalar_t>() : nullptr;
    };
    const PairGold listed{cells.const_data_ptr<int64_t>(), cells.size(0)};
    pair_bce_cuda(pairs.batch<scalar_t>(), listed,
                  static_cast<scalar_t>(pos_weight),
                  loss.mutable_data_ptr<scalar_t>(), pointer(da), pointer(dc),
                  pointer(dV), pointer(dbias), stream());
  });
  return {loss, da, dc, dV, dbias};
}

Pair pair_select(const Tensor& a, const Tensor& c, const Tensor& V,
                 const OptionalTensor& bias, const Tensor& anchors,
                 const Tensor& lengths, double threshold) {
  const c10::cuda::CUDAGuard guard(a.device());
  const PairTensors pairs(a, c, V, bias, lengths);
  const Tensor tokens = anchors.contiguous();
  const PairAnchors chosen{tokens.const_data_ptr<int64_t>(), tokens.size(0)};
  const Tensor counts = at::zeros({tokens.size(0)}, lengths.options());
  Tensor cells, scores;
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_select", [&] {
    const auto bound = static_cast<scalar_t>(threshold);
    pair_select_count_cuda(pairs.batch<scalar_t>(), chosen, bound,
                           counts.mutable_data_ptr<int64_t>(), stream());
    const Tensor ends = counts.cumsum(0), offsets = ends.sub(counts);
    const int64_t found =
        tokens.size(0) > 0 ? ends[-1].item<int64_t>() : 0;  // waits here
    cells = at::empty({found, 4}, lengths.options());
    scores = at::empty({found}, a.options());
    pair_select_fill_cuda(pairs.batch<scalar_t>(), chosen, bound,
                          offsets.const_data_ptr<int64_t>(),
                          cells.mutable_data_ptr<int64_t>(),
                          scores.mutable_data_ptr<scalar_t>(), stream());
  });
  return {cells, scores};
}

}  // namespace
}  // namespace cman

TORCH_LIBRARY_IMPL(cman, CUDA, m) {
  m.impl("_crf_decode", cman::crf_decode);
  m.impl("_crf_forward", cman::crf_forward);
  m.impl("_crf_backward", cman::crf_backward);
  m.impl("_crf_marginals", cman::crf_marginals);
  m.impl("_pair_scores", cman::pair_scores);
  m.impl("_pair_scores_backward", cman::pair_scores_backward);
  m.impl("_pair_bce", cman::pair_bce);
  m.impl("_pair_select", cman::pair_select);
}
