// The best path of each sentence of a group:
//
//   score_0[j] = start[j] + e_0[j]
//   score_t[j] = max_i (score_{t-1}[i] + transitions[i][j]) + e_t[j]
//
// The scores of all tokens are kept, and no back-pointers: the way back takes
// the argmax again, of the one tag that is on the path. That is 5 instructions
// for a tag instead of 2 for each of its square, and transitions[i][tag] is a
// permutation of a register. Every chunk of tokens the maximum is subtracted
// and summed in float64, so that a long sentence costs no digits.
#pragma once

#include <cstdint>

#include "crf/cpu_lanes.h"
#include "crf/cpu_steps.h"

namespace cman {
namespace {

// The chunk's steps: scores (count, tags, W) after `previous`.
template <class F, int Tags>
struct ViterbiSteps {
  using S = typename F::Scalar;
  static void run(const CrfModel<S>* model, const S* previous,
                  const S* emissions, int64_t count, S* scores) {
    const int64_t size = model->tags * F::width;
    for (int64_t t = 0; t < count; ++t) {
      step<F, MaxPlus, Tags>(previous, model->transitions, model->stride,
                             model->tags, emissions + t * size, scores);
      previous = scores;
      scores += size;
    }
  }
};

// Subtracts the largest of each lane from scores (tags, W) and returns it.
template <class F>
typename F::V take_maximum(typename F::Scalar* scores, int64_t tags) {
  using V = typename F::V;
  constexpr int W = F::width;
  V top = F::load(scores);
  for (int64_t k = 1; k < tags; ++k) {
    top = F::max(top, F::load(scores + k * W));
  }
  // Where no path is allowed, -inf has to stay.
  const V lowest = F::set1(typename F::Scalar(-3e38));
  top = F::select(F::greater(top, lowest), top, F::zero());
  for (int64_t k = 0; k < tags; ++k) {
    F::store(scores + k * W, F::sub(F::load(scores + k * W), top));
  }
  return top;
}

template <class F>
struct Best {
  typename F::V score;
  typename F::Index tag;

