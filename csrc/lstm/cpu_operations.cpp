// The LSTM's recurrence on the CPU: sentences, steps, threads and memory. What
// computes is in the kernels of plan.h, chosen when a call starts.
//
// Sentences do not know of each other: each thread takes some of them through
// all of their steps, so nothing waits between steps. A sentence's numbers are
// the same in any batch and with any number of threads, as each of its sums has
// one order.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

#include "lstm/interface.h"
#include "lstm/plan.h"
#include "simd/isa.h"
#include "simd/scratch.h"

namespace cman {
namespace {

const LstmKernels& chosen() {
#if CMAN_X86
  if (isa() == Isa::avx512) return lstm_kernels_avx512();
  if (isa() == Isa::avx2) return lstm_kernels_avx2();
#endif
  return lstm_kernels_portable();
}

// U packed for a kernel: (H, 4 H) forward, (4 H, H) backward.
const float* packed(const LstmKernels& kernels, const LstmBatch& input,
                    bool forward) {
  const int64_t H = input.size;
  const int64_t K = forward ? H : 4 * H, N = forward ? 4 * H : H;
  const int64_t columns = round_up(N, kernels.columns);
  float* const memory = call_scratch().take<float>(K * columns);
  kernels.pack(input.weights, K, N, forward ? 1 : H, forward ? H : 1, memory);
  return memory;
}

// Threads take so many sentences at least, as a product takes so many rows.
constexpr int64_t least_sentences = 4;

// Calls work(from, to) for ranges of sentences, in threads.
template <typename Range>
void share_out(const LstmBatch& input, ParallelFor parallel, Range work) {
  const int64_t groups = (input.batch + least_sentences - 1) / least_sentences;
  parallel(groups, 1, [&](int64_t begin, int64_t end) {
    work(begin * least_sentences, std::min(end * least_sentences, input.batch));
  });
}

// Some sentences, a step of the recurrence at a time.
class Steps {
 public:
  Steps(const LstmBatch& input, int64_t from, int64_t to)
      : input_(input),
        from_(from),
        to_(to),
        first_(to - from),
        tokens_(to - from),
        sentences_(to - from) {
    const int64_t* const n = input.lengths;
    int64_t first = std::accumulate(n, n + from, int64_t(0));
    for (int64_t b = from; b < to; first += n[b++]) first_[b - from] = first;
    count = to > from ? *std::max_element(n + from, n + to) : 0;
  }

  // Each sentence's token number t, where it has one.
  LstmStep at(int64_t t) {
    LstmStep step{
        tokens_.data(), sentences_.data(), 0, 0, input_.backwards ? 1 : -1,
        input_.size};
    for (const bool begins : {false, true}) {
      for (int64_t b = from_; b < to_; ++b) {
        const int64_t n = input_.lengths[b];
        if (t >= n || begins != (t == (input_.backwards ? n - 1 : 0))) continue;
        tokens_[step.count] = first_[b - from_] + t;
        sentences_[step.count++] = b - from_;
      }
      if (!begins) step.following = step.count;
    }
    return step;
  }

  int64_t count;  // tokens of the longest

 private:
  const LstmBatch& input_;
  const int64_t from_, to_;
  std::vector<int64_t> first_, tokens_, sentences_;
};

}  // namespace

void lstm_forward(const LstmBatch& input, float* gates, float* cells,
                  float* outputs, ParallelFor parallel) {
  const LstmKernels& kernels = chosen();
  const LstmForward arrays{packed(kernels, input, true), gates, cells, outputs};
  share_out(input, parallel, [&](int64_t from, int64_t to) {
    Steps steps(input, from, to);
    for (int64_t s = 0; s < steps.count; ++s) {
      const int64_t t = input.backwards ? steps.count - 1 - s : s;
      kernels.forward(steps.at(t), arrays);
    }
  });
}

void lstm_backward(const LstmBatch& input, const float* grad,
                   const float* gates, const float* cells, float* slopes,
                   ParallelFor parallel) {
  const LstmKernels& kernels = chosen();
  const float* const matrix = packed(kernels, input, false);
  share_out(input, parallel, [&](int64_t from, int64_t to) {
    std::vector<float> carried((to - from) * 2 * input.size, 0.0f);
    const LstmBackward arrays{matrix, grad,   gates,
                              cells,  slopes, carried.data()};
    Steps steps(input, from, to);
    for (int64_t s = 0; s < steps.count; ++s) {
      const int64_t t = input.backwards ? s : steps.count - 1 - s;
      kernels.backward(steps.at(t), arrays);
    }
  });
}

}  // namespace cman
