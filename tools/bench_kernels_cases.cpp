#include "tools/bench_kernels_cases.h"

#include <algorithm>
#include <map>

namespace tools::bench {
namespace {

constexpr int64_t period = int64_t(1) << 20;

Tensor draw_numbers() {
  const Tensor x({period}, DType::f32);
  uint32_t state = 1;
  for (float& value : x.values<float>()) {
    state = state * 1664525u + 1013904223u;
    value = float(state >> 8) * 0x1p-24f - 0.5f;
  }
  return x;
}

}  // namespace

void fill_numbers(const Tensor& x) {
  static std::map<DType, Tensor> drawn = {{DType::f32, draw_numbers()}};
  Tensor& from = drawn[x.dtype()];
  if (!from.defined()) from = drawn[DType::f32].to(x.dtype());
  const auto block = [&](int64_t begin) { return std::min(from.bytes(), x.bytes() - begin); };
  uint8_t* const to = static_cast<uint8_t*>(x.raw());
  tensor::transfer(to, x.device(), from.raw(), tensor::Device::cpu, block(0));
  for (int64_t begin = from.bytes(); begin < x.bytes(); begin += from.bytes()) {
    tensor::transfer(to + begin, x.device(), to, x.device(), block(begin));
  }
}

std::vector<KernelCase> kernel_cases() {
  Cases cases;
  add_layer_cases<Cpu, float>(cases);
  add_step_cases<Cpu, float>(cases);
  return cases;
}

#ifdef ACE_CUDA
std::vector<KernelCase> device_kernel_cases(kernels::Precision precision) {
  Cases cases;
  const auto add = [&]<class T>(T) {
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