  void take(typename F::V other, typename F::Index its_tag) {
    tag = F::select_index(F::greater(other, score), its_tag, tag);
    score = F::max(score, other);
  }
};

// The best of scores[i] + added(i), the lowest i on ties. Three runs of tags
// are followed at a time, as each is a chain of dependent comparisons.
template <class F, typename Added>
inline Best<F> best_tag(const typename F::Scalar* scores, int64_t tags,
                        Added added) {
  constexpr int W = F::width;
  auto candidate = [&](int64_t i) {
    return F::plus(F::load(scores + i * W), added(i));
  };
  const int64_t run = tags / 3;
  Best<F> best{candidate(0), F::index(0)};
  if (run == 0) {
    for (int64_t i = 1; i < tags; ++i) {
      best.take(candidate(i), F::index(static_cast<int32_t>(i)));
    }
    return best;
  }
  const auto start = [&](int64_t i) {
    return Best<F>{candidate(i), F::index(static_cast<int32_t>(i))};
  };
  Best<F> second = start(run), third = start(2 * run);
  for (int64_t i = 1; i < run; ++i) {
    const auto at = [&](int64_t k) {
      return F::index(static_cast<int32_t>(k));
    };
    best.take(candidate(i), at(i));
    second.take(candidate(run + i), at(run + i));
    third.take(candidate(2 * run + i), at(2 * run + i));
  }
  for (int64_t i = 3 * run; i < tags; ++i) {
    third.take(candidate(i), F::index(static_cast<int32_t>(i)));
  }
  best.take(second.score, second.tag);
  best.take(third.score, third.tag);
  return best;
}

// Registers that hold a row of transitions, 0 for too many of them.
template <class F, int Parts>
struct Backtrace {
  using S = typename F::Scalar;
  static void run(const CrfModel<S>* model, const CrfGroup<S>* group,
                  const S* scores, const double* shifts, int32_t* path,
                  double* best_scores) {
    constexpr int W = F::width;
    const int64_t tags = model->tags, size = tags * W;
    const Ends ends(*group, W);
    int end = ends.count;
    const auto lengths = F::load_index(group->lengths);
    auto tag = F::index(0);
    for (int64_t t = group->longest - 1; t >= 0; --t) {
      const auto now = static_cast<int32_t>(t + 1);
      if (end > 0 && ends.at[end - 1] == now) {
        --end;
        const Best<F> last =
            best_tag<F>(scores + t * size, tags,
                        [&](int64_t i) { return F::set1(model->end[i]); });
        tag = F::select_index(F::index_equal(lengths, F::index(now)), last.tag,
                              tag);
        S best[W];
        F::store(best, last.score);
        const double* shift = shifts + now / crf_chunk(tags) * W;
        for (int lane = 0; lane < W; ++lane) {
          if (group->lengths[lane] == now) {
            best_scores[lane] = double(best[lane]) + shift[lane];
          }
        }
      }
      auto written = tag;
      if (t >= group->shortest) {
        written = F::select_index(F::index_less(lengths, F::index(now)),
                                  F::index(-1), tag);
      }
      F::store_index(path + t * W, written);
      if (t > 0) {
        tag = best_tag<F>(scores + (t - 1) * size, tags, [&](int64_t i) {
                return F::template lookup<Parts>(
                    model->transitions + i * model->stride, tag);
              }).tag;
      }
    }
  }
};

// path (longest, W) to rows of `length` int64, -1 past the longest.
template <class F>
void write_path(int32_t* path, int64_t longest, int64_t length,
                int64_t* const* rows) {
  constexpr int W = F::width;
  const int64_t filled = crf_round_up(longest, W);
  for (int64_t t = longest; t < filled; ++t) {
    F::store_index(path + t * W, F::index(-1));
  }
  for (int64_t t = 0; t < filled; t += W) {
    typename F::Index block[W];
    for (int i = 0; i < W; ++i) block[i] = F::load_index(path + (t + i) * W);
    F::transpose_index(block);
    for (int lane = 0; lane < W; ++lane) {
      if (rows[lane] == nullptr) continue;
      if (t + W <= length) {
        F::store_wide(rows[lane] + t, block[lane]);
      } else {
        int64_t whole[W];
        F::store_wide(whole, block[lane]);
        for (int64_t i = 0; t + i < length; ++i) rows[lane][t + i] = whole[i];
      }
    }
  }
  for (int lane = 0; lane < W; ++lane) {
    if (rows[lane] == nullptr) continue;
    for (int64_t t = filled; t < length; ++t) rows[lane][t] = -1;
  }
}

template <class F>
void decode_group(const CrfModel<typename F::Scalar>& model,
                  const CrfGroup<typename F::Scalar>& group, int64_t length,
                  typename F::Scalar* scratch, int64_t* const* rows,
                  double* best_scores) {
  using S = typename F::Scalar;
  constexpr int W = F::width;
  const int64_t tags = model.tags, size = tags * W, chunk = crf_chunk(tags);
  S* scores = scratch;
  S* emissions = scores + group.longest * size;
  auto* shifts = reinterpret_cast<double*>(emissions + chunk * size + W * W);
  auto* path =
      reinterpret_cast<int32_t*>(shifts + (group.longest / chunk + 1) * W);
  for (int lane = 0; lane < W; ++lane) shifts[lane] = best_scores[lane] = 0;
  for (int64_t t = 0; t < group.longest; t += chunk) {
    const int64_t count = t + chunk < group.longest ? chunk : group.longest - t;
    read_lanes<F>(group, tags, t * tags, count * tags, emissions);
    S* at = scores + t * size;
    const int64_t skipped = t == 0 ? 1 : 0;
    if (skipped) {
      for (int64_t k = 0; k < tags; ++k) {
        F::store(at + k * W,
                 F::add(F::load(emissions + k * W), F::set1(model.start[k])));
      }
    }
    run_for_tags<F, ViterbiSteps>(
        tags, &model, static_cast<const S*>(skipped ? at : at - size),
        static_cast<const S*>(emissions + skipped * size), count - skipped,
        at + skipped * size);
    if (count == chunk) {
      const auto top = take_maximum<F>(at + (count - 1) * size, tags);
      double* shift = shifts + (t / chunk + 1) * W;
      for (int lane = 0; lane < W; ++lane) shift[lane] = shift[lane - W];
      F::accumulate(shift, top);
    }
  }
  const int64_t parts = (tags + W - 1) / W;
  const auto trace = parts == 1   ? Backtrace<F, 1>::run
                     : parts == 2 ? Backtrace<F, 2>::run
                     : parts == 3 ? Backtrace<F, 3>::run
                     : parts == 4 ? Backtrace<F, 4>::run
                                  : Backtrace<F, 0>::run;
  trace(&model, &group, scores, shifts, path, best_scores);
  write_path<F>(path, group.longest, length, rows);
}

}  // namespace
}  // namespace cman
