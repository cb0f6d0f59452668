// The shared memory that kernels have been allowed, by device. A kernel's limit
// is one for all host threads and stays until it is set again, so that a thread
// with a small batch must not lower what another is about to launch with.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <utility>

namespace cman {

class RisingLimits {
 public:
  // Calls set() if no call for this kernel on this device had as many bytes.
  // Other threads wait until it is done.
  template <typename Set>
  void raise(int device, const void* kernel, size_t bytes, const Set& set) {
    const std::lock_guard<std::mutex> lock(mutex_);
    size_t& limit = limits_[{device, kernel}];
    if (bytes <= limit) return;
    set();
    limit = bytes;  // not if set() threw
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<int, const void*>, size_t> limits_;
};

}  // namespace cman
