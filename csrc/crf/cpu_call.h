// What the ranges of work of one call share: parameters, the order of
// sentences, the kernels of an instruction set, and how much work is worth a
// thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "crf/cpu_memory.h"
#include "crf/cpu_range.h"
#include "crf/plan.h"
#include "simd/isa.h"

namespace cman {
namespace {

inline CrfKernels kernels_of(Isa set) {
#if CMAN_X86
  if (set == Isa::avx512) return crf_kernels_avx512();
  if (set == Isa::avx2) return crf_kernels_avx2();
#endif
  (void)set;
  return crf_kernels_portable();
}

// float64 has kernels for the best path alone.
inline int width_of(const CrfKernels& kernels, float) { return kernels.width; }
inline int width_of(const CrfKernels&, double) { return crf_double_width; }
inline CrfDecodeGroup<float> decode_of(const CrfKernels& kernels, float) {
  return kernels.decode;
}
inline CrfDecodeGroup<double> decode_of(const CrfKernels&, double) {
  return crf_decode_double_portable();
}

// A range of work is worth a thread if it takes this long, by Call::cost.
constexpr double worthwhile_ns = 150e3;

inline int64_t grain_of(double ns, int64_t count) {
  if (ns <= 2 * worthwhile_ns) return std::max<int64_t>(count, 1);
  return int64_t(worthwhile_ns / (ns / double(count))) + 1;
}

// Everything of a call that its ranges of work share.
template <typename T>
struct Call {
  CrfBatch<T> input;
  CrfKernels kernels;
  int width;
  CrfModel<T> model;
  Order order;
  int64_t groups;
  double* parts = nullptr;  // partial gradients, see crf_backward

  Call(const CrfBatch<T>& batch, Isa set, bool sums, int64_t part_doubles = 0)
      : input(batch), kernels(kernels_of(set)) {
    width = width_of(kernels, T());
    const int64_t room = model_room(batch.tags, sums);
    const int64_t bytes = room * int64_t(sizeof(T)) + 4 * batch.batch +
                          4 * (batch.length + 2) + 8 * part_doubles + 512;
    Cutter cutter(call_scratch().take<char>(bytes));
    T* parameters = cutter.take<T>(room);
    model = prepare_model(batch, parameters);
    if (sums) prepare(parameters + (batch.tags + 2) * model.stride);
    int32_t* sentence = cutter.take<int32_t>(batch.batch);
    order = sort_by_length(batch.lengths, batch.batch, batch.length, sentence,
                           cutter.take<int32_t>(batch.length + 2));
    groups = (order.used + width - 1) / width;
    if (part_doubles > 0) parts = cutter.take<double>(part_doubles);
  }

  int64_t sentence(int64_t group, int lane) const {
    return order.sentence[group * width + lane];
  }

  // About nanoseconds, from operations of a token: squares of tags and tags.
  double cost(double squares, double singles) const {
    const double tags = double(input.tags);
    const double speed = sizeof(T) == 8 ? 0.25 : width == 16 ? 4 : 1.5;
    return double(order.tokens) * tags * (squares * tags + singles) /
           (speed * 16);
  }

 private:
  void prepare(float* room) { prepare_sums(&model, room); }
  void prepare(double*) {
    model.transitions_top =
        top_of(model.transitions, model.tags, model.tags, model.stride);
  }
};
}  // namespace
}  // namespace cman
