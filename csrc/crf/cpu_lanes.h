// Between the rows of a tensor and lanes. A sentence's emissions are one stream
// of length * tags numbers, whose order is that of [token][tag] already: W
// numbers of W sentences are a W x W block that is transposed in registers.
//
// Numbers past the end of a sentence are never loaded; they read as 0.
#pragma once

#include <cstdint>

#include "crf/plan.h"

namespace cman {
namespace {

// Sets out[p][lane] = emissions[lane][first + p] for p < count; `out` has room
// for count rounded up to the width.
template <class F>
void read_lanes(const CrfGroup<typename F::Scalar>& group, int64_t tags,
                int64_t first, int64_t count, typename F::Scalar* out) {
  constexpr int W = F::width;
  const int64_t safe = group.shortest * tags;
  for (int64_t p = first; p < first + count; p += W) {
    typename F::V rows[W];
    if (p + W <= safe) {
      for (int lane = 0; lane < W; ++lane) {
        rows[lane] = F::load(group.emissions[lane] + p);
      }
    } else {
      for (int lane = 0; lane < W; ++lane) {
        const int64_t left = group.lengths[lane] * tags - p;
        rows[lane] = left <= 0
                         ? F::zero()
                         : F::load_first(group.emissions[lane] + p,
                                         static_cast<int>(left < W ? left : W));
      }
    }
    F::transpose(rows);
    for (int i = 0; i < W; ++i) F::store(out + i * W, rows[i]);
    out += W * W;
  }
}

// The way back: rows[lane][first + p] = in[p][lane] for p < count; null rows
// are skipped.
template <class F>
void write_lanes(const typename F::Scalar* in, int64_t first, int64_t count,
                 typename F::Scalar* const* rows) {
  constexpr int W = F::width;
  for (int64_t p = 0; p < count; p += W, in += W * W) {
    typename F::V block[W];
    const int64_t left = count - p;
    for (int i = 0; i < W; ++i) {
      block[i] = i < left ? F::load(in + i * W) : F::zero();
    }
    F::transpose(block);
    for (int lane = 0; lane < W; ++lane) {
      if (rows[lane] == nullptr) continue;
      if (left >= W) {
        F::store(rows[lane] + first + p, block[lane]);
      } else {
        F::store_first(rows[lane] + first + p, block[lane],
                       static_cast<int>(left));
      }
    }
  }
}

// The distinct lengths of a group in ascending order, each once, without 0.
struct Ends {
  int32_t at[crf_widest];
  int count = 0;

  template <typename T>
  Ends(const CrfGroup<T>& group, int width) {
    for (int lane = 0; lane < width; ++lane) {
      const int32_t end = group.lengths[lane];
      int place = count;
      while (place > 0 && at[place - 1] > end) --place;
      if (end == 0 || (place > 0 && at[place - 1] == end)) continue;
      for (int i = count; i > place; --i) at[i] = at[i - 1];
      at[place] = end;
      ++count;
    }
  }
};

// A mask of the lanes whose sentence has `end` tokens. Lengths are compared as
// floating-point numbers would lose digits: as integers, lane by lane.
template <class F>
typename F::Mask lanes_of_length(const CrfGroup<typename F::Scalar>& group,
                                 int32_t end) {
  return F::index_equal(F::load_index(group.lengths), F::index(end));
}

}  // namespace
}  // namespace cman
