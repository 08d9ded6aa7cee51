#pragma once
#include <source_location>
#include <utility>

#include "kernels/backend.h"
#include "tensor/transfer.h"

namespace tensor {

/// The types that an op supports, as the first argument of dispatch.
template <class... Types>
struct TypeList {};
inline constexpr TypeList<float, double> floating;
/// Those of numbers that flow through a model and back: on a GPU they may have 16 bits, where parameters, statistics
/// and losses are kernels::Accumulator<type> still.
struct Activations {};
inline constexpr Activations activations;

template <class... Types, class Backend>
TypeList<Types...> types_on(TypeList<Types...> types, Backend) {
  return types;
}
inline TypeList<float, double> types_on(Activations, kernels::Cpu) { return {}; }
inline TypeList<float, double, f16, bf16> types_on(Activations, kernels::Cuda) { return {}; }

/// Calls f(backend, type()) for the device and dtype of x: the one place where they become types.
///   dispatch(floating, x, [&](auto backend, auto type) { using T = decltype(type); … });
/// A dtype that is not in the list, or a tensor of another device that f asks for its data, ends in one clear error.
/// Where there is CUDA (ACE_CUDA), f is compiled for that backend too, and its kernels stand under a name on a
/// profiler's time line: that of the calling function, which is the op's; or, in one that serves several, the name
/// given.
template <class List, class F>
void dispatch(List list, const Tensor& x, [[maybe_unused]] const char* name, F&& f) {
  const Dispatching device(x.device());
  const auto call = [&](auto backend) {
    return [&]<class... Types>(TypeList<Types...>) {
      return ((x.dtype() == dtype_of<Types> ? (f(backend, Types()), true) : false) || ...);
    }(types_on(list, backend));
  };
#ifdef ACE_CUDA
  const Range range(x.device(), name);
  const bool found = x.device() == Device::cuda ? call(kernels::Cuda()) : call(kernels::Cpu());
  check_kernels(x.device());
#else
  const bool found = call(kernels::Cpu());
#endif
  check(found, "dtype: {} is not supported here", name_of(x.dtype()));
}
template <class List, class F>
void dispatch(List list, const Tensor& x, F&& f, const char* name = std::source_location::current().function_name()) {
  dispatch(list, x, name, std::forward<F>(f));
}

}  // namespace tensor
