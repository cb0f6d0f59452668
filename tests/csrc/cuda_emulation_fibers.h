// The threads of cuda_emulation.h: a block's threads are fibers, and this is
// what runs them, holds them at barriers, and exchanges the values of a warp's
// lanes once all lanes of a mask have come.
#pragma once

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <type_traits>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;
constexpr int warpSize = 32;

namespace cuda_emulation {

struct Site {
  const char* file;
  int line;
};
enum class State { ready, barrier, warp, done };
enum class Operation { shuffle, ballot };

struct Fiber {
  ucontext_t context;
  void* stack = nullptr;
  void* fake_stack = nullptr;  // AddressSanitizer's
  State state = State::done;
  Site site{};
  Operation operation{};
  unsigned mask = 0;
  int source = 0;       // lane a shuffle reads
  uint64_t value = 0;   // given to the operation
  uint64_t result = 0;  // and got from it
};

constexpr size_t stack_bytes = 256 * 1024, guard_bytes = 4096;
constexpr size_t most_shared = 163 * 1024, canary_bytes = 64;

struct Machine {
  ucontext_t scheduler;
  void* scheduler_fake = nullptr;
  const void* scheduler_stack = nullptr;
  size_t scheduler_size = 0;
  std::vector<Fiber> fibers;
  std::vector<unsigned char> shared;
  std::function<void()> body;
  int count = 0, current = 0;
  uint64_t block = 0;  // of all launches; changes at each block's start
  uint64_t random = 88172645463325252ull;
};
inline Machine machine;

[[noreturn]] inline void stop(const char* what, Site site, int thread) {
  std::fprintf(stderr, "%s:%d: block %u,%u,%u thread %d: %s\n",
               site.file ? site.file : "?", site.line, blockIdx.x, blockIdx.y,
               blockIdx.z, thread, what);
  std::abort();
}

inline unsigned below(unsigned n) {
  uint64_t& x = machine.random;
  x ^= x << 13, x ^= x >> 7, x ^= x << 17;
  return static_cast<unsigned>(x >> 33) % n;
}

inline void start_switch(void** fake, const void* stack, size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(fake, stack, size);
#else
  (void)fake, (void)stack, (void)size;
#endif
}

inline void end_switch(void* fake, bool from_scheduler) {
#if defined(__SANITIZE_ADDRESS__)
  Machine& m = machine;
  __sanitizer_finish_switch_fiber(fake,
                                  from_scheduler ? &m.scheduler_stack : nullptr,
                                  from_scheduler ? &m.scheduler_size : nullptr);
#else
  (void)fake, (void)from_scheduler;
#endif
}

// Gives the machine to the scheduler until this fiber may go on.
inline void wait(State state, Site site) {
  Machine& m = machine;
  Fiber& fiber = m.fibers[m.current];
  fiber.state = state, fiber.site = site;
  start_switch(&fiber.fake_stack, m.scheduler_stack, m.scheduler_size);
  swapcontext(&fiber.context, &m.scheduler);
  end_switch(fiber.fake_stack, true);
}

inline void fiber_main() {
  Machine& m = machine;
  end_switch(nullptr, true);
  m.body();
  m.fibers[m.current].state = State::done;
  start_switch(nullptr, m.scheduler_stack, m.scheduler_size);
  setcontext(&m.scheduler);
}

inline void start(Fiber& fiber) {
  if (fiber.stack == nullptr) {
    fiber.stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mprotect(fiber.stack, guard_bytes, PROT_NONE);
  }
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = static_cast<char*>(fiber.stack) + guard_bytes;
  fiber.context.uc_stack.ss_size = stack_bytes - guard_bytes;
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, fiber_main, 0);
  fiber.state = State::ready;
}

inline void resume(int thread) {
  Machine& m = machine;
  Fiber& fiber = m.fibers[thread];
  m.current = thread;
  const unsigned width = blockDim.x, height = blockDim.y, at = thread;
  threadIdx = dim3(at % width, at / width % height, at / width / height);
  const auto& stack = fiber.context.uc_stack;
  start_switch(&m.scheduler_fake, stack.ss_sp, stack.ss_size);
  swapcontext(&m.scheduler, &fiber.context);
  end_switch(m.scheduler_fake, false);
}

