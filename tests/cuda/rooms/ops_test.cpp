#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/autograd/table.h"
#include "tests/cuda/rooms/device.h"

/// Every op of the table on a device: what the CPU gives in f64.
namespace autograd {

void PrintTo(const Row& row, std::ostream* out) { *out << name_of(row.op); }

namespace {

using on_device::bytes;
using on_device::numbers;
using tensor::Device;
using tensor::DType;

struct Result {
  std::vector<std::vector<double>> values;  ///< y, then each input's gradient
  std::vector<std::string> bytes;
};

/// What a case is given, in numbers that `rounded` holds.
Tensor given(const Array& x, DType rounded) {
  return Tensor::of<double>(x.shape, std::span<const double>(x.values)).to(rounded);
}

/// Forward and backward of a case on a device: its activations in `type`, from numbers that `rounded` holds, parameters
/// and losses in the type's accumulator.
Result run(const Case& c, DType rounded, DType type, Device device) {
  std::vector<Variable> x;
  for (const Array& input : c.inputs) {
    const bool parameter = x.size() + c.parameters >= c.inputs.size();
    const Tensor value = given(input, parameter ? DType::f32 : rounded);
    x.emplace_back(value.to(parameter ? tensor::accumulator_of(type) : type).to(device), true);
  }
  const Variable y = c.call(x);
  y.backward(given(draw(y.shape(), 99), rounded).to(y.dtype()).to(device));
  Result result{{numbers(y.value())}, {bytes(y.value())}};
  for (const Variable& input : x) {
    EXPECT_EQ(input.gradient().device(), device);
    EXPECT_EQ(input.gradient().dtype(), input.dtype());
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

class RoomEveryOp : public testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Op, RoomEveryOp, testing::ValuesIn(table),
                         [](const auto& info) { return std::string(name_of(info.param.op)); });

/// The normalised error that rounding to a type's digits makes, some steps of it. In 16 bits a derivative that is taken
/// from the rounded value has fewer digits the nearer this is to a bound: sigmoid's and tanh's y (1 − y) and 1 − y²,
/// elu's y + 1, of which one number stands alone here.
double limit_of(Op op, DType type) {
  if (type == DType::f64) return 1e-20;
  if (type == DType::f32) return 1e-9;
  const double steps = op == Op::elu ? 200 : op == Op::linear ? 4 : 1;
  return steps * (type == DType::f16 ? 2e-6 : 5e-5);
}

TEST_P(RoomEveryOp, IsTheCpus) {
  if (tensor::missing(Device::cuda) != nullptr) GTEST_SKIP() << tensor::missing(Device::cuda);
  for (const Case& c : GetParam().cases()) {
    if (c.large) continue;
    SCOPED_TRACE(fmt::format("{} {}", name_of(GetParam().op), c.name));
    for (const DType type : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
      const bool narrow = type == DType::f16 || type == DType::bf16;
      if (narrow && c.parameters == c.inputs.size()) continue;  // nothing that could be narrow: precision_test.cpp
      const DType rounded = narrow ? type : DType::f32;
      const Result expected = run(c, rounded, DType::f64, Device::cpu);
      const Result found = run(c, rounded, type, Device::cuda), again = run(c, rounded, type, Device::cuda);
      for (size_t i = 0; i < expected.values.size(); ++i) {
        EXPECT_LE(normalised_error(found.values[i], expected.values[i]), limit_of(GetParam().op, type))
            << (i == 0 ? "value" : "gradient ") << i << " in " << tensor::name_of(type);
      }
      EXPECT_EQ(found.bytes, again.bytes) << "the same call gives the same bits";
    }
  }
}

TEST(RoomOp, ATensorThatIsElsewhereIsRefused) {
  if (tensor::missing(Device::cuda) != nullptr) GTEST_SKIP() << tensor::missing(Device::cuda);
  const Variable here(tensor::full({3}, DType::f32, 1)), there(tensor::full({3}, DType::f32, 1, Device::cuda));
  EXPECT_THROW(add(here, there), tensor::Error);
  EXPECT_THROW(add(there, here), tensor::Error);
}

TEST(RoomOpOnTheCpu, SixteenBitsAreRefusedInOneLine) {
  for (const DType type : {DType::f16, DType::bf16}) {
    const Variable x(tensor::full({2, 3}, type, 1)), weight(tensor::full({4, 3}, DType::f32, 1), true);
    for (const auto& call :
         {std::function([&] { return add(x, x); }), std::function([&] { return linear(x, weight, {}); }),
          std::function([&] { return embedding(weight, Tensor::of<int32_t>({1}, {0}), 1, type); })}) {
      try {
        call();
        ADD_FAILURE() << "no error in " << tensor::name_of(type);
      } catch (const tensor::Error& error) {
        EXPECT_EQ(error.what(), fmt::format("dtype: {} is not supported here", tensor::name_of(type)));
      }
    }
  }
}

}  // namespace
}  // namespace autograd
