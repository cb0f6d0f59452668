// What the .cu files need around their kernels, in two versions: nvcc's, and,
// where CMAN_CUDA_EMULATION is defined, that of tests/csrc/cuda_emulation.h,
// with which g++ compiles the same files and runs their kernels on the CPU.
//
//   launch(kernel, grid, block, shared_bytes, stream, arguments...)
//   CMAN_DYNAMIC_SHARED(type, name)       type* name: the launch's shared_bytes
//   CMAN_SHARED(type, name, count)        type name[count], shared by the block
//   approx_reciprocal(x)                  1/x to 1 ulp, one instruction
//   full_warp                             the mask of all 32 lanes
//
// Shared memory starts undefined; the emulation fills it with NaN. Both macros
// work inside templates of any type: dynamic memory is declared as bytes, since
// one file may not declare it as float and as double.
#pragma once

#ifndef CMAN_CUDA_EMULATION
#include <cuda_runtime.h>
#endif

#include <cstddef>
#include <stdexcept>
#include <string>

#include "simd/parallel.h"
#include "simd/rising_limits.h"

namespace cman {
namespace {

constexpr unsigned full_warp = 0xffffffffu;

// The most bytes of shared memory a block can have on all devices we build for
// (sm_80), and the dynamic memory it can have without being asked for: 48 KiB,
// less what a kernel may declare itself.
constexpr size_t most_shared_bytes = 163 * 1024;
constexpr size_t plain_shared_bytes = 32 * 1024;

#ifdef CMAN_CUDA_EMULATION

#define CMAN_DYNAMIC_SHARED(type, name) \
  type* const name = reinterpret_cast<type*>(cuda_emulation::dynamic_shared())
#define CMAN_SHARED(type, name, count)                                     \
  static cuda_emulation::StaticShared<type, (count)> name##_of_all_blocks; \
  type(&name)[count] = name##_of_all_blocks.of_this_block()

__device__ inline float approx_reciprocal(float x) {
  const float exact = 1.0f / x;  // an ulp off, as the instruction may be
  if (std::isnan(exact) || std::isinf(exact)) return exact;
  if (!std::isnormal(exact)) return 0.0f;  // denormals count as 0
  return __int_as_float(__float_as_int(exact) ^ 1);
}

inline int multiprocessors() { return 8; }
inline int current_device() { return 0; }

inline void allow_shared(const void* kernel, size_t bytes) {
  cuda_emulation::allow_shared(kernel, bytes);
}

template <typename... P, typename... A>
void run(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
         Stream /*stream*/, A... arguments) {
  cuda_emulation::check_shared(reinterpret_cast<const void*>(kernel),
                               shared_bytes, plain_shared_bytes);
  cuda_emulation::run(grid, block, shared_bytes,
                      [&] { kernel(static_cast<P>(arguments)...); });
}

#else

#define CMAN_DYNAMIC_SHARED(type, name)                               \
  extern __shared__ __align__(16) unsigned char cman_dynamic_bytes[]; \
  type* const name = reinterpret_cast<type*>(cman_dynamic_bytes)
#define CMAN_SHARED(type, name, count) __shared__ type name[count]

// Zero for infinity, infinity for 0, as 1 / x; denormals count as 0.
__device__ __forceinline__ float approx_reciprocal(float x) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

inline void check_cuda(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  throw std::runtime_error(std::string("CUDA: ") + what +
                           " failed: " + cudaGetErrorString(error));
}

inline int current_device() {
  int device = 0;
  check_cuda(cudaGetDevice(&device), "asking for the device");
  return device;
}

// Of the current device; for launchers that share out little work.
inline int multiprocessors() {
  int count = 0;
  check_cuda(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount,
                                    current_device()),
             "asking for the number of multiprocessors");
  return count;
}

inline void allow_shared(const void* kernel, size_t bytes) {
  check_cuda(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(bytes)),
      "asking for shared memory");
}

template <typename... P, typename... A>
void run(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
         Stream stream, A... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream.handle);
  const cudaError_t error =
      cudaLaunchKernelEx(&config, kernel, static_cast<P>(arguments)...);
  const cudaError_t last = cudaGetLastError();  // also forgets it
  check_cuda(error == cudaSuccess ? last : error, "launching a kernel");
}

#endif

inline RisingLimits& shared_limits() {
  static RisingLimits limits;
  return limits;
}

// Queues the kernel on a stream. A grid with nothing in it is no launch. Errors
// inside a kernel appear later, where the host next waits for the device.
template <typename... P, typename... A>
void launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared_bytes,
            Stream stream, A... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  if (shared_bytes > plain_shared_bytes) {
    const void* const address = reinterpret_cast<const void*>(kernel);
    shared_limits().raise(current_device(), address, shared_bytes,
                          [&] { allow_shared(address, shared_bytes); });
  }
  run(kernel, grid, block, shared_bytes, stream, arguments...);
}

}  // namespace
}  // namespace cman