// Lets the lanes of an operation go on if all of them have come.
inline bool converge(int thread) {
  Machine& m = machine;
  const Fiber& one = m.fibers[thread];
  const int first = thread / 32 * 32;
  for (int k = 0; k < 32; ++k) {
    if (!(one.mask >> k & 1)) continue;
    if (first + k >= m.count) {
      stop("a mask names a lane that the block does not have", one.site,
           thread);
    }
    const Fiber& other = m.fibers[first + k];
    if (other.state == State::done) {
      stop("a mask names a lane that has returned", one.site, thread);
    }
    if (other.state != State::warp) return false;
    if (other.mask != one.mask || other.site.line != one.site.line ||
        other.site.file != one.site.file) {
      if (!(other.mask >> (thread % 32) & 1)) return false;
      stop("lanes of one mask are at different operations", one.site, thread);
    }
  }
  unsigned ballot = 0;
  for (int k = 0; k < 32; ++k) {
    if ((one.mask >> k & 1) && m.fibers[first + k].value) ballot |= 1u << k;
  }
  for (int k = 0; k < 32; ++k) {
    if (!(one.mask >> k & 1)) continue;
    Fiber& lane = m.fibers[first + k];
    if (lane.operation == Operation::ballot) {
      lane.result = ballot;
    } else {  // a lane outside of the mask gives nothing one may use
      lane.result = one.mask >> lane.source & 1
                        ? m.fibers[first + lane.source].value
                        : ~uint64_t{0};
    }
  }
  for (int k = 0; k < 32; ++k) {
    if (one.mask >> k & 1) m.fibers[first + k].state = State::ready;
  }
  return true;
}

// Lets all threads leave a barrier if all that have not returned are there.
inline bool release_barrier() {
  Machine& m = machine;
  int first = -1;
  for (int k = 0; k < m.count; ++k) {
    const Fiber& fiber = m.fibers[k];
    if (fiber.state == State::done) continue;
    if (fiber.state != State::barrier) return false;
    if (first < 0) first = k;
    if (fiber.site.line != m.fibers[first].site.line ||
        fiber.site.file != m.fibers[first].site.file) {
      stop("threads of a block are at different barriers", fiber.site, k);
    }
  }
  if (first < 0) return false;
  uint64_t sum = 0;
  for (int k = first; k < m.count; ++k) {
    if (m.fibers[k].state == State::barrier) sum += m.fibers[k].value;
  }
  for (int k = first; k < m.count; ++k) {
    if (m.fibers[k].state != State::barrier) continue;
    m.fibers[k].state = State::ready, m.fibers[k].result = sum;
  }
  return true;
}

inline void run_block() {
  Machine& m = machine;
  std::vector<int> order(m.count);
  const unsigned kind = below(3);
  for (int k = 0; k < m.count; ++k) {
    order[k] = kind == 1 ? m.count - 1 - k : k;
    start(m.fibers[k]);
  }
  for (int k = m.count - 1; kind == 2 && k > 0; --k) {
    std::swap(order[k], order[below(k + 1)]);
  }
  for (bool going = true; going;) {
    going = false;
    for (const int k : order) {
      if (m.fibers[k].state == State::ready) resume(k), going = true;
    }
    for (const int k : order) {
      if (m.fibers[k].state == State::warp && converge(k)) going = true;
    }
    if (!going) going = release_barrier();
  }
  for (int k = 0; k < m.count; ++k) {
    if (m.fibers[k].state != State::done) {
      stop("waits forever for the other threads", m.fibers[k].site, k);
    }
  }
}

// The dynamic shared memory that a kernel was last allowed, as of a device.
inline std::map<const void*, size_t> allowed_shared;

inline void allow_shared(const void* kernel, size_t bytes) {
  if (bytes > most_shared) stop("asks for more than a block can have", {}, 0);
  allowed_shared[kernel] = bytes;
}

inline void check_shared(const void* kernel, size_t bytes, size_t plain) {
  if (bytes > plain && bytes > allowed_shared[kernel]) {
    stop("more shared memory than the kernel was allowed", {}, 0);
  }
}

inline void run(dim3 grid, dim3 block, size_t shared_bytes,
                std::function<void()> body) {
  Machine& m = machine;
  m.count = static_cast<int>(block.x * block.y * block.z);
  if (m.count < 1 || m.count > 1024 || block.z > 64 || grid.x > 0x7fffffffu ||
      grid.y > 65535 || grid.z > 65535 || shared_bytes > most_shared) {
    stop("a launch beyond the device's limits", {}, 0);
  }
  m.fibers.resize(std::max<size_t>(m.fibers.size(), m.count));
  m.body = std::move(body);
  blockDim = block, gridDim = grid;
  const uint64_t blocks = uint64_t{grid.x} * grid.y * grid.z;
  const bool backwards = below(2);
  for (uint64_t k = 0; k < blocks; ++k) {
    const uint64_t at = backwards ? blocks - 1 - k : k;
    blockIdx = dim3(static_cast<unsigned>(at % grid.x),
                    static_cast<unsigned>(at / grid.x % grid.y),
                    static_cast<unsigned>(at / grid.x / grid.y));
    ++m.block;
    m.shared.assign(shared_bytes + canary_bytes, 0xff);  // NaN
    std::memset(m.shared.data() + shared_bytes, 0xa5, canary_bytes);
    run_block();
    for (size_t c = shared_bytes; c < m.shared.size(); ++c) {
      if (m.shared[c] != 0xa5) stop("wrote behind the shared memory", {}, 0);
    }
  }
}

}  // namespace cuda_emulation
