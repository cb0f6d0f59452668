// Memory and shares of work for cpu_operations.cpp.
//
// A thread cuts its memory for one sentence when it starts on a range of work,
// and all sentences of the range use it. Work is shared out by cost: units
// (rows, sentences, blocks) lie on a line, each as long as its cost, and
// whoever gets a stretch of the line does the units that begin in it. So
// threads get equal work whatever the lengths are, and a unit is never split.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "pairs/plan.h"
#include "simd/scratch.h"

namespace cman {
namespace {

class Shares {
 public:
  void add(int64_t cost) { begin_.push_back(begin_.back() + cost); }
  int64_t total() const { return begin_.back(); }
  // The first unit that begins at `place` or later.
  int64_t unit(int64_t place) const {
    return std::lower_bound(begin_.begin(), begin_.end() - 1, place) -
           begin_.begin();
  }

 private:
  std::vector<int64_t> begin_{0};  // of each unit, and of what follows the last
};

// A call's weights, packed; threads share them.
template <typename T>
class Weights {
 public:
  Weights(const PairKernels<T>& kernels, const T* V, const T* bias,
          int64_t size, int64_t labels, bool backward)
      : blocks((size + kernels.width - 1) / kernels.width) {
    const int64_t forward_count = size * labels + labels;
    const int64_t backward_count =
        backward ? blocks * kernels.width * labels : 0;
    Cutter cutter(call_scratch().take<char>(array_bytes<T>(forward_count) +
                                            array_bytes<T>(backward_count)));
    T* const forward = cutter.take<T>(forward_count);
    packed = {V,       bias,
              size,    labels,
              forward, backward ? cutter.take<T>(backward_count) : nullptr};
    kernels.pack(packed);
  }
  const int64_t blocks;  // of dimensions
  PairWeights<T> packed;
};

// What a thread needs to work on sentences of up to `longest` tokens, and
// `extra` values for whoever works.
template <typename T>
class SentenceMemory {
 public:
  SentenceMemory(const PairKernels<T>& kernels, const Weights<T>& weights,
                 int64_t longest, int64_t rows, bool scores, bool gradients,
                 int64_t extra = 0)
      : kernels_(kernels), weights_(weights) {
    const int64_t width = kernels.width;
    const int64_t strip = weights.blocks * width;  // D'
    const int64_t columns =
        scores ? weights.packed.size * round_up(longest, width) : 0;
    const int64_t blocks = gradients ? strip * longest : 0;
    const int64_t corner = scores ? strip * width : 0;
    const int64_t far = longest / width + 1 + rows;
    Cutter cutter(kernel_scratch().take<char>(
        array_bytes<T>(columns) + 2 * array_bytes<T>(blocks) +
        array_bytes<T>(corner) + array_bytes<T>(rows * strip) +
        array_bytes<T>(extra) + array_bytes<uint8_t>(far)));
    T* const memory = cutter.take<T>(columns);
    tails.columns = scores ? memory : nullptr;
    T* const exponentials = cutter.take<T>(blocks);
    tails.blocks = gradients ? exponentials : nullptr;
    dc_ = cutter.take<T>(blocks);
    tails.corner = cutter.take<T>(corner);
    heads.factors = cutter.take<T>(rows * strip);
    extra_ = cutter.take<T>(extra);
    heads.far = cutter.take<uint8_t>(far);
    tails.far = heads.far + rows;
  }

  // Takes up a sentence, for the blocks of dimensions from begin to end.
  void enter(const T* c, int64_t n, int64_t begin, int64_t end) {
    tails.c = c;
    tails.count = n;
    tails.stride = round_up(n, kernels_.width);
    kernels_.tails(weights_.packed, tails, begin, end);
    if (tails.blocks && n) {
      std::fill(dc_ + begin * n * kernels_.width,
                dc_ + end * n * kernels_.width, T(0));
    }
  }

  void take_rows(const T* a, int64_t count) {
    heads.a = a;
    heads.count = count;
    kernels_.heads(weights_.packed, heads);
  }

  T* dc() const { return dc_; }
  T* extra() const { return extra_; }

  // Writes the blocks from begin to end of the sentence's dc (n, D).
  void leave(T* dc, int64_t begin, int64_t end) const {
    const int64_t width = kernels_.width, size = weights_.packed.size;
    for (int64_t j = 0; j < tails.count; ++j) {
      for (int64_t block = begin; block < end; ++block) {
        const T* from = dc_ + (block * tails.count + j) * width;
        std::copy(from, from + std::min(width, size - block * width),
                  dc + j * size + block * width);
      }
    }
  }

  PairTails<T> tails{};
  PairHeads<T> heads{};

 private:
  const PairKernels<T>& kernels_;
  const Weights<T>& weights_;
  T* dc_;
  T* extra_;
};

}  // namespace
}  // namespace cman
