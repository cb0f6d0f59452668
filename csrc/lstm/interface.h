// The recurrence of an LSTM over padded sentences (equations 1 to 3), as raw
// pointers. What depends on the input alone, W x + b of all tokens, is one
// matrix product and comes ready in `gates`; what is left is a step a token:
//
//   i, f, o = sigmoid(gates + U h'),  g = tanh(gates + U h')
//   c = f c' + i g,  h = o tanh(c)
//
// where h' and c' are those of the token before or, backwards, of the token
// after. float32; everything is contiguous and row-major. Sentences lie one
// behind the other, T tokens in all: nothing is computed for padding.
#pragma once

#include <cstdint>

#include "simd/parallel.h"

namespace cman {

struct LstmBatch {
  const float* weights;    // U (4 H, H), gates in the order i, f, g, o
  const int64_t* lengths;  // (B), which sum to T
  int64_t batch;           // B
  int64_t size;            // H
  bool backwards;          // from each sentence's last token to its first
};

// CPU (cpu_operations.cpp)
// -------------------------------------------------------

// Turns gates (T, 4 H) into their values i, f, g, o, and writes cells c and
// outputs h, both (T, H).
void lstm_forward(const LstmBatch& input, float* gates, float* cells,
                  float* outputs, ParallelFor parallel);

// From grad (T, H), that of the outputs, and from what lstm_forward wrote:
// slopes (T, 4 H), the gradients of what came in `gates`.
void lstm_backward(const LstmBatch& input, const float* grad,
                   const float* gates, const float* cells, float* slopes,
                   ParallelFor parallel);

}  // namespace cman
