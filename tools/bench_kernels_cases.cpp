#include "tools/bench_kernels_cases.h"

namespace tools::bench {

std::vector<KernelCase> kernel_cases(kernels::Precision precision) {
  Cases cases;
  if (precision != kernels::Precision::full) return add_narrow_products(cases, precision), cases;
  add_product_cases<Cpu, float>(cases);
  add_layer_cases<Cpu, float>(cases);
  add_step_cases<Cpu, float>(cases);
  return cases;
}

#ifdef ACE_CUDA
std::vector<KernelCase> device_kernel_cases(kernels::Precision precision) {
  Cases cases;
  const auto add = [&]<class T>(T) {
    add_product_cases<Cuda, T>(cases);
    add_layer_cases<Cuda, T>(cases);
    add_step_cases<Cuda, T>(cases);
  };
  if (precision == kernels::Precision::f16) {
    add(kernels::f16());
  } else if (precision == kernels::Precision::bf16) {
    add(kernels::bf16());
  } else {
    add(float());
  }
  return cases;
}
#endif

}  // namespace tools::bench
