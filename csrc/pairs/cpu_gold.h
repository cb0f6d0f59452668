// Gold cells by sentence: sorted and each once, whatever order and repetitions
// they come in, so that a kernel that walks a sentence row by row meets them in
// passing. A cell is the offset of its score in the sentence's (N, N, R) table,
// which is never made.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "pairs/interface.h"

namespace cman {
namespace {

class GoldCells {
 public:
  template <typename T>
  GoldCells(const PairBatch<T>& input, const PairGold& gold)
      : begin_(input.batch + 1, 0), end_(input.batch, 0), cells_(gold.count) {
    for (int64_t k = 0; k < gold.count; ++k) ++begin_[gold.cells[4 * k] + 1];
    for (int64_t b = 0; b < input.batch; ++b) begin_[b + 1] += begin_[b];
    std::copy(begin_.begin(), begin_.end() - 1, end_.begin());
    for (int64_t k = 0; k < gold.count; ++k) {
      const int64_t* cell = gold.cells + 4 * k;
      const int64_t longest = input.lengths[cell[0]];
      if (cell[1] >= longest || cell[2] >= longest) continue;  // padding
      cells_[end_[cell[0]]++] =
          (cell[1] * input.length + cell[2]) * input.labels + cell[3];
    }
    for (int64_t b = 0; b < input.batch; ++b) {
      int64_t* first = cells_.data() + begin_[b];
      int64_t* last = cells_.data() + end_[b];
      std::sort(first, last);
      end_[b] = std::unique(first, last) - cells_.data();
    }
  }

  const int64_t* begin(int64_t sentence) const {
    return cells_.data() + begin_[sentence];
  }
  const int64_t* end(int64_t sentence) const {
    return cells_.data() + end_[sentence];
  }

 private:
  std::vector<int64_t> begin_, end_, cells_;
};

}  // namespace
}  // namespace cman
