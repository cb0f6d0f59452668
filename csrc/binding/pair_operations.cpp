// The inner pair operations, on each device: values checked where they are
// known, results allocated, and the kernels of pairs/ called. Nothing waits for
// a GPU, except pair_select, which must know how many cells there are.

#include <ATen/Dispatch.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <vector>

#include "binding/check.h"
#include "binding/device.h"
#include "binding/tensors.h"

namespace cman {
namespace {

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

void check_order(bool sorted) {
  TORCH_CHECK_VALUE(sorted,
                    "anchors: got tokens out of order or twice, wanted them "
                    "sorted, each once");
}

void check_anchors(const Tensor& tokens, const PairTensors& pairs) {
  check_tokens("anchors", tokens, 1, pairs);
  const int64_t* token = tokens.const_data_ptr<int64_t>();
  for (int64_t m = 1; m < tokens.size(0); ++m) {
    const int64_t* before = token + 2 * (m - 1);
    const int64_t* after = token + 2 * m;
    check_order(before[0] < after[0] ||
                (before[0] == after[0] && before[1] < after[1]));
  }
}

void check_lengths(const PairTensors& pairs) {
  check_range("lengths", pairs.lengths, 0, pairs.a.size(1));
}

// The cells above the threshold: their indices (S, 4) and scores (S).
template <typename T>
Pair select_cells(const Cpu& device, const PairBatch<T>& input,
                  const PairAnchors& anchors, T threshold, const Tensor& like,
                  const Tensor& like_index) {
  std::vector<int64_t> cells;
  std::vector<T> above;
  const auto take = [&](const PairCell<T>* cell, int64_t count) {
    for (int64_t s = 0; s < count; ++s, ++cell) {
      cells.insert(cells.end(),
                   {cell->sentence, cell->head, cell->tail, cell->label});
      above.push_back(cell->score);
    }
  };
  pair_select<T>(input, anchors, threshold, take, device.where());
  const auto count = static_cast<int64_t>(above.size());
  const Tensor indices = at::empty({count, 4}, like_index.options());
  const Tensor scores = at::empty({count}, like.options());
  std::copy(cells.begin(), cells.end(), indices.mutable_data_ptr<int64_t>());
  std::copy(above.begin(), above.end(), scores.mutable_data_ptr<T>());
  return {indices, scores};
}

#ifdef CMAN_CUDA
template <typename T>
Pair select_cells(const Cuda& device, const PairBatch<T>& input,
                  const PairAnchors& anchors, T threshold, const Tensor& like,
                  const Tensor& like_index) {
  // One piece of memory, so that the host, which waits here for the number of
  // cells, has what is wrong with the anchors by the same copy.
  const Tensor all = at::zeros({anchors.count + 2}, like_index.options());
  const Tensor counts = all.narrow(0, 0, anchors.count);
  int64_t* const first = all.mutable_data_ptr<int64_t>();
  pair_select_count(input, anchors, threshold, first, first + anchors.count,
                    device.where());
  const Tensor ends = all.cumsum(0);
  const Tensor offsets = ends.narrow(0, 0, anchors.count).sub(counts);
  const Tensor known = at::stack({counts.sum(), all[-2], all[-1]}).to(at::kCPU);
  const int64_t* const number = known.const_data_ptr<int64_t>();
  const int64_t count = number[0];
  TORCH_CHECK_VALUE(number[1] == 0,
                    "anchors: got a token that no sentence has, wanted tokens "
                    "within the lengths");
  check_order(number[2] == 0);
  const Tensor indices = at::empty({count, 4}, like_index.options());
  const Tensor scores = at::empty({count}, like.options());
  pair_select_fill(input, anchors, threshold, offsets.const_data_ptr<int64_t>(),
                   indices.mutable_data_ptr<int64_t>(),
                   scores.mutable_data_ptr<T>(), device.where());
  return {indices, scores};
}
#endif

template <typename T>
PairParts parts_of(const Cpu& /*device*/, const PairBatch<T>& /*input*/) {
  return {1, 1, 1, 1, 1};
}

#ifdef CMAN_CUDA
template <typename T>
PairParts parts_of(const Cuda& /*device*/, const PairBatch<T>& input) {
  return pair_parts(input);
}
#endif

template <class Device>
struct PairOperations {
  static Tensor scores(const Tensor& a, const Tensor& c, const Tensor& V,
                       const OptionalTensor& bias, const Tensor& lengths) {
    const Device device(a);
    const PairTensors pairs(a, c, V, bias, lengths);
    if constexpr (Device::values_known) check_lengths(pairs);
    const int64_t length = a.size(1);
    const Tensor result =
        at::empty({a.size(0), length, length, V.size(0)}, a.options());
    AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_scores", [&] {
      pair_scores(pairs.batch<scalar_t>(), result.mutable_data_ptr<scalar_t>(),
                  device.where());
    });
    return result;
  }

