// The linear-chain CRF on CUDA: which method a sentence gets, and the launches,
// one for each operation however long the sentences are.
//
//   cuda_team.cuh      sentences, tags and threads
//   cuda_viterbi.cuh   the best path
//   cuda_linear.cuh    sums over paths in float: fast, and watched
//   cuda_exact.cuh     sums over paths in double and log space: anything
//   cuda_gold.cuh      the gold path
//   cuda_spans.cuh     stretches of given tags, from the marginals
//
// A kernel of the sums runs linear space for the sentences of its block and
// then, if one of them came near the limits of float, log space for that one
// alone; what a sentence gives does not depend on its neighbours. The forward
// pass leaves alpha and which of the two it is for the backward pass. Marginals
// are both passes in one kernel: a thread reads only the alpha it wrote.
//
// Nothing here waits for the device. Gradients of parameters are summed in
// shared memory and added to the result by each block with atomicAdd, in an
// order that changes: their last bits vary from run to run, unless each block
// has a part of its own.
//
// A block is one warp (up to 32 tags), as small as possible: batches of a few
// dozen sentences then have a multiprocessor for each 3, and the time is that
// of the longest sentence. An SM holds 32 such blocks.
#include <cstdint>

#include "crf/cuda_exact.cuh"
#include "crf/cuda_gold.cuh"
#include "crf/cuda_linear.cuh"
#include "crf/cuda_spans.cuh"
#include "crf/cuda_team.cuh"
#include "crf/cuda_viterbi.cuh"
#include "crf/interface.h"
#include "simd/cuda_launch.h"

