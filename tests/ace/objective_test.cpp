#include "ace/objective.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/gradcheck.h"
#include "nn/optimizer.h"
#include "tests/ace/tiny.h"

namespace ace {
namespace {

using autograd::slice;
using tensor::DType;
using tensor::Shape;
using Queries = std::vector<std::vector<int32_t>>;

Tensor draw(Shape shape, tensor::Random& random) {
  Tensor x(shape, DType::f64);
  for (double& value : x.values<double>()) value = 2 * random.normal();
  return x;
}

std::vector<double> probabilities(std::span<const double> logits) {
  double sum = 0;
  for (const double x : logits) sum += std::exp(x);
  std::vector<double> p;
  for (const double x : logits) p.push_back(std::exp(x) / sum);
  return p;
}

/// Row `row` of a matrix as a distribution.
std::vector<double> distribution(const Tensor& logits, int64_t row) {
  return probabilities(logits.values<double>().subspan(size_t(row * logits.cols()), size_t(logits.cols())));
}

double kl(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += p[i] * std::log(p[i] / q[i]);
  return sum;
}

struct Naive {
  double nll = 0, kl = 0;
};

/// Equations 7 and 8 of the paper, written down once more: logits [2B, V_j].
Naive naive(const std::vector<Tensor>& logits, const Tensor& identifiers) {
  const int64_t batch = identifiers.size(0), positions = identifiers.size(1);
  Naive result;
  for (int64_t j = 0; j < positions; ++j) {
    for (int64_t b = 0; b < batch; ++b) {
      const std::vector<double> p = distribution(logits[size_t(j)], b), q = distribution(logits[size_t(j)], batch + b);
      const auto target = size_t(identifiers.data<int32_t>()[b * positions + j]);
      result.nll -= 0.5 * (std::log(p[target]) + std::log(q[target]));
      result.kl += kl(p, q) + kl(q, p);
    }
  }
  result.nll /= double(batch * positions), result.kl /= double(batch * positions);
  return result;
}

TEST(Objective, IsTheFormulaOfThePaper) {
  tensor::Random random(1);
  const Tensor identifiers = Tensor::of<int32_t>({3, 2}, {0, 4, 2, 0, 1, 3});
  const std::vector<Tensor> logits{draw({6, 3}, random), draw({6, 5}, random)};
  const Naive expected = naive(logits, identifiers);
  for (const double omega : {0.15, 1.0, 7.5}) {
    const Objective found = objective_of({Variable(logits[0]), Variable(logits[1])}, identifiers, omega, true);
    EXPECT_NEAR(found.nll.value().item(), expected.nll, 1e-12);
    EXPECT_NEAR(found.kl.value().item(), expected.kl, 1e-12);
    EXPECT_NEAR(found.loss.value().item(), expected.nll + omega * expected.kl, 1e-12);
  }
}

TEST(Objective, GradientsFlowThroughBothPasses) {
  tensor::Random random(2);
  const Tensor identifiers = Tensor::of<int32_t>({2, 2}, {0, 4, 2, 1});
  const std::vector<Tensor> logits{draw({4, 3}, random), draw({4, 5}, random)};
  const auto loss = [&](std::span<const Variable> x) {
    return objective_of({x[0], x[1]}, identifiers, 0.7, true).loss;
  };
  const autograd::GradcheckReport report = autograd::gradcheck(loss, logits);
  EXPECT_TRUE(report.ok()) << report.worst;

  const Variable with(logits[0], true), without(logits[0], true);
  const Tensor targets = Tensor::of<int32_t>({2, 1}, {0, 2});
  objective_of({with}, targets, 1, true).loss.backward();
  objective_of({without}, targets, 0, true).loss.backward();
  for (int i = 0; i < 12; ++i) EXPECT_NE(with.gradient().data<double>()[i], without.gradient().data<double>()[i]) << i;
}

TEST(Objective, EqualPassesHaveNoConsistencyLoss) {
  tensor::Random random(3);
  const Retriever model = tiny::retriever(tiny::sizes({4, 3}), 4, DType::f64);
  const Queries texts = tiny::draw_queries(5, 4, random);
  const Identifiers table = tiny::draw_table({4, 3}, 40, random);
  nn::Pass pass(0, 1, 1);  // no dropout
  const Objective found = objective(model, texts, table.tokens.range(0, 5), 0.15, pass);
  EXPECT_NEAR(found.kl.value().item(), 0, 1e-12);
  EXPECT_NEAR(found.loss.value().item(), found.nll.value().item(), 1e-12);
}

TEST(Objective, WithoutOmegaOnePassIsMadeAndItsLikelihoodIsTheLoss) {
  tensor::Random random(5);
  const Retriever model = tiny::retriever(tiny::sizes({4, 3}), 6, DType::f64);
  const Queries texts = tiny::draw_queries(5, 4, random);
  const Tensor identifiers = tiny::draw_table({4, 3}, 40, random).tokens.range(0, 5);
  for (const double omega : {0.0, 0.15}) {
    int64_t rows = 0;
    nn::Pass pass(0.3, 1, 1);
    pass.tap = [&](const std::string& name, const Variable& value) {
      if (name == "logits.0") rows += value.rows();
    };
    const Objective found = objective(model, texts, identifiers, omega, pass);
    EXPECT_EQ(rows, omega > 0 ? 10 : 5);
    EXPECT_EQ(found.kl.defined(), omega > 0);
    if (omega == 0) {
      EXPECT_EQ(found.loss.value().item(), found.nll.value().item());
    }
  }
}

/// What is dropped in a pass of `tokens` text tokens and `rows` identifier positions: widths by site, in call order.
std::vector<Shape> sites(const RetrieverOptions& options, int64_t tokens, int64_t rows) {
  const int64_t d = options.layer.width, inner = options.layer.inner;
  std::vector<Shape> shapes{{tokens, d}};
  for (int64_t l = 0; l < options.layer.encoder_layers; ++l) {
    shapes.insert(shapes.end(), {{tokens, d}, {tokens, inner}, {tokens, d}});
  }
  shapes.push_back({rows, d});
  for (int64_t l = 0; l < options.decoder_layers; ++l) {
    shapes.insert(shapes.end(), {{rows, d}, {rows, d}, {rows, inner}, {rows, d}});
  }
  return shapes;
}

TEST(Objective, OnePassOverBothCopiesEqualsTwoPassesWithTheirOwnMasks) {
  tensor::Random random(7);
  const RetrieverOptions options = tiny::sizes({4, 3, 5});
  const Retriever model = tiny::retriever(options, 8, DType::f64);
  const nn::Parameters parameters = nn::parameters(model);
  const Queries texts = tiny::draw_queries(4, 5, random);
  const Tensor identifiers = tiny::draw_table({4, 3, 5}, 60, random).tokens.range(0, 4);
  const nn::TextBatch batch = nn::TextBatch::pack(texts);
  std::vector<Tensor> both, first, second;
  for (const Shape& shape : sites(options, batch.sequences.rows(), 4 * 3)) {
    Tensor mask(shape.with(0, 2 * shape[0]), DType::u8);
    for (uint8_t& keep : mask.values<uint8_t>()) keep = random.below(5) > 0;
    both.push_back(mask);
    first.push_back(mask.range(0, shape[0]));
    second.push_back(mask.range(shape[0], 2 * shape[0]));
  }

  nn::Pass joint(0.2, both);
  const Objective found = objective(model, texts, identifiers, 0.4, joint);
  found.loss.backward();
  std::vector<Tensor> gradients;
  for (const nn::Parameter& p : parameters) gradients.push_back(p.variable.gradient().clone());
  nn::clear_gradients(parameters);

  nn::Pass p(0.2, first), q(0.2, second);
  const auto p_logits = model.forward(model.encode(batch, p), identifiers, p);
  const auto q_logits = model.forward(model.encode(batch, q), identifiers, q);
  std::vector<Variable> logits;
  for (size_t j = 0; j < 3; ++j) logits.push_back(autograd::concat({p_logits[j], q_logits[j]}, 0));
  const Objective expected = objective_of(logits, identifiers, 0.4, true);
  expected.loss.backward();

  EXPECT_GT(found.kl.value().item(), 1e-3) << "the passes differ";
  EXPECT_NEAR(found.loss.value().item(), expected.loss.value().item(), 1e-12);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& gradient = parameters[i].variable.gradient();
    for (int64_t k = 0; k < gradient.elements(); ++k) {
      EXPECT_NEAR(gradients[i].data<double>()[k], gradient.data<double>()[k], 1e-12) << parameters[i].name;
    }
  }
}

/// Loss and gradients of the same pairs.
TEST(Objective, ADeadTextChangesNothing) {
  tensor::Random random(7);
  const Retriever model = tiny::retriever(tiny::sizes({4, 3, 5}), 8, DType::f64);
  const nn::Parameters parameters = nn::parameters(model);
  const Tensor identifiers = tiny::draw_table({4, 3, 5}, 60, random).tokens.range(0, 4);
  Pairs pairs = pairs_of(model, tiny::draw_queries(4, 5, random), identifiers, true);
  std::vector<std::vector<Tensor>> results;
  for (const bool padded : {false, true}) {
    if (padded) {
      pairs.text = pairs.text.padded();
      const Tensor before = pairs.inputs;
      pairs.inputs = tensor::zeros({before.elements() + 3}, DType::i32);
      std::ranges::copy(before.values<int32_t>(), pairs.inputs.data<int32_t>());
    }
    nn::Pass pass(0.2, 3, 4);  // masks follow from the place in the batch, and the dead text is the last
    const Objective found = objective(model, pairs, 0.4, pass);
    found.loss.backward();
    std::vector<Tensor>& result = results.emplace_back(std::vector{found.loss.value()});
    for (const nn::Parameter& p : parameters) result.push_back(p.variable.gradient().clone());
    nn::clear_gradients(parameters);
  }
  for (size_t i = 0; i < results[0].size(); ++i) {
    for (int64_t k = 0; k < results[0][i].elements(); ++k) {
      EXPECT_NEAR(results[0][i].data<double>()[k], results[1][i].data<double>()[k], 1e-13) << i;
    }
  }
}

TEST(Objective, EveryParameterHasAGradientThatFiniteDifferencesConfirm) {
  tensor::Random random(9);
  RetrieverOptions options = tiny::sizes({3, 2}, 8);
  options.layer.width = 4, options.layer.inner = 6, options.decoder_layers = 1;
  const Retriever model = tiny::retriever(options, 10, DType::f64, 1);
  const Queries texts = tiny::draw_queries(3, 3, random, 8);
  const Tensor identifiers = tiny::draw_table({3, 2}, 40, random).tokens.range(0, 3);
  const auto loss = [&] {
    nn::Pass pass(0.2, 3, 4);  // the same masks each time
    return objective(model, texts, identifiers, 0.5, pass).loss;
  };
  loss().backward();
  for (const nn::Parameter& p : nn::parameters(model)) {
    ASSERT_TRUE(p.variable.gradient().defined()) << p.name;
    const int64_t k = random.below(p.variable.elements());
    double& x = p.variable.value().data<double>()[k];
    const double at = x, h = 1e-6;
    const autograd::NoGrad none;
    x = at + h;
    const double above = loss().value().item();
    x = at - h;
    const double below = loss().value().item();
    x = at;
    const double numeric = (above - below) / (2 * h);
    EXPECT_NEAR(p.variable.gradient().data<double>()[k], numeric, 1e-7 + 1e-5 * std::abs(numeric)) << p.name;
  }
}

TEST(Objective, TheLossOfABatchFallsStepByStep) {
  const tiny::OneThread one;
  tensor::Random random(11);
  const Retriever model = tiny::retriever(tiny::sizes({4, 3, 5}), 12, DType::f32, 1);
  const Queries texts = tiny::draw_queries(16, 6, random);
  const Tensor identifiers = tiny::draw_table({4, 3, 5}, 60, random).tokens.range(0, 16);
  nn::Adam adam(nn::parameters(model));
  std::vector<double> losses;
  for (uint64_t step = 0; step < 80; ++step) {
    nn::Pass pass(0.1, 1, step);
    const Objective found = objective(model, texts, identifiers, 0.15, pass);
    found.loss.backward();
    adam.step(5e-3);
    losses.push_back(found.loss.value().item());
  }
  EXPECT_LT(losses[39], 0.8 * losses[0]);
  EXPECT_LT(losses[79], 0.5 * losses[0]);
}

}  // namespace
}  // namespace ace
