// The instruction set that the CPU kernels use, chosen when the program runs: a
// binary must not depend on the processor that built it. Kernels are compiled
// once an instruction set, from the same source, in files named after it.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define CMAN_X86 1
#else
#define CMAN_X86 0
#endif

namespace cman {

enum class Isa { portable = 0, avx2 = 1, avx512 = 2 };

// The best set that this processor has, or a lesser one that the environment
// variable CMAN_ISA (portable, avx2 or avx512) asks for.
Isa isa();

// The best set of this processor and binary, whatever the environment says.
Isa best_isa();

const char* isa_name(Isa isa);

// For tests and benchmarks: use this set from now on.
// Returns false, and changes nothing, where the processor lacks it.
bool set_isa(Isa isa);

}  // namespace cman