namespace cman {
namespace {

// Cap 0: no linear space, any number of tags.
template <typename T, int Cap>
__device__ double log_partition(const CrfBatch<T>& input, const Team& team,
                                const SumsRoom& room, const Kept<T>& kept,
                                How* how) {
  double result = 0;
  bool right = team.tokens == 0;
  if constexpr (Cap > 0) {
    result =
        linear_forward<Cap>(input, team, kept.linear(team.sentence), &right);
  }
  *how = right ? in_linear : in_exact;
  right = right || team.tokens == 0;
  if (__syncthreads_or(!right)) {
    fill_factors(input, room, false);
    const double exact = exact_forward(input, team_if(!right, team), room,
                                       kept.exact(team.sentence));
    if (!right) result = exact;
  }
  if (result == -infinite(0.0) || team.tokens == 0) *how = no_gradient;
  if (!team.valid) *how = no_number;
  return team.valid ? result : nan_of(0.0);
}

// d_emissions of the block's sentences and their share of the parameters'
// gradients. A linear pass that fails is done again in log space.
template <typename T, int Cap, bool Parameters>
__device__ void gradient(const CrfBatch<T>& input, const Team& team,
                         const SumsRoom& room, const Kept<T>& kept, How how,
                         T weight, const Gradient<T>& to) {
  const int K = static_cast<int>(input.tags);
  if (room.pairs != nullptr) {
    for (int p = threadIdx.x; p < K * room.columns; p += blockDim.x) {
      room.pairs[p] = 0;
    }
    __syncthreads();
  }
  if constexpr (Cap > 0) {
    const bool linear = how == in_linear;
    const bool right = linear_backward<Cap, Parameters>(
        input, team_if(linear, team), room, weight, kept.linear(team.sentence),
        to);
    const bool again = linear && !right;
    if (__syncthreads_or(again)) {
      if (again) {
        how = in_exact;
        for (int k = 0; k < K && Parameters && team.tag < K; ++k) {
          room.pairs[k * room.columns + team.first + team.tag] = 0;
        }
        if (team.tag == 0) kept.how(team.sentence) = in_exact;
      }
      fill_factors(input, room, false);
      exact_forward(input, team_if(again, team), room,
                    kept.exact(team.sentence));
    }
  }
  if (__syncthreads_or(how == in_exact)) {
    fill_factors(input, room, true);
    exact_backward(input, team_if(how == in_exact, team), room, weight,
                   kept.exact(team.sentence), to);
  }

  if (team.exists) {
    const int64_t row = input.length * K;
    T* const unary = to.emissions + team.sentence * row;
    const bool differentiable = how == in_linear || how == in_exact;
    const int64_t done = differentiable ? int64_t(team.tokens) * K : 0;
    const int64_t inside = team.valid ? int64_t(team.tokens) * K : row;
    for (int64_t i = done + threadIdx.x - team.first; i < row; i += team.size) {
      unary[i] = how == no_number && i < inside ? nan_of(T()) : T(0);
    }
    for (int k = team.tag; k < K && Parameters && how == no_number;
         k += team.size) {
      atomicAdd(to.start + k, nan_of(T()));
      atomicAdd(to.end + k, nan_of(T()));
      for (int to_tag = 0; to_tag < K; ++to_tag) {
        add_pair(to, room, team, K, k, to_tag, nan_of(0.0));
      }
    }
  }
  __syncthreads();
  if (!Parameters) return;
  if (input.gold != nullptr) {
    const bool counts = how == in_linear || how == in_exact;
    subtract_gold(input, team_if(counts && team.exists, team), room, weight,
                  to);
    __syncthreads();
  }
  if (room.pairs == nullptr) return;
  for (int p = threadIdx.x; p < K * K; p += blockDim.x) {
    const int from = p / K, at = p % K;
    double sum = 0;
    for (int column = from; column < room.columns; column += K) {
      sum += room.pairs[at * room.columns + column];
    }
    if (sum != 0) atomicAdd(to.transitions + p, static_cast<T>(sum));
  }
}

template <int Cap>
constexpr int sums_threads = Cap > 0 ? warp_lanes : most_threads;

template <typename T, int Cap>
__global__ void __launch_bounds__(sums_threads<Cap>, 1)
    crf_forward_kernel(CrfBatch<T> input, SumsPlan plan, T* workspace,
                       T* result) {
  CMAN_DYNAMIC_SHARED(double, memory);
  const Team team = team_of_thread(input);
  const SumsRoom room =
      sums_room(plan, memory, static_cast<int>(input.tags), team);
  const Kept<T> kept = kept_of(input, workspace);
  How how;
  double value = log_partition<T, Cap>(input, team, room, kept, &how);
  if (input.gold != nullptr) {
    double* const sums = room.vectors - team.first;
    const GoldScore gold = gold_score(input, team, sums);
    if (!gold.in_range) {
      value = nan_of(0.0);
      how = no_number;
    } else if (team.valid) {
      const double none = -infinite(0.0);
      const bool feasible = value != none && gold.score != none;
      value = feasible ? value - gold.score : -none;
      if (!feasible) how = no_gradient;
    }
  }
  if (team.tag != 0 || !team.exists) return;
  result[team.sentence] = static_cast<T>(value);
  if (workspace != nullptr) kept.how(team.sentence) = static_cast<T>(how);
}

template <typename T, int Cap>
__global__ void __launch_bounds__(sums_threads<Cap>, 1)
    crf_backward_kernel(CrfBatch<T> input, SumsPlan plan, T* workspace,
                        const T* grad, Gradient<T> to) {
  CMAN_DYNAMIC_SHARED(double, memory);
  const Team team = team_of_thread(input);
  const SumsRoom room =
      sums_room(plan, memory, static_cast<int>(input.tags), team);
  const Kept<T> kept = kept_of(input, workspace);
  const How how =
      team.exists ? static_cast<How>(static_cast<int>(kept.how(team.sentence)))
                  : no_gradient;
  const T weight = team.exists ? grad[team.sentence] : T(0);
  gradient<T, Cap, true>(input, team, room, kept, how, weight,
                         to.of(team, input.tags));
}

template <typename T, int Cap>
__global__ void __launch_bounds__(sums_threads<Cap>, 1)
    crf_marginals_kernel(CrfBatch<T> input, SumsPlan plan, T* workspace,
                         T* marginals) {
  CMAN_DYNAMIC_SHARED(double, memory);
  const Team team = team_of_thread(input);
  const SumsRoom room =
      sums_room(plan, memory, static_cast<int>(input.tags), team);
  const Kept<T> kept = kept_of(input, workspace);
  How how;
  log_partition<T, Cap>(input, team, room, kept, &how);
  if (team.tag == 0 && team.exists) {
    kept.how(team.sentence) = static_cast<T>(how);  // for the stretches
  }
  const Gradient<T> to{marginals, nullptr, nullptr, nullptr, false};
  gradient<T, Cap, false>(input, team, room, kept, how, T(1), to);
}

// Launchers -------------------------------------------------------------------

template <int Cap>
struct Capacity {
  static constexpr int value = Cap;
};

// Calls use(Capacity) for the smallest that holds `tags` (at most 32).
template <typename Use>
void with_capacity(int64_t tags, const Use& use) {
  if (tags <= 4) return use(Capacity<4>());
  if (tags <= 9) return use(Capacity<9>());
  if (tags <= 17) return use(Capacity<17>());
  if (tags <= 25) return use(Capacity<25>());
  use(Capacity<32>());
}

// As with_capacity, with 0 where linear space is not for the type or the tags.
template <typename T, typename Use>
void with_sums(int64_t tags, const Use& use) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (tags <= warp_lanes) return with_capacity(tags, use);
  }
  use(Capacity<0>());
}

}  // namespace

