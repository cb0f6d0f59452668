// Where the tests of the CUDA kernels run: in the emulation, or, compiled by
// nvcc, on a GPU. The arrays that kernels see are DeviceVectors, which the host
// reads and writes as well, after synchronize().
//
//   g++  -std=c++17 -Icsrc -x c++ tests/csrc/crf_cuda_test.cpp
//   nvcc -std=c++17 -Icsrc -x cu -arch=sm_90 tests/csrc/crf_cuda_test.cpp
//
// Include it before the kernels.
#pragma once

#ifndef __CUDACC__

#define CMAN_CUDA_EMULATION
#include <vector>

#include "cuda_emulation.h"

inline void synchronize() {}
template <typename T>
using DeviceVector = std::vector<T>;
constexpr const char* device_name = "emulated";

#else

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

inline void must(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::printf("CUDA: %s\n", cudaGetErrorString(error));
  std::exit(1);
}

inline void synchronize() { must(cudaDeviceSynchronize()); }

template <typename T>
struct ManagedAllocator {
  using value_type = T;

  ManagedAllocator() = default;
  template <typename U>
  ManagedAllocator(const ManagedAllocator<U>&) {}

  T* allocate(size_t count) {
    void* memory = nullptr;
    must(cudaMallocManaged(&memory, count * sizeof(T)));
    return static_cast<T*>(memory);
  }
  void deallocate(T* memory, size_t) { must(cudaFree(memory)); }

  template <typename U>
  bool operator==(const ManagedAllocator<U>&) const {
    return true;
  }
  template <typename U>
  bool operator!=(const ManagedAllocator<U>&) const {
    return false;
  }
};

template <typename T>
using DeviceVector = std::vector<T, ManagedAllocator<T> >;
constexpr const char* device_name = "on a GPU";

#endif

// A copy that kernels can see, in another type if asked for.
template <typename T, typename From>
DeviceVector<T> on_device(const From& from) {
  return DeviceVector<T>(from.begin(), from.end());
}
