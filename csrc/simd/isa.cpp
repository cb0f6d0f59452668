#include "simd/isa.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace cman {
namespace {

Isa initial_isa() {
  const Isa best = best_isa();
  const char* wanted = std::getenv("CMAN_ISA");
  if (wanted == nullptr) return best;
  for (const Isa each : {Isa::portable, Isa::avx2, Isa::avx512}) {
    if (std::strcmp(wanted, isa_name(each)) == 0) {
      return each < best ? each : best;
    }
  }
  return best;
}

std::atomic<Isa>& current() {
  static std::atomic<Isa> value{initial_isa()};
  return value;
}

}  // namespace

Isa best_isa() {
#if CMAN_X86
  __builtin_cpu_init();
  // GCC's checks include that the system saves the wide registers.
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    return Isa::avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return Isa::avx2;
  }
#endif
  return Isa::portable;
}

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::avx512:
      return "avx512";
    case Isa::avx2:
      return "avx2";
    default:
      return "portable";
  }
}

Isa isa() { return current().load(std::memory_order_relaxed); }

bool set_isa(Isa isa) {
  if (isa > best_isa()) return false;
  current().store(isa, std::memory_order_relaxed);
  return true;
}

}  // namespace cman