  static Quadruple scores_backward(const Tensor& grad, const Tensor& a,
                                   const Tensor& c, const Tensor& V,
                                   const Tensor& lengths) {
    const Device device(a);
    const PairTensors pairs(a, c, V, std::nullopt, lengths);
    if constexpr (Device::values_known) check_lengths(pairs);
    const Tensor upstream = grad.contiguous();
    Quadruple result;
    AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_scores_backward", [&] {
      const auto input = pairs.batch<scalar_t>();
      const PairParts parts = parts_of(device, input);
      const int64_t batch = a.size(0);
      const Sums da(device, parts.da, a.sizes(), a);
      const Sums dc(device, parts.dc, c.sizes(), c);
      const Sums dV(device, parts.dV * batch, V.sizes(), V);
      const Sums dbias(device, parts.dbias * batch, {V.size(0)}, V);
      const auto call = [&](auto... where) {
        pair_scores_backward(input, upstream.const_data_ptr<scalar_t>(),
                             da.template data<scalar_t>(),
                             dc.template data<scalar_t>(),
                             dV.template data<scalar_t>(),
                             dbias.template data<scalar_t>(), where...);
      };
      if constexpr (Device::values_known) {
        call(device.where());
      } else {
        call(device.in_parts, device.where());
      }
      result = {da.total(), dc.total(), dV.total(), dbias.total()};
    });
    return result;
  }

  static Quintuple bce(const Tensor& a, const Tensor& c, const Tensor& V,
                       const OptionalTensor& bias, const Tensor& gold,
                       const Tensor& lengths, double pos_weight,
                       bool differentiate) {
    const Device device(a);
    const PairTensors pairs(a, c, V, bias, lengths);
    const Tensor cells = gold.contiguous();
    const int64_t batch = a.size(0), labels = V.size(0);
    if constexpr (Device::values_known) {
      check_lengths(pairs);
      check_tokens("gold", cells, 2, pairs);
      if (cells.size(0) > 0) {
        check_range("gold", cells.select(1, 3), 0, labels - 1);
      }
    }
    const int64_t kept = differentiate ? batch : 0;
    Quintuple result;
    AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_bce", [&] {
      const auto input = pairs.batch<scalar_t>();
      const PairParts parts = parts_of(device, input);
      const Sums loss(device, parts.loss, {batch}, a);
      const Sums da(device, parts.da, {kept, a.size(1), a.size(2)}, a);
      const Sums dc(device, parts.dc, {kept, a.size(1), a.size(2)}, a);
      const Sums dV(device, parts.dV, {kept, labels, a.size(2)}, a);
      const Sums dbias(device, parts.dbias, {kept, labels}, a);
      const auto pointer = [&](const Sums<Device>& sums) -> scalar_t* {
        return differentiate ? sums.template data<scalar_t>() : nullptr;
      };
      const PairGold listed{cells.const_data_ptr<int64_t>(), cells.size(0)};
      const auto call = [&](auto... where) {
        pair_bce(input, listed, static_cast<scalar_t>(pos_weight),
                 loss.template data<scalar_t>(), pointer(da), pointer(dc),
                 pointer(dV), pointer(dbias), where...);
      };
      if constexpr (Device::values_known) {
        call(device.where());
      } else {
        call(device.in_parts, device.where());
      }
      result = {loss.total(), da.total(), dc.total(), dV.total(),
                dbias.total()};
    });
    return result;
  }

  static Pair select(const Tensor& a, const Tensor& c, const Tensor& V,
                     const OptionalTensor& bias, const Tensor& anchors,
                     const Tensor& lengths, double threshold) {
    const Device device(a);
    const PairTensors pairs(a, c, V, bias, lengths);
    const Tensor tokens = anchors.contiguous();
    if constexpr (Device::values_known) {
      check_lengths(pairs);
      check_anchors(tokens, pairs);
    }
    Pair result;
    AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "pair_select", [&] {
      result = select_cells<scalar_t>(
          device, pairs.batch<scalar_t>(),
          {tokens.const_data_ptr<int64_t>(), tokens.size(0)},
          static_cast<scalar_t>(threshold), a, lengths);
    });
    return result;
  }

  static void implement(torch::Library& library) {
    library.impl("_pair_scores", scores);
    library.impl("_pair_scores_backward", scores_backward);
    library.impl("_pair_bce", bce);
    library.impl("_pair_select", select);
  }
};

}  // namespace
}  // namespace cman

TORCH_LIBRARY_IMPL(cman, CPU, m) {
  cman::PairOperations<cman::Cpu>::implement(m);
}
#ifdef CMAN_CUDA
TORCH_LIBRARY_IMPL(cman, CUDA, m) {
  cman::PairOperations<cman::Cuda>::implement(m);
}
#endif
