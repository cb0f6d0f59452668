// What lies between cpu_operations.cpp, which knows batches, threads and
// memory, and the kernels, which know one instruction set.
//
// A step of the recurrence is a product of few rows, the sentences that have a
// token there, with a matrix that all steps share. The matrix is packed once a
// call: panels of as many columns as a kernel has registers for, (K, columns)
// each, so that a step reads it in order; what is short of a panel is 0. Rows
// lie a sentence apart in memory, so a step lists them; they are multiplied
// four at a time, and a panel stays in the first cache until all are done.
//
// These structs hold pointers and sizes only and are shared by files that are
// compiled for different processors: no function may be added to them, nor
// anything of the standard library that has code.
#pragma once

#include <cstdint>

namespace cman {

// One token of each of some sentences.
struct LstmStep {
  const int64_t* tokens;     // their numbers, of all T
  const int64_t* sentences;  // their rows in `carried`
  int64_t count;
  int64_t
      following;   // so many come after a token; the others begin: h', c' = 0
  int64_t before;  // from a token's number to that of the one before
  int64_t size;    // H
};

struct LstmForward {
  const float* packed;  // (H, 4 H)
  float* gates;         // (T, 4 H)
  float* cells;         // (T, H)
  float* outputs;       // (T, H)
};

struct LstmBackward {
  const float* packed;  // (4 H, H)
  const float* grad;    // (T, H)
  const float* gates;   // (T, 4 H)
  const float* cells;   // (T, H)
  float* slopes;        // (T, 4 H)
  float* carried;       // (sentences, 2 H): of h and c, from the token after
};

struct LstmKernels {
  int64_t columns;  // of a panel
  // Packs (K, N) whose value k, n is matrix[k * by_row + n * by_column].
  void (*pack)(const float* matrix, int64_t K, int64_t N, int64_t by_row,
               int64_t by_column, float* packed);
  void (*forward)(const LstmStep& step, const LstmForward& arrays);
  // Leaves in `carried` what the token before gets.
  void (*backward)(const LstmStep& step, const LstmBackward& arrays);
};

const LstmKernels& lstm_kernels_avx512();
const LstmKernels& lstm_kernels_avx2();
const LstmKernels& lstm_kernels_portable();

}  // namespace cman
