#include "nn/pass.h"

#include <gtest/gtest.h>

#include "tests/files.h"

namespace nn {
namespace {

bool same(const Variable& a, const Variable& b) {
  return std::equal(a.data<float>(), a.data<float>() + a.elements(), b.data<float>());
}

TEST(Pass, DropsDifferentlyAtEverySiteAndTheSameWayForTheSameStep) {
  const Variable x(tensor::full(Shape{64}, DType::f32, 1));
  Pass first(0.5, 1, 7), again(0.5, 1, 7), next(0.5, 1, 8);
  const Variable a = first.drop(x), b = first.drop(x), c = again.drop(x), d = next.drop(x);
  EXPECT_TRUE(same(a, c));
  EXPECT_FALSE(same(a, b));
  EXPECT_FALSE(same(a, d));
  for (int i = 0; i < 64; ++i) EXPECT_TRUE(a.data<float>()[i] == 0 || a.data<float>()[i] == 2);
  EXPECT_EQ(first.sites(), 2u);
}

TEST(Pass, TakesGivenMasksInCallOrderAndRefusesOneSiteMore) {
  const Variable x(tensor::full(Shape{2}, DType::f64, 3));
  const std::vector<Tensor> masks = {Tensor::of<uint8_t>(Shape{2}, {1, 0}), Tensor::of<uint8_t>(Shape{2}, {0, 1})};
  Pass pass(0.25, masks);
  const Variable a = pass.drop(x), b = pass.drop(x);
  EXPECT_DOUBLE_EQ(a.data<double>()[0], 4);
  EXPECT_DOUBLE_EQ(a.data<double>()[1], 0);
  EXPECT_DOUBLE_EQ(b.data<double>()[0], 0);
  EXPECT_DOUBLE_EQ(b.data<double>()[1], 4);
  EXPECT_EQ(message_of([&] { pass.drop(x); }), "dropout: 2 masks given, one more site found");
}

TEST(Pass, InferenceDropsNothing) {
  const Variable x(tensor::full(Shape{2}, DType::f64, 3));
  Pass pass;
  EXPECT_EQ(pass.drop(x).node(), x.node());
}

}  // namespace
}  // namespace nn
