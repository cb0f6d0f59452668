// Where a kernel runs, without knowing who gives it its threads.
#pragma once

#include <cstdint>
#include <functional>

namespace cman {

// On the CPU: calls work(begin, end) on disjoint ranges that cover [0, count),
// none shorter than `grain` unless it is the last; all in the calling thread if
// count is at most `grain`.
using Work = std::function<void(int64_t begin, int64_t end)>;
using ParallelFor = void (*)(int64_t count, int64_t grain, const Work& work);

inline void serial_for(int64_t count, int64_t /*grain*/, const Work& work) {
  if (count > 0) work(0, count);
}

// On a GPU: a cudaStream_t, without CUDA's headers.
struct Stream {
  void* handle = nullptr;
};

}  // namespace cman
