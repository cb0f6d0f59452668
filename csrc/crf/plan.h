// What cpu_operations.cpp hands to the kernels of one instruction set: the
// parameters of the CRF, prepared once a call, and groups of sentences.
//
// A vector holds one number of `width` sentences, so that no step of the
// recurrences ever crosses lanes. Sentences are sorted by length, so those of a
// group end at about the same token. All arrays of a group are laid out
// [token][tag][lane].
//
// The structs below have no functions: nothing here is compiled for a set.
#pragma once

#include <cstdint>

namespace cman {

constexpr int crf_widest = 16;  // lanes of the widest set

constexpr int64_t crf_round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

// Tokens that are read, and transposed, at a time: as many as fit the
// first-level cache, and as many for all sets, so that all compute the same.
constexpr int64_t crf_chunk(int64_t tags) {
  return tags <= 16 ? 16 : tags >= 64 ? 4 : 256 / tags;
}

// Tokens of the backward recursion at a time: more, because the sums of pairs
// are loaded and stored once a chunk.
constexpr int64_t crf_back_chunk(int64_t tags) { return 4 * crf_chunk(tags); }

template <typename T>
struct CrfModel {
  int64_t tags;
  int64_t stride;        // of a row of a matrix: tags rounded up to 16
  const T* transitions;  // (tags, stride), -inf where not allowed
  const T* start;        // (stride)
  const T* end;          // (stride)

  // For sums: exp(score - top), where top is the largest score of the kind.
  const T* factors;         // (tags, stride), of the transitions
  const T* factors_turned;  // its transpose
  const T* start_factors;
  const T* end_factors;
  double transitions_top;
  double start_top;
  double end_top;

  double range;    // the largest -log of a factor that is not 0
  double dropped;  // the smallest distance from the top of a factor made 0
  bool zeros;      // whether there are any
  int period;      // tokens from one rescaling to the next
};

template <typename T>
struct CrfGroup {
  const T* emissions[crf_widest];
  int32_t lengths[crf_widest];  // 0 where the group has no sentence
  int32_t longest;
  int32_t shortest;
};

// What the forward recursion in linear space leaves for each lane: the sum of
// all paths is sum 2^exponent exp(shift), tops aside. The last two tell whether
// it can be trusted, see cpu_forward.h.
struct CrfSums {
  float sum[crf_widest];
  double exponent[crf_widest];
  double shift[crf_widest];
  float spread[crf_widest];
  float lowest[crf_widest];
};

// The gradient of one group, or the marginals where `pairs` is null.
struct CrfGradient {
  float weight[crf_widest];  // of each sentence
  float* unary[crf_widest];  // a row of d_emissions, of which the kernel writes
                             // the first longest * tags elements
  double* pairs;             // (tags, tags), added to
  double* start;             // (tags), added to
  double* end;               // (tags), added to
  float lowest[crf_widest];  // as in CrfSums, of the backward recursion
  float lowest_sum[crf_widest];  // the smallest sum that was divided by
};

// Elements of scratch that a kernel needs, of any set.
constexpr int64_t crf_decode_scratch(int64_t tags, int64_t longest) {
  const int64_t steps = crf_round_up(longest, crf_widest) + crf_widest;
  return crf_widest * (longest * tags +                       // scores
                       crf_chunk(tags) * tags + crf_widest +  // emissions
                       steps +                                // int32 tags
                       2 * (longest / crf_chunk(tags) + 2));  // doubles
}
constexpr int64_t crf_forward_scratch(int64_t tags) {
  return crf_widest * (2 * crf_chunk(tags) * tags + crf_widest + 3 * tags);
}
constexpr int64_t crf_backward_scratch(int64_t tags) {
  return crf_widest * (3 * (crf_back_chunk(tags) + 1) * tags + crf_widest +
                       tags * tags + 5 * tags);
}

// One lane's tags go to rows[lane] (int64, `length` of them); a null row is
// skipped. scores[lane] is the score of the path.
template <typename T>
using CrfDecodeGroup = void (*)(const CrfModel<T>& model,
                                const CrfGroup<T>& group, int64_t length,
                                T* scratch, int64_t* const* rows,
                                double* scores);

struct CrfKernels {
  int width;
  CrfDecodeGroup<float> decode;
  // alpha and factors (longest, tags, width) are written if not null.
  void (*forward)(const CrfModel<float>& model, const CrfGroup<float>& group,
                  float* alpha, float* factors, float* scratch, CrfSums* sums);
  void (*backward)(const CrfModel<float>& model, const CrfGroup<float>& group,
                   const float* alpha, const float* factors, float* scratch,
                   CrfGradient* gradient);
};

CrfKernels crf_kernels_avx512();
CrfKernels crf_kernels_avx2();
CrfKernels crf_kernels_portable();
constexpr int crf_double_width = 4;
CrfDecodeGroup<double> crf_decode_double_portable();

}  // namespace cman
