// What all functions of interface.h share on the CPU: the choice of kernels,
// what work costs, and where a sentence's rows lie.
#pragma once

#include <algorithm>
#include <cstdint>

#include "pairs/cpu_memory.h"
#include "pairs/interface.h"
#include "pairs/plan.h"
#include "simd/isa.h"

namespace cman {
namespace {

// Costs are in multiply-adds of one lane; a range of work has at least this
// many, which is much more than handing it to a thread takes.
constexpr int64_t least_work = 6 << 20;
// What there is to do beside a multiply-add a label and pass.
constexpr int64_t overhead = 5;
// Rows of one call of a backward kernel: long sums in float lose digits, few
// rows make loading and storing V's gradient count.
constexpr int64_t most_rows = 16, most_pairs = 1024;
// Values in the buffer of scores of the fused loss.
constexpr int64_t most_scores = 8192;
// Enough parts of a backward pass for any number of threads that pays.
constexpr int64_t parts_of_backward = 32;

template <typename T>
const PairKernels<T>& kernels();

template <>
const PairKernels<double>& kernels<double>() {
  return pair_kernels_double();
}

template <>
const PairKernels<float>& kernels<float>() {
#if CMAN_X86
  if (isa() == Isa::avx512) return pair_kernels_avx512();
  if (isa() == Isa::avx2) return pair_kernels_avx2();
#endif
  return pair_kernels_portable();
}

template <typename T>
int64_t pair_cost(const PairBatch<T>& input, int passes) {
  const int64_t slow = sizeof(T) == 8 ? 16 : 1;  // plain loops, exact tanh
  return slow * (input.size + 1) * (passes * input.labels + overhead);
}

template <typename T>
int64_t longest(const PairBatch<T>& input) {
  int64_t most = 0;
  for (int64_t b = 0; b < input.batch; ++b) {
    most = std::max(most, input.lengths[b]);
  }
  return most;
}

// The rows of a, c, da or dc that belong to a sentence.
template <typename T>
int64_t sentence_offset(const PairBatch<T>& input, int64_t sentence) {
  return sentence * input.length * input.size;
}

int64_t rows_at_once(int64_t n) {
  return std::clamp<int64_t>(most_pairs / std::max<int64_t>(n, 1), 1,
                             most_rows);
}

// Zeroes the rows of (N, D) that stand for no token.
template <typename T>
void clear_padding(const PairBatch<T>& input, int64_t sentence, T* rows) {
  T* sentence_rows = rows + sentence_offset(input, sentence);
  std::fill(sentence_rows + input.lengths[sentence] * input.size,
            sentence_rows + input.length * input.size, T(0));
}

}  // namespace
}  // namespace cman
