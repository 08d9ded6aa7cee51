#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <map>

#include "ace/beam_search.h"
#include "ace/objective.h"
#include "nn/optimizer.h"
#include "tests/ace/tiny.h"
#include "tests/cuda/rooms/device.h"

/// A model whose activations have 16 bits: what is kept in which numbers, and how far it is from f32.
namespace ace {
namespace {

using autograd::Tensor;
using kernels::Precision;
using on_device::bytes;
using on_device::numbers;
using tensor::Device;
using tensor::DType;
using tensor::Shape;

constexpr Precision narrow[] = {Precision::f16, Precision::bf16};
DType type_of(Precision precision) { return precision == Precision::f16 ? DType::f16 : DType::bf16; }

/// ‖found − expected‖² / ‖expected‖²
double normalised_error(const std::vector<double>& found, const std::vector<double>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    difference += (found[i] - expected[i]) * (found[i] - expected[i]), norm += expected[i] * expected[i];
  }
  return difference / norm;
}

Tensor drawn(const Shape& shape, uint64_t seed) {
  tensor::Random random(seed);
  Tensor x(shape, DType::f32);
  for (float& value : x.values<float>()) value = float(2 * random.uniform() - 1);
  return x;
}

TEST(RoomTensor, IsConvertedBetweenF32And16Bits) {
  SKIP_WITHOUT_DEVICE();
  const Tensor x = drawn({3, 7}, 1), there = x.to(Device::cuda);
  for (const Precision precision : narrow) {
    const Tensor rounded = there.to(type_of(precision));
    EXPECT_EQ(rounded.device(), Device::cuda);
    EXPECT_EQ(bytes(rounded), bytes(x.to(type_of(precision))));
    EXPECT_EQ(bytes(rounded.to(DType::f32)), bytes(x.to(type_of(precision)).to(DType::f32)));
  }
  EXPECT_EQ(bytes(there.to(DType::f32)), bytes(x));
  EXPECT_THROW(there.to(DType::f64), tensor::Error);
  EXPECT_THROW(there.to(DType::f16).to(DType::bf16), tensor::Error);
}

TEST(RoomPrecision, Bf16IsRefusedByACardWithoutIt) {
  SKIP_WITHOUT_DEVICE();
  EXPECT_EQ(precision_on(Device::cuda, "f16"), Precision::f16);
  if (tensor::has_bf16(Device::cuda)) {
    EXPECT_EQ(precision_on(Device::cuda, "bf16"), Precision::bf16);
    return;
  }
  EXPECT_EQ(message_of([] { precision_on(Device::cuda, "bf16"); }),
            "precision bf16: " + tensor::device_name(Device::cuda) +
                ", or the code that it runs, has no bf16 products, which came with compute capability 8.0; use f16");
}

/// A table in f32 gives rows of 16 bits, whose gradients add up in f32.
TEST(RoomEmbedding, Gives16BitsOfATableInF32) {
  SKIP_WITHOUT_DEVICE();
  const Tensor table = drawn({5, 19}, 1), ids = Tensor::of<int32_t>({7}, {0, 4, 2, 4, 4, 1, 4}), dy = drawn({7, 19}, 2);
  for (const Precision precision : narrow) {
    const DType type = type_of(precision);
    const autograd::Variable here(table.to(DType::f64), true), there(table.to(Device::cuda), true);
    autograd::embedding(here, ids, 1.5).backward(dy.to(type).to(DType::f64));
    const autograd::Variable y = autograd::embedding(there, ids, 1.5, type);
    y.backward(dy.to(type).to(Device::cuda));
    EXPECT_EQ(y.dtype(), type);
    EXPECT_EQ(numbers(y.value()), numbers(autograd::embedding(here, ids, 1.5).value().to(type)));
    EXPECT_LE(normalised_error(numbers(there.gradient()), numbers(here.gradient())), 1e-12);
  }
}

/// Logits: f32 of factors in 16 bits. Of a weight that was frozen for two inputs the same, its bits the packed ones'.
TEST(RoomLinear, GivesF32WhereItIsAskedTo) {
  SKIP_WITHOUT_DEVICE();
  const Tensor weight = drawn({5, 24}, 1), bias = drawn({5}, 2), dy = drawn({6, 5}, 3);
  for (const Precision precision : narrow) {
    const DType type = type_of(precision);
    const auto on = [&](Device device, DType numbers, DType wide) {
      std::vector<autograd::Variable> all;
      for (const uint64_t seed : {4, 5}) all.emplace_back(drawn({6, 12}, seed).to(type).to(numbers).to(device), true);
      all.emplace_back(weight.to(wide).to(device), true), all.emplace_back(bias.to(wide).to(device), true);
      const auto y = autograd::linear(std::span(all).first(2), all[2], all[3], {{}, Precision::full, true});
      EXPECT_EQ(y.dtype(), wide);
      y.backward(dy.to(wide).to(device));
      all.push_back(y);
      return all;
    };
    const auto expected = on(Device::cpu, DType::f64, DType::f64), found = on(Device::cuda, type, DType::f32);
    const double limit = precision == Precision::f16 ? 1e-6 : 5e-5;
    EXPECT_LE(normalised_error(numbers(found[4].value()), numbers(expected[4].value())), limit);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_LE(normalised_error(numbers(found[i].gradient()), numbers(expected[i].gradient())), limit) << i;
    }
    autograd::freeze_weight(found[2], 2, precision);
    const autograd::NoGrad none;
    const auto x = std::span(found).first(2);
    const auto wide = autograd::linear(x, found[2], found[3], {{}, Precision::full, true});
    EXPECT_LE(normalised_error(numbers(wide.value()), numbers(found[4].value())), 1e-12);
    const auto y = autograd::linear(x, found[2], found[3]);
    EXPECT_EQ(y.dtype(), type);
    EXPECT_LE(normalised_error(numbers(y.value()), numbers(expected[4].value())), limit);
  }
}

