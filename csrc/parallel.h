// How a kernel asks for threads without knowing who gives them.
#pragma once

#include <cstdint>
#include <functional>

namespace cman {

// Calls work(begin, end) on disjoint ranges that cover [0, count), none shorter
// than `grain` unless it is the last; all in the calling thread if count is at
// most `grain`.
using Work = std::function<void(int64_t begin, int64_t end)>;
using ParallelFor = void (*)(int64_t count, int64_t grain, const Work& work);

inline void serial_for(int64_t count, int64_t /*grain*/, const Work& work) {
  if (count > 0) work(0, count);
}

}  // namespace cman
