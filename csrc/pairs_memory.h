// Memory and shares of work for pairs_cpu.cpp.
//
// A thread's memory for one sentence is allocated when the thread starts on a
// range of work, and serves all sentences of the range. Work is shared out by
// cost: units (rows, sentences, blocks) lie on a line, each as long as its
// cost, and whoever gets a stretch of the line does the units that begin in it.
// So threads get equal work whatever the lengths are, and a unit is never
// split.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "pairs_cpu_kernels.h"

namespace cman {
namespace {

inline int64_t round_up(int64_t x, int64_t to) {
  return (x + to - 1) / to * to;
}

// Uninitialised, and aligned to a cache line as the widest registers are.
template <typename T>
class Array {
 public:
  explicit Array(int64_t count)
      : data_(static_cast<T*>(::operator new(
            sizeof(T) * static_cast<size_t>(std::max<int64_t>(count, 1)),
            alignment))) {}
  ~Array() { ::operator delete(data_, alignment); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  T* get() const { return data_; }

 private:
  static constexpr std::align_val_t alignment{64};
  T* data_;
};

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
      : blocks((size + kernels.width - 1) / kernels.width),
        forward_(size * labels + labels),
        backward_(backward ? blocks * kernels.width * labels : 0) {
    packed = {V,      bias,           size,
              labels, forward_.get(), backward ? backward_.get() : nullptr};
    kernels.pack(packed);
  }
  const int64_t blocks;  // of dimensions
  PairWeights<T> packed;

 private:
  Array<T> forward_, backward_;
};

// What a thread needs to work on sentences of up to `longest` tokens.
template <typename T>
class Room {
 public:
  Room(const PairKernels<T>& kernels, const Weights<T>& weights,
       int64_t longest, int64_t rows, bool scores, bool gradients)
      : kernels_(kernels),
        weights_(weights),
        strip_(weights.blocks * kernels.width),
        columns_(scores ? weights.packed.size * round_up(longest, kernels.width)
                        : 0),
        blocks_(gradients ? strip_ * longest : 0),
        dc_(gradients ? strip_ * longest : 0),
        corner_(scores ? strip_ * kernels.width : 0),
        factors_(rows * strip_),
        far_(longest / kernels.width + 1 + rows) {
    tails.columns = scores ? columns_.get() : nullptr;
    tails.blocks = gradients ? blocks_.get() : nullptr;
    tails.corner = corner_.get();
    tails.far = far_.get() + rows;
    heads.factors = factors_.get();
    heads.far = far_.get();
  }

  // Takes up a sentence, for the blocks of dimensions from begin to end.
  void enter(const T* c, int64_t n, int64_t begin, int64_t end) {
    tails.c = c;
    tails.count = n;
    tails.stride = round_up(n, kernels_.width);
    kernels_.tails(weights_.packed, tails, begin, end);
    if (tails.blocks && n) {
      std::fill(dc_.get() + begin * n * kernels_.width,
                dc_.get() + end * n * kernels_.width, T(0));
    }
  }

  void take_rows(const T* a, int64_t count) {
    heads.a = a;
    heads.count = count;
    kernels_.heads(weights_.packed, heads);
  }

  T* dc() const { return dc_.get(); }

  // Writes the blocks from begin to end of the sentence's dc (n, D).
  void leave(T* dc, int64_t begin, int64_t end) const {
    const int64_t width = kernels_.width, size = weights_.packed.size;
    for (int64_t j = 0; j < tails.count; ++j) {
      for (int64_t block = begin; block < end; ++block) {
        const T* from = dc_.get() + (block * tails.count + j) * width;
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
  int64_t strip_;  // D'
  Array<T> columns_, blocks_, dc_, corner_, factors_;
  Array<uint8_t> far_;
};

}  // namespace
}  // namespace cman