TEST(RoomLinear, RefusesAWeightThatWasFrozenForAnotherPrecision) {
  SKIP_WITHOUT_DEVICE();
  const autograd::Variable weight(drawn({4, 8}, 1).to(Device::cuda)),
      x(drawn({2, 8}, 2).to(Device::cuda).to(DType::f16));
  autograd::freeze_weight(weight, 1, Precision::bf16);
  EXPECT_THROW(autograd::linear(x, weight, {}), tensor::Error);
}

/// One step's loss and the gradients of all parameters, one after the other.
struct Step {
  double loss;
  std::vector<double> gradients;
};

/// The first training step of a tiny retriever, with dropout; `after` sees its parameters once Adam has changed them.
template <class After>
Step step(Device device, Precision precision, const After& after) {
  nn::Initializer init(1, DType::f32, precision);
  const Retriever model(tiny::sizes({6, 5, 4}), init);
  const nn::Parameters parameters = nn::parameters(model);
  nn::move(parameters, device);
  tensor::Random random(3);
  const auto texts = tiny::draw_queries(6, 7, random);
  const Tensor identifiers = tiny::draw_table({6, 5, 4}, 6, random).tokens;
  nn::Pass pass(0.1, 1, 1, device);
  std::map<std::string, DType> shown;
  pass.tap = [&](const std::string& name, const nn::Variable& value) { shown[name] = value.dtype(); };
  const Objective o = objective(model, texts, identifiers.range(0, 6), 0.5, pass);
  const bool in_16_bits = device == Device::cuda && precision != Precision::full;
  for (const auto& [name, type] : shown) {
    EXPECT_EQ(type, in_16_bits && !name.starts_with("logits") ? type_of(precision) : DType::f32) << name;
  }
  EXPECT_EQ(o.loss.dtype(), DType::f32);
  const double scale = precision == Precision::f16 ? 65536 : 1;
  o.loss.backward(tensor::full(o.loss.shape(), o.loss.dtype(), scale, device));
  Step result{o.loss.value().item(), {}};
  for (const nn::Parameter& p : parameters) {
    EXPECT_EQ(p.variable.gradient().dtype(), DType::f32) << p.name;
    for (const double g : numbers(p.variable.gradient())) result.gradients.push_back(g / scale);
  }
  nn::Adam::Options options;
  options.scale = {scale, scale, scale};
  nn::Adam adam(parameters, options);
  adam.step(1e-2, 1.0);
  EXPECT_EQ(adam.progress().taken, 1);
  after(parameters);
  return result;
}

TEST(RoomTrainingStep, In16BitsIsNearF32) {
  SKIP_WITHOUT_DEVICE();
  const Step expected = step(Device::cpu, Precision::full, [](const nn::Parameters&) {});
  for (const Precision precision : narrow) {
    const bool f16 = precision == Precision::f16;
    int64_t copies = 0;
    const Step found = step(Device::cuda, precision, [&](const nn::Parameters& parameters) {
      for (const nn::Parameter& p : parameters) {
        EXPECT_EQ(p.variable.dtype(), DType::f32) << p.name;
        const Tensor rounded = p.variable.rounded();
        EXPECT_TRUE(rounded.defined() || p.inputs == 0) << p.name << ": every weight has a copy to multiply with";
        if (!rounded.defined()) continue;
        ++copies;
        EXPECT_EQ(bytes(rounded), bytes(p.variable.value().to(type_of(precision)))) << p.name << " after the step";
      }
    });
    EXPECT_GT(copies, 0);
    EXPECT_NEAR(found.loss, expected.loss, (f16 ? 1e-3 : 1e-2) * expected.loss);
    // A relu whose input is near 0 may fall on its other side, and all of its gradient with it: in a model so small one
    // of them shows.
    EXPECT_LE(normalised_error(found.gradients, expected.gradients), f16 ? 1e-4 : 2e-2);
  }
}

TEST(RoomSearch, In16BitsFindsTheSameBest) {
  SKIP_WITHOUT_DEVICE();
  tensor::Random random(5);
  const std::vector<int64_t> vocabulary = {6, 5, 4};
  const Trie trie(tiny::draw_table(vocabulary, 40, random));
  const auto text = nn::TextBatch::pack(tiny::draw_queries(8, 6, random));
  const auto search = [&](Device device, Precision precision) {
    const Retriever model = tiny::retriever(tiny::sizes(vocabulary), 2);
    nn::move(nn::parameters(model), device);
    nn::freeze(nn::parameters(model), precision);
    return beam_search(model, text, trie, {4, true});
  };
  const auto expected = search(Device::cpu, Precision::full);
  for (const Precision precision : narrow) {
    const auto found = search(Device::cuda, precision);
    ASSERT_EQ(found.size(), expected.size());
    for (size_t q = 0; q < expected.size(); ++q) {
      EXPECT_EQ(found[q][0].item, expected[q][0].item) << "query " << q;
      EXPECT_NEAR(found[q][0].score, expected[q][0].score, precision == Precision::f16 ? 1e-2 : 8e-2);
    }
  }
}

}  // namespace
}  // namespace ace
