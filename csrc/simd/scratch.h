// Memory that is kept from call to call: one piece a thread and purpose, cut
// into the arrays that live together.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>

namespace cman {
namespace {

constexpr int64_t cache_line = 64;  // bytes; the widest registers' too

constexpr int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

// Bytes of an array as Cutter cuts it.
template <typename T>
constexpr int64_t array_bytes(int64_t count) {
  return round_up(count * int64_t(sizeof(T)), cache_line);
}

// Memory of a thread that grows when needed. Pages come to a process with a
// cost, so they stay, but not more of them than `kept`.
class Scratch {
 public:
  ~Scratch() { std::free(memory_); }

  // Space for `count` of T, aligned to a cache line, of unknown content. What
  // the thread took from here before is gone.
  template <typename T>
  T* take(int64_t count) {
    const size_t bytes = array_bytes<T>(count) + cache_line;
    constexpr size_t kept = size_t(64) << 20;
    if (bytes > size_ || (size_ > kept && bytes < size_ / 4)) {
      std::free(memory_);
      size_ = 0;
      memory_ = std::aligned_alloc(cache_line, bytes);
      if (memory_ == nullptr) throw std::bad_alloc();
      size_ = bytes;
    }
    return static_cast<T*>(memory_);
  }

 private:
  void* memory_ = nullptr;
  size_t size_ = 0;
};

// What a call prepared for all its threads, in the thread that was called.
inline Scratch& call_scratch() {
  thread_local Scratch scratch;
  return scratch;
}

// What a kernel needs, in the thread that runs it.
inline Scratch& kernel_scratch() {
  thread_local Scratch scratch;
  return scratch;
}

// Cuts one piece of memory into arrays that start at cache lines.
class Cutter {
 public:
  explicit Cutter(char* memory) : next_(memory) {}
  template <typename T>
  T* take(int64_t count) {
    T* at = reinterpret_cast<T*>(next_);
    next_ += array_bytes<T>(count);
    return at;
  }

 private:
  char* next_;
};

}  // namespace
}  // namespace cman
