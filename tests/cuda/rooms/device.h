#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tensor/transfer.h"

/// What tests of the rooms on a device share.
#define SKIP_WITHOUT_DEVICE() \
  if (tensor::missing(tensor::Device::cuda) != nullptr) GTEST_SKIP() << tensor::missing(tensor::Device::cuda)

namespace on_device {

/// The numbers of a tensor, wherever it is, and its bytes.
inline std::vector<double> numbers(const tensor::Tensor& x) {
  const tensor::Tensor wide = x.to(tensor::Device::cpu).to(tensor::DType::f64);
  const auto values = wide.values<double>();
  return {values.begin(), values.end()};
}
inline std::string bytes(const tensor::Tensor& x) {
  const tensor::Tensor here = x.to(tensor::Device::cpu);
  return {static_cast<const char*>(here.raw()), size_t(here.bytes())};
}

}  // namespace on_device
