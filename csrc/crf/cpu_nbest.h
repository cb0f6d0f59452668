// The n best paths of one sentence. For each token and tag the n best prefixes
// are kept, best first; those of a tag are merged from the lists of the tags
// before it, which are sorted already:
//
//   list_t[j] = the n best of { list_{t-1}[i][r] + transitions[i][j] } + e_t[j]
//
// An entry remembers where it came from, so that a path is read backwards.
#pragma once

#include <cstdint>
#include <limits>

#include "crf/plan.h"

namespace cman {
namespace {

struct Prefix {
  double score;  // -inf: no such path
  int32_t tag;   // of the token before, and
  int32_t rank;  // the place in its list
};

// Takes the n best of `tags` sorted lists (tags, n), each with added[i], best
// first; ties go to the lowest tag, then the better place.
inline void merge_lists(const Prefix* lists, int64_t tags, int64_t n,
                        const double* added, int32_t* heads, Prefix* merged) {
  constexpr double none = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < tags; ++i) heads[i] = 0;
  for (int64_t place = 0; place < n; ++place) {
    Prefix best{none, 0, 0};
    for (int64_t i = 0; i < tags; ++i) {
      if (heads[i] >= n) continue;
      const double score = lists[i * n + heads[i]].score + added[i];
      if (score > best.score) {
        best = {score, static_cast<int32_t>(i), heads[i]};
      }
    }
    merged[place] = best;
    if (best.score > none) ++heads[best.tag];
  }
}

// lists: room for tokens * tags * n + n prefixes; added: tags; heads: tags.
template <typename T>
void nbest_sentence(const CrfModel<T>& model, const T* emissions,
                    int64_t tokens, int64_t length, int64_t n, Prefix* lists,
                    double* added, int32_t* heads, int64_t* tags_out,
                    T* scores) {
  constexpr double none = -std::numeric_limits<double>::infinity();
  const int64_t K = model.tags, size = K * n;
  for (int64_t i = 0; i < n * length; ++i) tags_out[i] = -1;
  for (int64_t r = 0; r < n; ++r) scores[r] = T(none);
  if (tokens == 0) {
    scores[0] = 0;  // the empty path
    return;
  }
  for (int64_t t = 0; t < tokens; ++t) {
    const T* e = emissions + t * K;
    for (int64_t j = 0; j < K; ++j) {
      Prefix* list = lists + t * size + j * n;
      if (t == 0) {
        for (int64_t r = 0; r < n; ++r) list[r] = {none, 0, 0};
        list[0].score = double(model.start[j]) + double(e[j]);
        continue;
      }
      for (int64_t i = 0; i < K; ++i) {
        added[i] = double(model.transitions[i * model.stride + j]);
      }
      merge_lists(lists + (t - 1) * size, K, n, added, heads, list);
      for (int64_t r = 0; r < n; ++r) list[r].score += double(e[j]);
    }
  }
  for (int64_t i = 0; i < K; ++i) added[i] = double(model.end[i]);
  Prefix* paths = lists + tokens * size;
  merge_lists(lists + (tokens - 1) * size, K, n, added, heads, paths);
  for (int64_t place = 0; place < n; ++place) {
    if (!(paths[place].score > none)) break;
    scores[place] = T(paths[place].score);
    Prefix at = paths[place];
    for (int64_t t = tokens - 1; t >= 0; --t) {
      tags_out[place * length + t] = at.tag;
      at = lists[t * size + at.tag * n + at.rank];
    }
  }
}

}  // namespace
}  // namespace cman
