#include "nn/module.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "nn/attention.h"
#include "tests/files.h"

namespace nn {
namespace {

tensor::Safetensors file_of(const Parameters& parameters) { return {to_tensors(parameters), {}, "some.safetensors"}; }

TEST(Module, JoinsNamesWithDotsAndTheRootHasNone) {
  EXPECT_EQ(join("encoder", "layers"), "encoder.layers");
  EXPECT_EQ(join("", "layers"), "layers");
}

TEST(Module, ListsWhatAnEncoderOwnsByTheNamesOfTheFileFormat) {
  Initializer init(1);
  const Encoder encoder(7, 4, 2, 8, 1, init);
  std::vector<std::string> found;
  for (const Parameter& p : parameters(encoder)) found.push_back(p.name + " " + p.variable.shape().text());
  const std::vector<std::string> expected = {"embedding.weight [7, 4]",
                                             "layers.0.attention.query.weight [4, 4]",
                                             "layers.0.attention.query.bias [4]",
                                             "layers.0.attention.key.weight [4, 4]",
                                             "layers.0.attention.key.bias [4]",
                                             "layers.0.attention.value.weight [4, 4]",
                                             "layers.0.attention.value.bias [4]",
                                             "layers.0.attention.output.weight [4, 4]",
                                             "layers.0.attention.output.bias [4]",
                                             "layers.0.attention_norm.weight [4]",
                                             "layers.0.attention_norm.bias [4]",
                                             "layers.0.feed_forward.up.weight [8, 4]",
                                             "layers.0.feed_forward.up.bias [8]",
                                             "layers.0.feed_forward.down.weight [4, 8]",
                                             "layers.0.feed_forward.down.bias [4]",
                                             "layers.0.feed_forward_norm.weight [4]",
                                             "layers.0.feed_forward_norm.bias [4]"};
  EXPECT_EQ(found, expected);
  EXPECT_EQ(count(parameters(encoder)), 28 + 4 * (16 + 4) + 2 * 8 + (32 + 8) + (32 + 4));
}

TEST(Initializer, DrawsXavierWeightsThatFillTheirBoundsEvenly) {
  Initializer init(3, DType::f64);
  const Variable w = init.xavier_uniform(40, 60);
  const double a = std::sqrt(6.0 / 100);
  double sum = 0, squares = 0, low = 0, high = 0;
  for (const double x : w.value().values<double>()) {
    sum += x, squares += x * x, low = std::min(low, x), high = std::max(high, x);
  }
  EXPECT_GE(low, -a);
  EXPECT_LE(high, a);
  EXPECT_LT(low, -0.99 * a);
  EXPECT_GT(high, 0.99 * a);
  EXPECT_NEAR(sum / 2400, 0, 4 * a / std::sqrt(3.0 * 2400));  // four standard errors
  EXPECT_NEAR(squares / 2400, a * a / 3, 0.03 * a * a);
  EXPECT_TRUE(w.requires_grad());
}

TEST(Initializer, GivesZeroBiasesUnitNormsAndTheSameWeightsForTheSameSeed) {
  Initializer first(5), same(5), other(6);
  const EncoderLayer a(8, 2, 16, first), b(8, 2, 16, same), c(8, 2, 16, other);
  for (const float x : a.attention.key.bias.value().values<float>()) EXPECT_EQ(x, 0);
  for (const float x : a.attention_norm.bias.value().values<float>()) EXPECT_EQ(x, 0);
  for (const float x : a.attention_norm.weight.value().values<float>()) EXPECT_EQ(x, 1);
  const auto values = [](const EncoderLayer& layer) { return layer.feed_forward.up.weight.value().values<float>(); };
  EXPECT_TRUE(std::equal(values(a).begin(), values(a).end(), values(b).begin()));
  EXPECT_FALSE(std::equal(values(a).begin(), values(a).end(), values(c).begin()));
}

TEST(Load, CopiesValuesAndConvertsThemToTheParametersType) {
  Initializer init(1), wide_init(2, DType::f64);
  const Linear from(2, 3, init), to(2, 3, wide_init);
  load(parameters(to), file_of(parameters(from)));
  ASSERT_EQ(to.weight.dtype(), DType::f64);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(to.weight.data<double>()[i], double(from.weight.data<float>()[i]));
}

TEST(Load, LeavesTheFilesTensorsAloneWhenParametersChange) {
  Initializer init(1);
  const Linear linear(2, 3, init);
  const tensor::Safetensors file =
      file_of({{"weight", Variable(linear.weight.value().clone())}, {"bias", Variable(linear.bias.value().clone())}});
  load(parameters(linear), file);
  linear.weight.value().data<float>()[0] = 77;
  EXPECT_NE(file.at("weight").data<float>()[0], 77);
}

TEST(Load, NamesAMissingTensor) {
  Initializer init(1);
  const Linear linear(2, 3, init);
  tensor::Safetensors file = file_of(parameters(linear));
  file.tensors.erase("bias");
  EXPECT_EQ(message_of([&] { load(parameters(linear), file); }), "some.safetensors: tensor \"bias\" is missing");
}

TEST(Load, NamesATensorOfAnotherShapeAndBothShapes) {
  Initializer init(1);
  const Linear linear(2, 3, init);
  tensor::Safetensors file = file_of(parameters(linear));
  file.tensors["weight"] = tensor::zeros(Shape{3, 2}, DType::f32);
  EXPECT_EQ(message_of([&] { load(parameters(linear), file); }),
            "some.safetensors: tensor \"weight\": expected [2, 3], found [3, 2]");
}

TEST(Load, NamesATensorThatTheModuleDoesNotHaveInOneLine) {
  Initializer init(1);
  const Linear linear(2, 3, init);
  tensor::Safetensors file = file_of(parameters(linear));
  file.tensors["gain\n"] = tensor::zeros(Shape{1}, DType::f32);
  EXPECT_EQ(message_of([&] { load(parameters(linear), file); }),
            "some.safetensors: tensor \"gain\\x0a\" has no place in this model of 2 tensors");
}

/// f([a b] Wᵀ + b) of two inputs, as values.
std::vector<float> apply(const Linear& linear, const Variable& a, const Variable& b) {
  const std::array inputs{a, b};
  const auto y = linear(inputs, kernels::Activation::relu).value();
  return {y.values<float>().begin(), y.values<float>().end()};
}
Variable drawn(Shape shape, uint64_t seed) {
  return Variable(Initializer(seed).xavier_uniform(shape[0], shape[1]).value());
}

TEST(Freeze, ALinearLayerGivesTheSameBitsAndTakesNoGradient) {
  Initializer init(1);
  const Linear linear(37, 40, init, 2);
  const Variable a = drawn(Shape{5, 20}, 2), b = drawn(Shape{5, 20}, 3);
  const std::vector<float> before = apply(linear, a, b);
  freeze(parameters(linear), Precision::full);
  EXPECT_EQ(apply(linear, a, b), before);
  EXPECT_FALSE(linear.weight.requires_grad());
  EXPECT_FALSE(linear.bias.requires_grad());
}

TEST(Freeze, AWeightServesAsManyInputsAsItWasFrozenFor) {
  Initializer init(1);
  const Linear linear(3, 4, init, 2);
  freeze(parameters(linear), Precision::full);
  EXPECT_EQ(message_of([&] {
              linear(drawn(Shape{5, 4}, 2));
            }),
            "linear: a weight that was frozen for 2 inputs is given 1");
  const Linear other(3, 5, init);
  EXPECT_EQ(message_of([&] { autograd::freeze_weight(other.weight, 2, Precision::full); }),
            "linear: a weight [3, 5] cannot serve 2 inputs of equal width");
}

TEST(Freeze, AReplacedWeightIsFrozenNoMore) {
  Initializer init(1);
  const Linear linear(3, 4, init, 2);
  const Variable a = drawn(Shape{5, 2}, 2), b = drawn(Shape{5, 2}, 3);
  freeze(parameters(linear), Precision::bf16);
  linear.weight.set_value(tensor::zeros(Shape{3, 4}, DType::f32));
  EXPECT_EQ(apply(linear, a, b), std::vector<float>(15, 0.0f));
}

TEST(Freeze, NarrowPrecisionsAreNearTheFullOne) {
  for (const auto& [precision, limit] : {std::pair{Precision::bf16, 1e-2}, {Precision::int8, 2e-2}}) {
    Initializer init(1);
    const Linear linear(64, 256, init, 2);
    const Variable a = drawn(Shape{9, 128}, 2), b = drawn(Shape{9, 128}, 3);
    const std::vector<float> full = apply(linear, a, b);
    freeze(parameters(linear), precision);
    const std::vector<float> narrow = apply(linear, a, b);
    double difference = 0, norm = 0;
    for (size_t i = 0; i < full.size(); ++i) {
      difference += std::pow(double(narrow[i]) - double(full[i]), 2), norm += std::pow(double(full[i]), 2);
    }
    EXPECT_GT(difference, 0);
    EXPECT_LE(std::sqrt(difference / norm), limit);
  }
}

TEST(Linear, TrainsInBf16WithGradientsNearThoseInF32) {
  std::vector<std::vector<float>> gradients;
  for (const Precision precision : {Precision::full, Precision::bf16}) {
    Initializer init(1, DType::f32, precision);
    const Linear linear(64, 128, init);
    const Variable x(drawn(Shape{40, 128}, 2).value(), true);
    autograd::mean(autograd::reshape(linear(x, kernels::Activation::sigmoid), {40 * 64})).backward();
    std::vector<float>& all = gradients.emplace_back();
    for (const Variable& v : {x, linear.weight, linear.bias}) {
      const auto values = v.gradient().values<float>();
      all.insert(all.end(), values.begin(), values.end());
    }
  }
  double difference = 0, norm = 0;
  for (size_t i = 0; i < gradients[0].size(); ++i) {
    difference += std::pow(double(gradients[1][i]) - double(gradients[0][i]), 2);
    norm += std::pow(double(gradients[0][i]), 2);
  }
  EXPECT_GT(difference, 0);
  EXPECT_LE(std::sqrt(difference / norm), 1e-2);
}

}  // namespace
}  // namespace nn
