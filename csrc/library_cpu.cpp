// The inner operations on the CPU: values are checked, results allocated, and
// the kernels of crf_cpu.cpp and pairs_cpu.cpp called with torch's threads.

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

#include <tuple>
#include <vector>

#include "check.h"
#include "tensors.h"

namespace cman {
namespace {

using Pair = std::tuple<Tensor, Tensor>;
using Four = std::tuple<Tensor, Tensor, Tensor, Tensor>;
using Five = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;

void parallel_for(int64_t count, int64_t grain, const Work& work) {
  at::parallel_for(0, count, grain, work);
}

// CRF -----------------------------------------------------------------------

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

Pair crf_decode(const Tensor& emissions, const Tensor& transitions,
                const Tensor& start, const Tensor& end, const Tensor& lengths,
                const OptionalTensor& allowed, int64_t nbest) {
  const CrfTensors crf(emissions, transitions, start, end, std::nullopt,
                       lengths, allowed);
  check_values(crf);
  const int64_t batch = emissions.size(0), length = emissions.size(1);
  const bool one = nbest == 1;
  const Tensor tags =
      one ? at::empty({batch, length}, lengths.options())
          : at::empty({batch, nbest, length}, lengths.options());
  const Tensor scores = one ? at::empty({batch}, emissions.options())
                            : at::empty({batch, nbest}, emissions.options());
  AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_decode", [&] {
    auto* path = tags.mutable_data_ptr<int64_t>();
    auto* score = scores.mutable_data_ptr<scalar_t>();
    if (one) {
      crf_decode_cpu(crf.batch<scalar_t>(), path, score, parallel_for);
    } else {
      crf_decode_nbest_cpu(crf.batch<scalar_t>(), nbest, path, score,
                           parallel_for);
    }
  });
  return {tags, scores};
}

Pair crf_forward(const Tensor& emissions, const Tensor& transitions,
                 const Tensor& start, const Tensor& end,
                 const OptionalTensor& tags, const Tensor& lengths,
                 const OptionalTensor& allowed, bool keep) {
  const CrfTensors crf(emissions, transitions, start, end, tags, lengths,
                       allowed);
  check_values(crf);
  const Tensor result = at::empty({emissions.size(0)}, emissions.options());
  const int64_t size = crf_workspace_size(emissions.size(0), emissions.size(1),
                                          emissions.size(2));
  const Tensor workspace = at::empty({keep ? size : 0}, emissions.options());
  AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_forward", [&] {
    auto* kept = keep ? workspace.mutable_data_ptr<scalar_t>() : nullptr;
    crf_forward_cpu(crf.batch<scalar_t>(), kept,
                    result.mutable_data_ptr<scalar_t>(), parallel_for);
  });
  return {result, workspace};
}

Four crf_backward(const Tensor& grad, const Tensor& workspace,
                  const Tensor& emissions, const Tensor& transitions,
                  const Tensor& start, const Tensor& end,
                  const OptionalTensor& tags, const Tensor& lengths,
                  const OptionalTensor& allowed) {
  const CrfTensors crf(emissions, transitions, start, end, tags, lengths,
                       allowed);
  const Tensor weight = grad.contiguous();
  const Tensor d_emissions = at::empty_like(crf.emissions);
  const Tensor d_transitions = at::empty_like(crf.transitions);
  const Tensor d_start = at::empty_like(crf.start);
  const Tensor d_end = at::empty_like(crf.end);
  AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_backward", [&] {
    crf_backward_cpu(crf.batch<scalar_t>(),
                     workspace.const_data_ptr<scalar_t>(),
                     weight.const_data_ptr<scalar_t>(),
                     d_emissions.mutable_data_ptr<scalar_t>(),
                     d_transitions.mutable_data_ptr<scalar_t>(),
                     d_start.mutable_data_ptr<scalar_t>(),
                     d_end.mutable_data_ptr<scalar_t>(), parallel_for);
  });
  return {d_emissions, d_transitions, d_start, d_end};
}

Tensor crf_marginals(const Tensor& emissions, const Tensor& transitions,
                     const Tensor& start, const Tensor& end,
                     const Tensor& lengths, const OptionalTensor& allowed) {
  const CrfTensors crf(emissions, transitions, start, end, std::nullopt,
                       lengths, allowed);
  check_values(crf);
  const Tensor result = at::empty_like(crf.emissions);
  AT_DISPATCH_FLOATING_TYPES(emissions.scalar_type(), "crf_marginals", [&] {
    crf_marginals_cpu(crf.batch<scalar_t>(),
                      result.mutable_data_ptr<scalar_t>(), parallel_for);
  });
  return result;
}

// Pairs ---------------------------------------------------------------------

Tensor pair_scores(const Tensor& a, const Tensor& c, const Tensor& V,
                   const OptionalTensor& bias, const Tensor& lengths) {
  const PairTensors pairs(a, c, V, bias, lengths);
  const int64_t length = a.size(1);
  check_range("lengths", pairs.lengths, 0, length);
  const Tensor scores =
      at::empty({a.size(0), length, length, V.size(0)}, a.options());
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_scores", [&] {
    pair_scores_cpu(pairs.batch<scalar_t>(),
                    scores.mutable_data_ptr<scalar_t>(), parallel_for);
  });
  return scores;
}

