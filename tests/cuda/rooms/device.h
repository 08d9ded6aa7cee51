#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tensor/transfer.h"

/// What tests of the rooms on a device share.
#define SKIP_WITHOUT_DEVICE() \
  if (tensor::missing(tensor::Device::cuda) != nullptr) GTEST_SKIP() << tensor::missing(tensor::Device::cuda)

namespace on_device {

/// Whether the device is the simulated one (tests/simt), which takes its time.
inline bool simulated() { return tensor::device_name(tensor::Device::cuda).starts_with("simulated"); }

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

/// What was found for a query is what was expected, place by place, but that those whose scores are within `limit` of
/// each other may have changed places; the last may have done so with one that was not among them. `name` tells one
/// from another.
template <class Found, class Name>
void expect_same_order(const std::vector<Found>& found, const std::vector<Found>& expected, double limit, Name name) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i].score, expected[i].score, limit) << "place " << i;
    const auto same = std::ranges::find(expected, std::invoke(name, found[i]), name);
    const Found& other = same == expected.end() ? expected.back() : *same;
    EXPECT_NEAR(other.score, expected[i].score, limit) << "place " << i << " went to another";
  }
}

}  // namespace on_device