int64_t crf_workspace_size_cuda(int64_t batch, int64_t length, int64_t tags) {
  return batch * (2 * length * tags + 1);
}

int64_t crf_blocks_cuda(int64_t batch, int64_t tags) {
  return team_blocks(batch, tags);
}

template <typename T>
void crf_decode(const CrfBatch<T>& input, int64_t* tags, T* scores,
                T* workspace, Stream stream) {
  const dim3 grid(team_blocks(input.batch, input.tags));
  const dim3 block(team_threads(input.tags));
  if (input.tags <= warp_lanes) {
    const size_t bytes = static_cast<size_t>(input.length) * warp_lanes;
    const bool shared = bytes <= most_pointer_bytes;
    with_capacity(input.tags, [&](auto capacity) {
      constexpr int cap = decltype(capacity)::value;
      const auto kernel = shared ? crf_decode_warp<T, cap, true>
                                 : crf_decode_warp<T, cap, false>;
      launch(kernel, grid, block, shared ? bytes : 0, stream, input, tags,
             scores, reinterpret_cast<uint8_t*>(workspace));
    });
    return;
  }
  const size_t rows = 2 * static_cast<size_t>(input.tags) * sizeof(T);
  const size_t bytes =
      static_cast<size_t>(input.length * input.tags) * sizeof(int32_t);
  const bool shared = rows + bytes <= most_pointer_bytes;
  const auto kernel =
      shared ? crf_decode_block<T, true> : crf_decode_block<T, false>;
  launch(kernel, grid, block, rows + (shared ? bytes : 0), stream, input, tags,
         scores, reinterpret_cast<int32_t*>(workspace));
}

template <typename T>
void crf_forward(const CrfBatch<T>& input, T* workspace, T* result,
                 Stream stream) {
  with_sums<T>(input.tags, [&](auto capacity) {
    constexpr int cap = decltype(capacity)::value;
    const SumsPlan plan = plan_sums(input.tags, false);
    launch(crf_forward_kernel<T, cap>,
           dim3(team_blocks(input.batch, input.tags)),
           dim3(team_threads(input.tags)), plan.bytes, stream, input, plan,
           workspace, result);
  });
}

template <typename T>
void crf_backward(const CrfBatch<T>& input, T* workspace, const T* grad,
                  T* d_emissions, T* d_transitions, T* d_start, T* d_end,
                  bool in_parts, Stream stream) {
  with_sums<T>(input.tags, [&](auto capacity) {
    constexpr int cap = decltype(capacity)::value;
    const SumsPlan plan = plan_sums(input.tags, true);
    const Gradient<T> to{d_emissions, d_transitions, d_start, d_end, in_parts};
    // A sentence may turn to log space even now, for this and later calls.
    launch(crf_backward_kernel<T, cap>,
           dim3(team_blocks(input.batch, input.tags)),
           dim3(team_threads(input.tags)), plan.bytes, stream, input, plan,
           workspace, grad, to);
  });
}

template <typename T>
void crf_marginals(const CrfBatch<T>& input, T* workspace, T* marginals,
                   Stream stream) {
  with_sums<T>(input.tags, [&](auto capacity) {
    constexpr int cap = decltype(capacity)::value;
    const SumsPlan plan = plan_sums(input.tags, false);
    launch(crf_marginals_kernel<T, cap>,
           dim3(team_blocks(input.batch, input.tags)),
           dim3(team_threads(input.tags)), plan.bytes, stream, input, plan,
           workspace, marginals);
  });
}

template <typename T>
void crf_span_marginals(const CrfBatch<T>& input, const CrfSpans& spans,
                        T* workspace, const T* marginals, T* result,
                        Stream stream) {
  const int64_t blocks = (spans.count + span_threads - 1) / span_threads;
  launch(crf_spans_kernel<T>, dim3(static_cast<unsigned>(blocks)),
         dim3(span_threads), 0, stream, input, spans, workspace, marginals,
         result);
}

#define CMAN_INSTANTIATE(T)                                                    \
  template void crf_decode(const CrfBatch<T>&, int64_t*, T*, T*, Stream);      \
  template void crf_forward(const CrfBatch<T>&, T*, T*, Stream);               \
  template void crf_backward(const CrfBatch<T>&, T*, const T*, T*, T*, T*, T*, \
                             bool, Stream);                                    \
  template void crf_marginals(const CrfBatch<T>&, T*, T*, Stream);             \
  template void crf_span_marginals(const CrfBatch<T>&, const CrfSpans&, T*,    \
                                   const T*, T*, Stream);

CMAN_INSTANTIATE(float)
CMAN_INSTANTIATE(double)
#undef CMAN_INSTANTIATE

}  // namespace cman
