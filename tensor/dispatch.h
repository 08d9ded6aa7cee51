#pragma once
#include "kernels/backend.h"
#include "tensor/tensor.h"

namespace tensor {

/// The types that an op supports, as the first argument of dispatch.
template <class... Types>
struct TypeList {};
inline constexpr TypeList<float, double> floating;

/// Calls f(backend, type()) for the device and dtype of x: the one place where they become types.
///   dispatch(floating, x, [&](auto backend, auto type) { using T = decltype(type); … });
/// A dtype that is not in the list ends in one clear error.
template <class... Types, class F>
void dispatch(TypeList<Types...>, const Tensor& x, F&& f) {
  check(x.device() == Device::cpu, "device: this build has no {} kernels", name_of(x.device()));
  const bool found = ((x.dtype() == dtype_of<Types> ? (f(kernels::Cpu(), Types()), true) : false) || ...);
  check(found, "dtype: {} is not supported here", name_of(x.dtype()));
}

}  // namespace tensor
