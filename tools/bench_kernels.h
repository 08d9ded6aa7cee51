#pragma once
#include <functional>
#include <string>
#include <vector>

namespace tools::bench {

/// One kernel at one size. `prepare` draws its operands and gives the call to time.
struct KernelCase {
  std::string kernel, size;
  double flops = 0;  ///< multiplications and additions of its formula; 0 where it only moves or looks up numbers
  double bytes = 0;  ///< what it must read and write: each operand once
  std::function<std::function<void()>()> prepare;
};

/// Every kernel at the sizes it has in the model (d 512, 8 heads, 12 and 24 pieces, 64 and 256 texts, twice each in
/// training) and at large ones.
std::vector<KernelCase> kernel_cases();

}  // namespace tools::bench
