#include "nn/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "nn/layers.h"
#include "tensor/random.h"

namespace nn {
namespace {

/// Makes c the gradient of p: that of Σ_i c_i p_i.
void push(const Variable& p, const std::vector<double>& c) {
  const Variable constant(Tensor::of<double>(p.shape(), std::span<const double>(c)));
  autograd::sum(autograd::mul(p, constant)).backward();
}

std::vector<double> draws(uint64_t seed, size_t n) {
  tensor::Random random(seed);
  std::vector<double> values(n);
  for (double& x : values) x = random.normal();
  return values;
}

Parameters one(const std::vector<double>& values) {
  return {{"p", Variable(Tensor::of<double>(Shape{int64_t(values.size())}, std::span<const double>(values)), true)}};
}

/// The optimiser against its formula in a plain loop.
/// `scale`: what the loss was multiplied by.
void expect_formula(Adam::Options o, double scale) {
  o.scale = {scale, scale, scale};
  std::vector<double> p = draws(1, 11), m(11, 0), v(11, 0);
  const Parameters parameters = one(p);
  Adam adam(parameters, o);
  for (int t = 1; t <= 6; ++t) {
    const std::vector<double> g = draws(uint64_t(10 + t), 11);
    const double rate = 0.01 * t;
    push(parameters[0].variable, g);
    adam.step(rate);
    for (size_t i = 0; i < p.size(); ++i) {
      const double d = g[i] / scale + o.l2 * p[i];
      m[i] = o.beta1 * m[i] + (1 - o.beta1) * d;
      v[i] = o.beta2 * v[i] + (1 - o.beta2) * d * d;
      const double mean = m[i] / (1 - std::pow(o.beta1, t)), variance = v[i] / (1 - std::pow(o.beta2, t));
      p[i] = p[i] - rate * o.weight_decay * p[i] - rate * mean / (std::sqrt(variance) + o.epsilon);
      EXPECT_NEAR(parameters[0].variable.data<double>()[i], p[i], 1e-13) << "step " << t << ", element " << i;
    }
  }
  EXPECT_EQ(adam.progress().taken, 6);
}

TEST(Adam, FollowsItsFormula) { expect_formula({}, 1); }
TEST(Adam, FollowsItsFormulaWithOtherSettingsAndAScaledGradient) { expect_formula({0.8, 0.95, 1e-3, 0.1, 0}, 4); }
TEST(AdamW, ShrinksParametersApartFromTheGradient) { expect_formula({0.9, 0.999, 1e-8, 0, 0.3}, 1); }

TEST(Adam, ALossBeginsWithItsScale) {
  Adam::Options options;
  options.scale = {8, 8, 8};
  const Adam adam(one({1}), options);
  EXPECT_EQ(adam.loss_gradient(Tensor({}, DType::f32), 0.25).item(), 2);
}

TEST(Adam, StepsByTheRateAtFirstWhateverTheGradientsSize) {
  const Parameters parameters = one({1, 1, 1});
  Adam adam(parameters);
  push(parameters[0].variable, {1e-3, -5, 1e6});
  adam.step(0.1);
  EXPECT_NEAR(parameters[0].variable.data<double>()[0], 0.9, 1e-5);
  EXPECT_NEAR(parameters[0].variable.data<double>()[1], 1.1, 1e-8);
  EXPECT_NEAR(parameters[0].variable.data<double>()[2], 0.9, 1e-8);
}

TEST(Adam, ClearsGradientsAndLeavesAParameterWithoutOneAsItIs) {
  const Parameters parameters = one({1, 2});
  Adam adam(parameters);
  push(parameters[0].variable, {1, 1});
  adam.step(0.1);
  EXPECT_FALSE(parameters[0].variable.gradient().defined());
  const double before = parameters[0].variable.data<double>()[0];
  adam.step(0.1);
  EXPECT_EQ(parameters[0].variable.data<double>()[0], before);
}

TEST(Adam, ContinuesFromItsStateAsIfItHadNotStopped) {
  const Parameters straight = one({1, 2, 3}), stopped = one({1, 2, 3});
  Adam all(straight), before(stopped);
  for (uint64_t t = 0; t < 3; ++t) {
    push(straight[0].variable, draws(t, 3));
    all.step(0.1);
    push(stopped[0].variable, draws(t, 3));
    before.step(0.1);
  }
  Adam after(stopped);
  after.load({before.state(), {}, "state"}, before.progress());
  push(straight[0].variable, draws(9, 3));
  all.step(0.1);
  push(stopped[0].variable, draws(9, 3));
  after.step(0.1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(stopped[0].variable.data<double>()[i], straight[0].variable.data<double>()[i]);
}

TEST(Clipping, BringsTheNormDownToTheLimitAndNeverUp) {
  for (const double clip : {0.0, 3.5, 7.0, 100.0}) {
    const Parameters clipped = one({0, 0, 0}), scaled = one({0, 0, 0});
    Adam::Options options;
    options.epsilon = 1;  // else a first step does not depend on the gradient's size
    Adam with(clipped, options), by_hand(scaled, options);
    push(clipped[0].variable, {2, -3, 6});
    with.step(0.1, clip);
    const double factor = clip == 3.5 ? 0.5 : 1;
    push(scaled[0].variable, {2 * factor, -3 * factor, 6 * factor});
    by_hand.step(0.1);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(clipped[0].variable.data<double>()[i], scaled[0].variable.data<double>()[i]) << clip;
    }
  }
}

TEST(LossScale, SkipsAStepWhoseGradientsOverflowAndHalves) {
  const Parameters parameters = one({1, 2});
  Adam::Options options;
  options.scale = kernels::LossScale();
  options.scale.patience = 2;
  Adam adam(parameters, options);
  const double scale = adam.progress().scale;
  push(parameters[0].variable, {1, INFINITY});
  adam.step(0.1, 1);
  EXPECT_EQ(parameters[0].variable.data<double>()[0], 1);
  EXPECT_EQ(adam.state().at("first.p").data<double>()[0], 0);
  EXPECT_EQ(adam.progress().skipped, 1);
  EXPECT_EQ(adam.progress().taken, 0);
  EXPECT_EQ(adam.progress().scale, scale / 2);
  for (int i = 0; i < 2; ++i) {
    push(parameters[0].variable, {scale, -scale});
    adam.step(0.1, 1);
  }
  EXPECT_EQ(adam.progress().taken, 2);
  EXPECT_EQ(adam.progress().scale, scale) << "twice as large again after the good steps";
  EXPECT_NEAR(parameters[0].variable.data<double>()[0], 0.8, 1e-6);
}

TEST(Accumulation, TwoHalfBatchesGiveTheGradientOfOneWholeBatch) {
  Initializer init(2, DType::f64);
  const Linear linear(3, 4, init);
  const std::vector<double> inputs = draws(3, 24), targets = draws(4, 18);
  const Variable x(Tensor::of<double>(Shape{6, 4}, std::span<const double>(inputs)));
  const Variable y(Tensor::of<double>(Shape{6, 3}, std::span<const double>(targets)));
  const auto loss = [&](int64_t begin, int64_t end) {
    const auto rows = [&](const Variable& v) { return autograd::slice(v, 0, begin, end); };
    return autograd::mean(autograd::squared_error(linear(rows(x)), rows(y)));
  };
  loss(0, 6).backward();
  const Tensor whole = linear.weight.gradient().clone();
  clear_gradients(parameters(linear));
  autograd::scale(loss(0, 3), 0.5).backward();
  autograd::scale(loss(3, 6), 0.5).backward();
  for (int i = 0; i < 12; ++i) {
    EXPECT_NEAR(linear.weight.gradient().data<double>()[i], whole.data<double>()[i], 1e-14);
  }
}

}  // namespace
}  // namespace nn
