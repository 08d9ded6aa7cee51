#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/files.h"

namespace tensor {
namespace {

constexpr DType all_types[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::i64, DType::u8};

TEST(Tensor, WithoutElementsIsDefined) {
  EXPECT_FALSE(Tensor().defined());
  for (const DType type : all_types) {
    const Tensor x({0, 3}, type);
    EXPECT_TRUE(x.defined());
    EXPECT_EQ(x.elements(), 0);
    EXPECT_EQ(x.bytes(), 0);
    EXPECT_TRUE(x.clone().defined());
    EXPECT_TRUE(x.to(DType::f64).defined());
    EXPECT_TRUE(x.reshape({3, 0, 7}).defined());
    EXPECT_EQ(x.range(0, 0).shape(), Shape({0, 3}));
    fill_zero(x);
  }
}

TEST(Tensor, WithoutDimensionsHasOneElement) {
  const Tensor x = Tensor::of<float>({}, {2.5f});
  EXPECT_EQ(x.rank(), 0);
  EXPECT_EQ(x.item(), 2.5);
  EXPECT_EQ(x.reshape({1, 1}).item(), 2.5);
}

TEST(Tensor, ViewsShareMemoryAndClonesDoNot) {
  const Tensor x = Tensor::of<int32_t>({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  const Tensor rows = x.range(1, 3), copy = x.clone();
  EXPECT_EQ(rows.shape(), Shape({2, 2}));
  x.values<int32_t>()[2] = 20;
  EXPECT_EQ(rows.values<int32_t>()[0], 20);
  EXPECT_EQ(x.reshape({8}).values<int32_t>()[2], 20);
  EXPECT_EQ(copy.values<int32_t>()[2], 2);
}

TEST(Tensor, ViewsKeepTheMemoryAlive) {
  Tensor view;
  {
    const Tensor x = full({1000}, DType::f64, 3.0);
    view = x.range(990, 1000);
  }
  const Tensor other = full({1000}, DType::f64, 4.0);  // would get the same block from the cache
  for (const double value : view.values<double>()) EXPECT_EQ(value, 3.0);
}

TEST(Tensor, MisuseFailsWithOneLine) {
  const Tensor x({2, 3}, DType::f32);
  EXPECT_TRUE(fails_with("tensor: expected float64, found float32 [2, 3]", [&] { x.data<double>(); }));
  EXPECT_TRUE(fails_with("expected a tensor of float32, found none", [&] { Tensor().data<float>(); }));
  EXPECT_TRUE(fails_with("item: expected one element, found [2, 3]", [&] { x.item(); }));
  EXPECT_TRUE(fails_with("reshape: expected 6 elements as in [2, 3], found [7]", [&] { x.reshape({7}); }));
  EXPECT_TRUE(fails_with("range: expected 0 <= begin <= end <= 2, found 1 and 3", [&] { x.range(1, 3); }));
  EXPECT_TRUE(fails_with("range: expected 0 <= begin <= end <= 2, found 2 and 1", [&] { x.range(2, 1); }));
  EXPECT_TRUE(fails_with("range: expected at least one dimension", [&] { Tensor::of<float>({}, {1}).range(0, 1); }));
  EXPECT_TRUE(fails_with("tensor: 2 values for shape [3]", [&] { Tensor::of<float>({3}, {1, 2}); }));
  EXPECT_TRUE(fails_with("device cuda: ", [&] { Tensor({1}, DType::f32, Device::cuda); }));
  EXPECT_TRUE(fails_with("shape: [1, -1] has a negative size", [&] { Tensor({1, -1}, DType::f32); }));
  float memory[3] = {};
  EXPECT_TRUE(fails_with("needs 16 bytes, found 12", [&] {
    Tensor({4}, DType::f32, Device::cpu, {memory, 12, nullptr});
  }));
}

TEST(Tensor, FillsEveryType) {
  for (const DType type : all_types) {
    const Tensor x = full({3}, type, 7);
    EXPECT_EQ(x.range(2, 3).item(), 7) << name_of(type);
    EXPECT_EQ(zeros_like(x).range(1, 2).item(), 0) << name_of(type);
  }
}

TEST(Conversion, KeepsNumbersThatBothTypesHold) {
  const Tensor x = Tensor::of<int64_t>({5}, {0, 1, 2, 100, 127});
  for (const DType from : all_types) {
    for (const DType to : all_types) {
      const Tensor back = x.to(from).to(to).to(DType::i64);
      for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(back.values<int64_t>()[size_t(i)], x.values<int64_t>()[size_t(i)]) << name_of(from) << name_of(to);
      }
    }
  }
}

TEST(Conversion, OfF64ToSixteenBitsRoundsOnce) {
  // 1 + 2^-11 is halfway between two f16; the last bits decide, and are lost on the way through a rounded f32.
  const double halfway = 1 + std::ldexp(1.0, -11), little = std::ldexp(1.0, -40);
  const Tensor x = Tensor::of<double>({5}, {halfway, halfway + little, halfway - little, 1e300, -1e300});
  const auto half = x.to(DType::f16);
  const auto values = half.values<f16>();
  EXPECT_EQ(float(values[0]), 1.0f);
  EXPECT_EQ(float(values[1]), 1.0f + std::ldexp(1.0f, -10));
  EXPECT_EQ(float(values[2]), 1.0f);
  EXPECT_EQ(float(values[3]), HUGE_VALF);
  EXPECT_EQ(float(values[4]), -HUGE_VALF);
  const double near_tie = 1 + std::ldexp(1.0, -8) + little;  // of bf16
  EXPECT_EQ(Tensor::of<double>({1}, {near_tie}).to(DType::bf16).item(), 1 + std::ldexp(1.0, -7));
  EXPECT_EQ(Tensor::of<double>({1}, {-near_tie}).to(DType::bf16).item(), -1 - std::ldexp(1.0, -7));
}

TEST(Conversion, ToIntegersCutsTowardsZeroAndStaysInRange) {
  const Tensor x = Tensor::of<double>({6}, {1.9, -1.9, 1e30, -1e30, std::nan(""), -0.0});
  const Tensor i32 = x.to(DType::i32), i64 = x.to(DType::i64), u8 = x.to(DType::u8);
  const int32_t expected[] = {1, -1, INT32_MAX, INT32_MIN, 0, 0};
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(i32.values<int32_t>()[i], expected[i]);
  EXPECT_EQ(i64.values<int64_t>()[2], std::numeric_limits<int64_t>::max());
  EXPECT_EQ(i64.values<int64_t>()[3], std::numeric_limits<int64_t>::min());
  EXPECT_EQ(u8.values<uint8_t>()[1], 0);
  EXPECT_EQ(u8.values<uint8_t>()[2], 255);
}

}  // namespace
}  // namespace tensor