Four pair_scores_backward(const Tensor& grad, const Tensor& a, const Tensor& c,
                          const Tensor& V, const Tensor& lengths) {
  const PairTensors pairs(a, c, V, std::nullopt, lengths);
  check_range("lengths", pairs.lengths, 0, a.size(1));
  const Tensor upstream = grad.contiguous();
  const Tensor da = at::empty_like(pairs.a), dc = at::empty_like(pairs.c);
  const Tensor dV = at::empty_like(pairs.V);
  const Tensor dbias = at::empty({V.size(0)}, V.options());
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_scores_backward", [&] {
    pair_scores_backward_cpu(
        pairs.batch<scalar_t>(), upstream.const_data_ptr<scalar_t>(),
        da.mutable_data_ptr<scalar_t>(), dc.mutable_data_ptr<scalar_t>(),
        dV.mutable_data_ptr<scalar_t>(), dbias.mutable_data_ptr<scalar_t>(),
        parallel_for);
  });
  return {da, dc, dV, dbias};
}

// Each row of `cells` names tokens of its sentence.
void check_tokens(const char* name, const Tensor& cells, int64_t ends,
                  const PairTensors& pairs) {
  const int64_t* cell = cells.const_data_ptr<int64_t>();
  const int64_t* length = pairs.lengths.const_data_ptr<int64_t>();
  const int64_t width = cells.size(1), batch = pairs.a.size(0);
  for (int64_t s = 0; s < cells.size(0); ++s, cell += width) {
    TORCH_CHECK_VALUE(cell[0] >= 0 && cell[0] < batch, name, ": got sentence ",
                      cell[0], " in row ", s, ", wanted 0 to ", batch - 1);
    for (int64_t end = 1; end <= ends; ++end) {
      TORCH_CHECK_VALUE(cell[end] >= 0 && cell[end] < length[cell[0]], name,
                        ": got token ", cell[end], " in row ", s,
                        ", wanted 0 to ", length[cell[0]] - 1);
    }
  }
}

Five pair_bce(const Tensor& a, const Tensor& c, const Tensor& V,
              const OptionalTensor& bias, const Tensor& gold,
              const Tensor& lengths, double pos_weight, bool differentiate) {
  const PairTensors pairs(a, c, V, bias, lengths);
  const Tensor cells = gold.contiguous();
  const int64_t batch = a.size(0), labels = V.size(0);
  check_range("lengths", pairs.lengths, 0, a.size(1));
  check_tokens("gold", cells, 2, pairs);
  if (cells.size(0) > 0) check_range("gold", cells.select(1, 3), 0, labels - 1);
  const Tensor loss = at::empty({batch}, a.options());
  const int64_t kept = differentiate ? batch : 0;
  const Tensor da = at::empty({kept, a.size(1), a.size(2)}, a.options());
  const Tensor dc = at::empty_like(da);
  const Tensor dV = at::empty({kept, labels, a.size(2)}, a.options());
  const Tensor dbias = at::empty({kept, labels}, a.options());
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_bce", [&] {
    const auto pointer = [&](const Tensor& tensor) -> scalar_t* {
      return differentiate ? tensor.mutable_data_ptr<scalar_t>() : nullptr;
    };
    const PairGold listed{cells.const_data_ptr<int64_t>(), cells.size(0)};
    pair_bce_cpu(pairs.batch<scalar_t>(), listed,
                 static_cast<scalar_t>(pos_weight),
                 loss.mutable_data_ptr<scalar_t>(), pointer(da), pointer(dc),
                 pointer(dV), pointer(dbias), parallel_for);
  });
  return {loss, da, dc, dV, dbias};
}

Pair pair_select(const Tensor& a, const Tensor& c, const Tensor& V,
                 const OptionalTensor& bias, const Tensor& anchors,
                 const Tensor& lengths, double threshold) {
  const PairTensors pairs(a, c, V, bias, lengths);
  const Tensor tokens = anchors.contiguous();
  check_range("lengths", pairs.lengths, 0, a.size(1));
  check_tokens("anchors", tokens, 1, pairs);
  const int64_t* token = tokens.const_data_ptr<int64_t>();
  for (int64_t m = 1; m < tokens.size(0); ++m) {
    const int64_t* before = token + 2 * (m - 1);
    const int64_t* after = token + 2 * m;
    TORCH_CHECK_VALUE(
        before[0] < after[0] || (before[0] == after[0] && before[1] < after[1]),
        "anchors: got tokens out of order or twice, wanted them "
        "sorted, each once");
  }
  std::vector<int64_t> cells;
  Tensor scores;
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_select", [&] {
    std::vector<scalar_t> found;
    const auto take = [&](const PairCell<scalar_t>* cell, int64_t count) {
      for (int64_t s = 0; s < count; ++s, ++cell) {
        cells.insert(cells.end(),
                     {cell->sentence, cell->head, cell->tail, cell->label});
        found.push_back(cell->score);
      }
    };
    pair_select_cpu<scalar_t>(pairs.batch<scalar_t>(), {token, tokens.size(0)},
                              static_cast<scalar_t>(threshold), take,
                              parallel_for);
    scores = at::empty({static_cast<int64_t>(found.size())}, a.options());
    std::copy(found.begin(), found.end(), scores.mutable_data_ptr<scalar_t>());
  });
  const Tensor indices =
      at::empty({static_cast<int64_t>(cells.size()) / 4, 4}, lengths.options());
  std::copy(cells.begin(), cells.end(), indices.mutable_data_ptr<int64_t>());
  return {indices, scores};
}

}  // namespace
}  // namespace cman

TORCH_LIBRARY_IMPL(cman, CPU, m) {
  m.impl("_crf_decode", cman::crf_decode);
  m.impl("_crf_forward", cman::crf_forward);
  m.impl("_crf_backward", cman::crf_backward);
  m.impl("_crf_marginals", cman::crf_marginals);
  m.impl("_pair_scores", cman::pair_scores);
  m.impl("_pair_scores_backward", cman::pair_scores_backward);
  m.impl("_pair_bce", cman::pair_bce);
  m.impl("_pair_select", cman::pair_select);
}
