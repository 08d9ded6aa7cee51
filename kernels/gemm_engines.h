#pragma once
#include <cstdint>
#include <span>

#include "kernels/gemm.h"

namespace kernels {

template <class T>
struct Call;

/// One way to compute products of a precision: an Engine (gemm_blocks.h) as functions.
struct NarrowEngine {
  const char* name;
  Precision precision;
  int64_t (*packed_bytes)(int64_t n, int64_t k);
  void (*pack)(Cpu, Matrix<float> b, int64_t n, int64_t k, void* packed);
  void (*multiply)(Cpu, const Call<float>&, Matrix<float> b);
  void (*multiply_packed)(Cpu, const Call<float>&, const void* packed);
};

/// Those that this processor can run, the fastest first, for bf16 and int8; last a model of AMX in plain C++, for
/// tests.
std::span<const NarrowEngine* const> narrow_engines();
/// What gemm takes for bf16 and int8: the fastest of each, or what a test has put there.
const NarrowEngine& narrow_engine(Precision);
void use_narrow_engine(const NarrowEngine&);

}  // namespace kernels
