#include "autograd/variable.h"

#include <gtest/gtest.h>

#include "autograd/functions.h"
#include "tensor/allocator.h"

namespace autograd {
namespace {

using tensor::DType;
using tensor::Shape;

Variable parameter(std::initializer_list<double> values) {
  return Variable(Tensor::of<double>(Shape{int64_t(values.size())}, values), true);
}

std::vector<double> gradient_of(const Variable& x) {
  const auto values = x.gradient().values<double>();
  return {values.begin(), values.end()};
}

/// What f throws, as text.
template <class F>
std::string message_of(const F& f) {
  try {
    f();
  } catch (const tensor::Error& error) {
    return error.what();
  }
  return "no error";
}

using Doubles = std::vector<double>;

TEST(Tape, DifferentiatesAChain) {
  const Variable x = parameter({3});
  scale(mul(x, x), 5).backward();
  EXPECT_EQ(gradient_of(x), Doubles{30});
}

TEST(Tape, AddsTheGradientsOfAValueUsedTwice) {
  const Variable a = parameter({4});
  const Variable b = add(a, a), c = add(b, b);
  c.backward();
  EXPECT_EQ(gradient_of(a), Doubles{4});
}

TEST(Tape, VisitsADiamondInTopologicalOrder) {
  // y = (2x + x) · x = 3x²: the short way back to x must wait for the long one through each inner value.
  const Variable x = parameter({2});
  const Variable doubled = scale(x, 2), tripled = add(doubled, x);
  mul(tripled, x).backward();
  EXPECT_EQ(gradient_of(x), Doubles{12});

  // One diamond on another: 2^40 paths, each value visited once.
  const Variable start = parameter({1});
  Variable y = start;
  for (int i = 0; i < 40; ++i) y = add(y, y);
  y.backward();
  EXPECT_EQ(gradient_of(start), Doubles{double(int64_t(1) << 40)});
}

TEST(Tape, WaitsForEveryUserBeforeItGoesOn) {
  // x → a → b → c, and x, a, b also straight into c.
  const Variable x = parameter({2});
  const Variable a = mul(x, x), b = mul(a, x), c = mul(mul(b, a), x);  // x³ · x² · x = x⁶
  c.backward();
  EXPECT_EQ(gradient_of(x), Doubles{6 * 32});
}

TEST(Tape, IsConsumedByBackward) {
  const Variable x = parameter({2});
  const Variable square = mul(x, x), y = scale(square, 3);
  y.backward();
  EXPECT_NE(message_of([&] { y.backward(); }).find("called twice through scale"), std::string::npos);
  EXPECT_NE(message_of([&] { scale(square, 2).backward(); }).find("called twice through mul"), std::string::npos);
  EXPECT_EQ(gradient_of(x), Doubles{12}) << "what was consumed gives nothing more";
}

TEST(Tape, GradientsOfLeavesAddUpUntilCleared) {
  const Variable x = parameter({2});
  mul(x, x).backward();
  mul(x, x).backward();
  EXPECT_EQ(gradient_of(x), Doubles{8});
  x.clear_gradient();
  EXPECT_FALSE(x.gradient().defined());
  mul(x, x).backward();
  EXPECT_EQ(gradient_of(x), Doubles{4});
}

TEST(Tape, SharedFirstContributionsAreCopiedBeforeTheyAreAddedTo) {
  // reshape hands its dy on as it is; the second contribution must not change the dy of others.
  const Variable x = parameter({1, 2});
  const Tensor dy = Tensor::of<double>(Shape{2}, {10, 20});
  const Variable y = reshape(x, Shape{2});
  y.backward(dy);
  scale(x, 3).backward(dy);
  EXPECT_EQ(gradient_of(x), (Doubles{40, 80}));
  EXPECT_EQ(dy.values<double>()[0], 10);
}

TEST(Tape, ReachesOnlyWhatRequiresAGradient) {
  const Variable x = parameter({2}), constant(Tensor::of<double>(Shape{1}, {5.0}));
  mul(x, constant).backward();
  EXPECT_EQ(gradient_of(x), Doubles{5});
  EXPECT_FALSE(constant.gradient().defined());
}

TEST(Tape, AnErrorSaysWhatIsWrong) {
  const Variable constant(Tensor::of<double>(Shape{1}, {5.0})), x = parameter({1, 2});
  EXPECT_NE(message_of([&] { constant.backward(); }).find("does not depend on anything"), std::string::npos);
  EXPECT_NE(message_of([&] { x.backward(); }).find("expected one element, found shape [2]"), std::string::npos);
  EXPECT_NE(message_of([&] { x.backward(Tensor::of<double>(Shape{1}, {1.0})); }).find("expected float64 [2]"),
            std::string::npos);
  EXPECT_NE(message_of([&] { (void)Variable().value(); }).find("before it was given a value"), std::string::npos);
}

TEST(Tape, DetachStopsTheGradient) {
  const Variable x = parameter({3});
  mul(x, detach(x)).backward();  // x · sg[x]
  EXPECT_EQ(gradient_of(x), Doubles{3});
  EXPECT_FALSE(detach(x).requires_grad());
  EXPECT_EQ(detach(x).value().raw(), x.value().raw()) << "a constant view, not a copy";
}

TEST(Tape, StraightThroughEstimatorPassesTheGradientOn) {
  const Variable z = parameter({0.3}), q = parameter({1});
  const Variable y = add(z, detach(sub(q, z)));
  EXPECT_EQ(y.value().item(), 1);
  y.backward();
  EXPECT_EQ(gradient_of(z), Doubles{1});
  EXPECT_FALSE(q.gradient().defined());
}

TEST(Tape, NoGradRecordsNothingAndEnds) {
  const Variable x = parameter({2});
  {
    const NoGrad outer;
    {
      const NoGrad inner;
      EXPECT_FALSE(mul(x, x).requires_grad());
    }
    EXPECT_FALSE(mul(x, x).requires_grad()) << "the outer scope still holds";
    EXPECT_FALSE(recording({x}));
  }
  EXPECT_TRUE(mul(x, x).requires_grad());
  EXPECT_TRUE(recording({x}));
}

TEST(Tape, AChainOfAMillionOpsNeitherOverflowsTheStackNorLeaks) {
  const int64_t before = tensor::allocator().statistics().in_use;
  {
    const Variable x = parameter({1});
    Variable y = x;
    for (int i = 0; i < 1000000; ++i) y = scale(y, 1);
    y.backward();
    EXPECT_EQ(gradient_of(x), Doubles{1});
    Variable unused = x;
    for (int i = 0; i < 1000000; ++i) unused = scale(unused, 1);  // dropped without a backward pass
  }
  EXPECT_EQ(tensor::allocator().statistics().in_use, before);
}

TEST(Tape, FreesWhatItSavedOnTheWayBack) {
  const int64_t n = 100000, bytes = tensor::block_size(n * 8);
  const Variable x(tensor::full(Shape{n}, DType::f64, 1.0), true);
  const int64_t before = tensor::allocator().statistics().in_use;
  Variable y = x;
  for (int i = 0; i < 10; ++i) y = tanh(y);
  EXPECT_GE(tensor::allocator().statistics().in_use, before + 10 * bytes);
  y.backward(tensor::full(Shape{n}, DType::f64, 1.0));
  EXPECT_LE(tensor::allocator().statistics().in_use, before + 2 * bytes) << "only y and the gradient of x are left";
  y = Variable();
  EXPECT_LE(tensor::allocator().statistics().in_use, before + bytes);
}

TEST(Tape, AValueOfALeafCanBeReplacedButNotOfAResult) {
  const Variable x = parameter({1, 2});
  x.set_value(Tensor::of<double>(Shape{2}, {3, 4}));
  EXPECT_EQ(x.value().values<double>()[0], 3);
  EXPECT_NE(message_of([&] { x.set_value(Tensor::of<double>(Shape{1}, {3.0})); }).find("expected float64 [2]"),
            std::string::npos);
  EXPECT_NE(message_of([&] { scale(x, 2).set_value(x.value()); }).find("result of scale"), std::string::npos);
}

TEST(Rounded, IsMadeOnceAndAnewForAnotherValue) {
  const Variable x(Tensor::of<float>(Shape{2}, {1, 1.0f / 3}), true);
  EXPECT_FALSE(x.rounded().defined());
  const Tensor once = x.rounded(DType::bf16);
  EXPECT_EQ(x.rounded(DType::bf16).raw(), once.raw());
  EXPECT_EQ(x.rounded().raw(), once.raw());
  EXPECT_EQ(float(once.data<tensor::bf16>()[1]), float(tensor::bf16(1.0f / 3)));
  EXPECT_EQ(float(x.rounded(DType::f16).data<tensor::f16>()[1]), float(tensor::f16(1.0f / 3)));
  x.set_value(Tensor::of<float>(Shape{2}, {2, 3}));
  EXPECT_FALSE(x.rounded().defined());
  EXPECT_EQ(float(x.rounded(DType::f16).data<tensor::f16>()[1]), 3);
}

}  // namespace
}  // namespace autograd
