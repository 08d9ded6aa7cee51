#pragma once
#include <functional>
#include <string>
#include <vector>

#include "kernels/gemm.h"

namespace tools::bench {

/// One kernel at one size. `prepare` draws its operands and gives the call to time, which holds them.
struct KernelCase {
  using Call = std::function<void()>;
  std::string kernel, size;
  double flops = 0;  ///< multiplications and additions of its formula; 0 where it only moves or looks up numbers
  double bytes = 0;  ///< what it must read and write: each operand once
  std::function<Call()> prepare;
  std::function<Call()> peer;  ///< the same by a library of the device's maker (bench_peer.h), where there is one
};

/// Every kernel at the sizes it has in the model (d 512, 8 heads, 12 and 24 pieces, 64 and 256 texts, twice each in
/// training; 100 queries with beams of 5 and 50) and at large ones; in bf16 and int8 the products alone, since the CPU
/// rounds nothing but their factors.
std::vector<KernelCase> kernel_cases(kernels::Precision precision);
/// The same on a GPU, in f32, f16 or bf16; where there is CUDA.
std::vector<KernelCase> device_kernel_cases(kernels::Precision precision);

}  // namespace tools::bench
