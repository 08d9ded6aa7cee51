#pragma once
#include <fmt/format.h>

#include <type_traits>

#include "tensor/transfer.h"
#include "tools/bench_inputs.h"
#include "tools/bench_kernels.h"
#ifdef ACE_CUDA
#include "tools/bench_peer.h"
#endif

/// What the cases are written with: one text for both devices, with the backend B and the type T of their numbers.
namespace tools::bench {

using kernels::Accumulator;
using kernels::Cpu;
using kernels::Cuda;
using tensor::DType;
using tensor::Tensor;
using Cases = std::vector<KernelCase>;

constexpr int64_t d = 512, heads = 8, inner = 4 * d;
constexpr int64_t rows_of_model[] = {64 * 12 * 2, 64 * 24 * 2, 256 * 12 * 2, 256 * 24 * 2};
constexpr int64_t small_and_large[] = {64 * 12 * 2, 256 * 24 * 2};

template <class B>
constexpr bool on_gpu = std::is_same_v<B, Cuda>;
template <class B>
constexpr tensor::Device device_of = on_gpu<B> ? tensor::Device::cuda : tensor::Device::cpu;

template <class B, class T>
Tensor numbers(int64_t rows, int64_t cols = 1) {
  const Tensor x({rows, cols}, tensor::dtype_of<T>, device_of<B>);
  fill_numbers(x);
  return x;
}
template <class T>
T* at(const Tensor& x) {
  return x.data<T>();
}

/// Host values of any kind as they lie in memory, on the device.
template <class B, class X>
Tensor values(const std::vector<X>& list) {
  const int64_t bytes = int64_t(list.size() * sizeof(X));
  const Tensor x({bytes}, DType::u8, device_of<B>);
  tensor::transfer(x.raw(), device_of<B>, list.data(), tensor::Device::cpu, bytes);
  return x;
}
template <class X>
X* as(const Tensor& x) {
  return static_cast<X*>(x.raw());
}

/// A list of the tables' own: kernel, size, operations, bytes, what prepares it.
inline void add_case(Cases& cases, std::string kernel, std::string size, double flops, double bytes,
                     std::function<KernelCase::Call()> prepare, std::function<KernelCase::Call()> peer = {}) {
  cases.push_back({std::move(kernel), std::move(size), flops, bytes, std::move(prepare), std::move(peer)});
}

/// The call with the tensors that it works on; none if there is no call.
inline KernelCase::Call held(KernelCase::Call call, std::vector<Tensor> tensors) {
  if (!call) return {};
  return [call = std::move(call), tensors = std::move(tensors)] { call(); };
}

/// A kernel over rows × cols elements that reads and writes `operands` numbers for each: run(part, rows, cols), where
/// part(i) is where operand i begins; after the last there is room for another, of what counts for nothing.
template <class B, class T, class Run>
void add_elements(Cases& cases, std::string kernel, int64_t rows, int64_t cols, int64_t operands, double flops,
                  Run run) {
  const double n = double(rows) * double(cols);
  add_case(cases, std::move(kernel), fmt::format("{} x {}", rows, cols), flops * n,
           double(sizeof(T)) * n * double(operands), [=] {
             const Tensor all = numbers<B, T>((operands + 1) * rows, cols);
             return [=] {
               T* const first = at<T>(all);
               run([=](int64_t i) { return first + i * rows * cols; }, rows, cols);
             };
           });
}

/// Products and attention; rows and elements; then losses, tables, the optimiser, a search's steps, K-means. A file
/// each.
template <class B, class T>
void add_product_cases(Cases& cases);
template <class B, class T>
void add_layer_cases(Cases& cases);
template <class B, class T>
void add_step_cases(Cases& cases);
/// The products of the layers on the CPU, their factors rounded.
void add_narrow_products(Cases& cases, kernels::Precision precision);

}  // namespace tools::bench
