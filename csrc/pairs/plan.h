// What lies between cpu_operations.cpp, which knows batches, threads and
// memory, and the kernels, which know one instruction set. A kernel works on
// the tails of one sentence and a few of its rows (heads) at a time; it
// allocates nothing.
//
// The idea (float32): tanh(a + c) = 1 - 2 / (1 + e^2a e^2c). The exponentials
// are computed once a token, not once a pair, so that a pair costs one
// multiply-add and one reciprocal; the rest of the formula goes into V. Beyond
// `far_limit` the product of two such exponentials may overflow; a head or a
// group of tails that has such a value is marked as far, and its pairs take the
// direct path through tanh(a + c), slower and right for all numbers.
//
// The plan of the memory, for W lanes in a register, D' and n' = D and n
// rounded up to multiples of W, K = D' / W blocks of dimensions:
//   columns (D, n')     e^2c transposed: in the forward pass lanes are tails j
//   blocks  (K, n, W)   e^2c: in the backward pass lanes are dimensions d
//   dc      (K, n, W)   the gradient, laid out as `blocks`, until it is
//   complete factors (rows, D')  e^2a of some rows dV      (R, D')     in
//   double; a kernel adds the sum of a few rows at once
// The first three are per thread. Lanes that stand for no token or dimension
// hold the numbers of c = 0; nothing is read from behind the caller's arrays.
//
// These structs hold pointers and sizes only and are shared by files that are
// compiled for different processors: no function may be added to them, nor
// anything of the standard library that has code.
#pragma once

#include <cstdint>

namespace cman {

// V and the bias, and what a kernel makes of them.
template <typename T>
struct PairWeights {
  const T* V;      // (R, D)
  const T* bias;   // (R) or null
  int64_t size;    // D
  int64_t labels;  // R
  T* forward;      // R * D + R values, in the kernel's own order
  T* backward;     // R * D' values, in the kernel's own order
};

// The tails of one sentence.
template <typename T>
struct PairTails {
  const T* c;      // (n, D)
  int64_t count;   // n
  int64_t stride;  // n'
  T* columns;      // (D, n'), or null where no scores are wanted
  T* blocks;       // (K, n, W), or null where no gradients are wanted
  T* corner;       // (D', W): room for c of W tails, transposed
  uint8_t* far;    // (n' / W), whether a group of W tails is far
};

// Some rows of a sentence.
template <typename T>
struct PairHeads {
  const T* a;     // (rows, D)
  int64_t count;  // rows
  T* factors;     // (rows, D')
  uint8_t* far;   // (rows)
};

// The gradients that a backward kernel adds to.
template <typename T>
struct PairGradients {
  const T* grad;        // the first row's gradient of the scores, (n, R)
  int64_t grad_stride;  // from one row to the next
  T* da;                // (rows, D): written
  T* dc;                // (K, n, W): added to
  double* dV;           // (R, D'): added to
  int64_t begin, end;   // the blocks of d to work on
};

template <typename T>
struct PairKernels {
  int64_t width;  // W
  // Fills weights.forward and, unless it is null, weights.backward.
  void (*pack)(const PairWeights<T>& weights);
  // Fills columns, blocks (only those from begin to end) and far.
  void (*tails)(const PairWeights<T>& weights, const PairTails<T>& tails,
                int64_t begin, int64_t end);
  void (*heads)(const PairWeights<T>& weights, const PairHeads<T>& heads);
  // Writes scores (n, R) of the head number `row`.
  void (*scores)(const PairWeights<T>& weights, const PairHeads<T>& heads,
                 int64_t row, const PairTails<T>& tails, T* scores);
  void (*backward)(const PairWeights<T>& weights, const PairHeads<T>& heads,
                   const PairTails<T>& tails,
                   const PairGradients<T>& gradients);
  // dbias (R) += the sum of grad (n, R) over n.
  void (*sum)(const T* grad, int64_t n, int64_t labels, double* dbias);
  // Returns the sum of log(1 + e^s), and puts 1 / (1 + e^-s) in the place of
  // each s if asked to.
  double (*softplus)(T* scores, int64_t count, bool sigmoid);
};

// |a| and |c| up to this: e^(4 * 21.5) and its reciprocal are normal floats.
constexpr float far_limit = 21.5f;

const PairKernels<float>& pair_kernels_avx512();
const PairKernels<float>& pair_kernels_avx2();
const PairKernels<float>& pair_kernels_portable();
const PairKernels<double>& pair_kernels_double();

}  // namespace cman
