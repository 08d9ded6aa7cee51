#pragma once
#include <string_view>

#include "tensor/tensor.h"

namespace autograd {

/// Fails unless all of i32 `indices` are in 0 … count − 1; `what` starts the message. Those on a device were checked on
/// the CPU, or made by a kernel, and are not looked at again.
inline void check_indices(std::string_view what, const tensor::Tensor& indices, int64_t count) {
  if (indices.device() != tensor::Device::cpu) return;
  for (const int32_t index : indices.values<int32_t>()) {
    tensor::check(index >= 0 && index < count, "{} {} is outside 0 … {}", what, index, count - 1);
  }
}

}  // namespace autograd
