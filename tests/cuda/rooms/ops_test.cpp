#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/autograd/table.h"

/// Every op of the table on a device: what the CPU gives in f64.
namespace autograd {

void PrintTo(const Row& row, std::ostream* out) { *out << name_of(row.op); }

namespace {

using tensor::Device;
using tensor::DType;

struct Result {
  std::vector<std::vector<double>> values;  ///< y, then each input's gradient
  std::vector<std::string> bytes;
};

std::vector<double> numbers(const Tensor& x) {
  const Tensor wide = x.to(Device::cpu).to(DType::f64);
  const auto values = wide.values<double>();
  return {values.begin(), values.end()};
}

std::string bytes(const Tensor& x) {
  const Tensor here = x.to(Device::cpu);
  return {static_cast<const char*>(here.raw()), size_t(here.bytes())};
}

/// Forward and backward of a case on a device.
Result run(const Case& c, DType type, Device device) {
  std::vector<Variable> x;
  for (const Array& input : c.inputs) {
    const Tensor value = Tensor::of<double>(input.shape, std::span<const double>(input.values));
    x.emplace_back(value.to(type).to(device), true);
  }
  const Variable y = c.call(x);
  const Array dy = draw(y.shape(), 99);
  y.backward(Tensor::of<double>(dy.shape, std::span<const double>(dy.values)).to(type).to(device));
  Result result{{numbers(y.value())}, {bytes(y.value())}};
  for (const Variable& input : x) {
    EXPECT_EQ(input.gradient().device(), device);
    result.values.push_back(numbers(input.gradient()));
    result.bytes.push_back(bytes(input.gradient()));
  }
  return result;
}

/// ‖found − expected‖² / ‖expected‖²; what is zero by its formula may round to something tiny: against 1.
double normalised_error(const std::vector<double>& found, const std::vector<double>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]), norm += expected[i] * expected[i];
  }
  const double ones = double(expected.size());
  return difference == 0 ? 0 : difference / (norm > 1e-12 * ones ? norm : ones);
}

class EveryOpOnDevice : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Op, EveryOpOnDevice, testing::ValuesIn(table),
                         [](const auto& info) { return std::string(name_of(info.param.op)); });

TEST_P(EveryOpOnDevice, IsTheCpus) {
  if (tensor::missing(Device::cuda) != nullptr) GTEST_SKIP() << tensor::missing(Device::cuda);
  for (const Case& c : GetParam().cases()) {
    if (c.large) continue;
    SCOPED_TRACE(fmt::format("{} {}", name_of(GetParam().op), c.name));
    const Result expected = run(c, DType::f64, Device::cpu);
    for (const DType type : {DType::f64, DType::f32}) {
      const Result found = run(c, type, Device::cuda), again = run(c, type, Device::cuda);
      for (size_t i = 0; i < expected.values.size(); ++i) {
        EXPECT_LE(normalised_error(found.values[i], expected.values[i]), type == DType::f64 ? 1e-20 : 1e-9)
            << (i == 0 ? "value" : "gradient ") << i << " in " << tensor::name_of(type);
      }
      EXPECT_EQ(found.bytes, again.bytes) << "the same call gives the same bits";
    }
  }
}

TEST(OnDevice, ATensorThatIsElsewhereIsRefused) {
  if (tensor::missing(Device::cuda) != nullptr) GTEST_SKIP() << tensor::missing(Device::cuda);
  const Variable here(tensor::full({3}, DType::f32, 1)), there(tensor::full({3}, DType::f32, 1, Device::cuda));
  EXPECT_THROW(add(here, there), tensor::Error);
  EXPECT_THROW(add(there, here), tensor::Error);
}

}  // namespace
}  // namespace autograd
