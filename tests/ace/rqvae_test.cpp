#include "ace/rqvae.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "ace/redraw.h"
#include "autograd/gradcheck.h"
#include "kernels/backend.h"
#include "tensor/random.h"
#include "tests/ace/tiny.h"

namespace ace {
namespace {

using nn::Variable;
using tensor::DType;
using tensor::Shape;
using tensor::Tensor;

/// `groups` round clouds; row i belongs to cloud i mod groups.
Tensor clouds(int64_t rows, int64_t width, int64_t groups, double spread, uint64_t seed) {
  tensor::Random random(seed);
  std::vector<float> centres, values;
  for (int64_t i = 0; i < groups * width; ++i) centres.push_back(float(random.normal()));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < width; ++c) {
      values.push_back(centres[size_t(i % groups * width + c)] + float(spread * random.normal()));
    }
  }
  return Tensor::of<float>({rows, width}, values);
}

Settings::RqVae small_settings() {
  Settings::RqVae settings;
  settings.entries = 32, settings.latent = 16, settings.hidden = {48, 32};
  settings.epochs = 4, settings.warmup_epochs = 2, settings.min_steps = 300, settings.batch = 256, settings.rate = 3e-3;
  settings.redraw_steps = 20;
  return settings;
}

int64_t used(const Tensor& codes, int64_t codebook) {
  std::set<int32_t> seen;
  for (int64_t i = 0; i < codes.rows(); ++i) seen.insert(codes.data<int32_t>()[i * codes.cols() + codebook]);
  return int64_t(seen.size());
}

std::vector<Tensor> values_of(const nn::Parameters& parameters) {
  std::vector<Tensor> values;
  for (const nn::Parameter& p : parameters) values.push_back(p.variable.value().clone());
  return values;
}

/// Squared distances of each residual to its nearest and second nearest entry differ by at least this: codes stay when
/// numbers move a little.
double margin(const nn::ResidualQuantiser& quantiser, const nn::Quantised& q) {
  double least = 1e30;
  for (size_t m = 0; m < quantiser.codebooks.size(); ++m) {
    const Tensor& table = quantiser.codebooks[m].value();
    for (int64_t b = 0; b < q.residuals[m].rows(); ++b) {
      std::vector<double> distances;
      for (int64_t j = 0; j < table.rows(); ++j) {
        double sum = 0;
        for (int64_t c = 0; c < table.cols(); ++c) {
          const double r = q.residuals[m].data<double>()[b * table.cols() + c];
          sum += std::pow(r - table.data<double>()[j * table.cols() + c], 2);
        }
        distances.push_back(sum);
      }
      std::sort(distances.begin(), distances.end());
      least = std::min(least, distances[1] - distances[0]);
    }
  }
  return least;
}

/// A model and rows whose codes are far from ties.
struct Case {
  nn::Initializer init;
  RqVae model;
  Tensor x;
  explicit Case(uint64_t seed) : init(seed, DType::f64), model({5, 4, 3}, 2, 3, init), x(Shape{4, 5}, DType::f64) {
    tensor::Random random(seed);
    for (double& value : x.values<double>()) value = random.normal();
  }
  double margin_now() const { return margin(model.quantiser(), model.forward(Variable(x), 1, 0.25).quantised); }
};

Case far_from_ties() {
  for (uint64_t seed = 1;; ++seed) {
    Case found(seed);
    if (found.margin_now() > 0.02) return found;
  }
}

TEST(RqVae, TheLossIsEquationOne) {
  const Case c = far_from_ties();
  const double alpha = 0.7, beta = 0.3;
  const RqVae::Output out = c.model.forward(Variable(c.x), alpha, beta);
  double recon = 0, commit = 0;
  for (int64_t i = 0; i < c.x.elements(); ++i) {
    recon += std::pow(c.x.data<double>()[i] - out.reconstruction.data<double>()[i], 2);
  }
  std::vector<double> residual(out.latent.value().values<double>().begin(), out.latent.value().values<double>().end());
  for (int64_t m = 0; m < 2; ++m) {
    const Tensor& table = c.model.quantiser().codebooks[size_t(m)].value();
    for (int64_t b = 0; b < 4; ++b) {
      const int32_t code = out.quantised.codes[size_t(m)].data<int32_t>()[b];
      for (int64_t k = 0; k < 3; ++k) {
        double& r = residual[size_t(b * 3 + k)];
        const double e = table.data<double>()[code * 3 + k];
        commit += (1 + beta) * std::pow(r - e, 2);
        r -= e;
      }
    }
  }
  EXPECT_NEAR(out.recon.value().item(), recon / 4, 1e-12);
  EXPECT_NEAR(out.quantised.commitment.value().item(), commit / 4, 1e-12);
  EXPECT_NEAR(out.loss.value().item(), recon / 4 + alpha * commit / 4, 1e-12);
}

TEST(RqVae, GradientsOfTheLossWhereNothingIsStopped) {
  // The decoder and, through the codes' own term, the codebooks: their part of the loss is differentiable as it is.
  const Case c = far_from_ties();
  const nn::Parameters all = nn::parameters(c.model);
  nn::Parameters decoder;
  for (const nn::Parameter& p : all) {
    if (p.name.starts_with("decoder.")) decoder.push_back(p);
  }
  ASSERT_EQ(decoder.size(), 4u);
  c.model.forward(Variable(c.x), 1, 0.25).loss.backward();
  for (const nn::Parameter& p : decoder) {
    for (int64_t k = 0; k < p.variable.elements(); ++k) {
      double& x = p.variable.value().data<double>()[k];
      const double at = x, h = 1e-6;
      const autograd::NoGrad none;
      x = at + h;
      const double above = c.model.forward(Variable(c.x), 1, 0.25).loss.value().item();
      x = at - h;
      const double below = c.model.forward(Variable(c.x), 1, 0.25).loss.value().item();
      x = at;
      EXPECT_NEAR(p.variable.gradient().data<double>()[k], (above - below) / (2 * h), 1e-7) << p.name;
    }
  }
}

/// The loss that the estimator differentiates: what sg[·] holds is a constant, taken at the point of linearisation.
///   z + (Q₀ − z₀) into the decoder;  Σ_m ‖r₀_{m−1} − e‖² + β ‖r_{m−1} − e₀‖²,  r_m = r_{m−1} − e₀
Variable surrogate(const RqVae& frozen, const nn::Quantised& at, const Tensor& z0, std::span<const Variable> p,
                   const Tensor& x, double alpha, double beta) {
  using namespace autograd;
  const Variable z = linear(elu(linear(Variable(x), p[0], p[1])), p[2], p[3]);
  const Variable shift = sub(Variable(at.sum.value()), Variable(z0));
  const Variable decoded = linear(elu(linear(add(z, shift), p[4], p[5])), p[6], p[7]);
  Variable loss = mean(squared_error(Variable(x), decoded)), residual = z;
  for (size_t m = 0; m < 2; ++m) {
    const Tensor& codebook = frozen.quantiser().codebooks[m].value();
    const Tensor& index = at.codes[m];
    const Variable fixed = embedding(Variable(codebook.clone()), index), entry = embedding(p[8 + m], index);
    const Variable own = mean(squared_error(Variable(at.residuals[m]), entry));
    const Variable pull = mean(squared_error(residual, fixed));
    loss = add(loss, scale(add(own, scale(pull, beta)), alpha));
    residual = sub(residual, fixed);
  }
  return loss;
}

TEST(RqVae, EveryGradientIsThatOfTheStraightThroughEstimator) {
  const Case c = far_from_ties();
  const double alpha = 0.7, beta = 0.3;
  const nn::Parameters parameters = nn::parameters(c.model);
  ASSERT_EQ(parameters.size(), 10u);
  std::vector<Tensor> inputs = values_of(parameters);
  const RqVae::Output at = c.model.forward(Variable(c.x), alpha, beta);
  const Tensor z0 = at.latent.value().clone();
  const auto loss = [&](std::span<const Variable> p) {
    return surrogate(c.model, at.quantised, z0, p, c.x, alpha, beta);
  };
  const autograd::GradcheckReport report = autograd::gradcheck(loss, inputs);
  EXPECT_TRUE(report.ok()) << report.worst;

  at.loss.backward();
  std::vector<Variable> leaves;
  for (const Tensor& x : inputs) leaves.emplace_back(x, true);
  const Variable same = loss(leaves);
  EXPECT_NEAR(same.value().item(), at.loss.value().item(), 1e-12);
  same.backward();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const auto a = parameters[i].variable.gradient().values<double>(), b = leaves[i].gradient().values<double>();
    for (size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 1e-12) << parameters[i].name;
  }
}

TEST(RqVae, OwnsTheTensorsOfTheFileFormat) {
  nn::Initializer init(1);
  const std::vector<int64_t> sizes = {10, 8, 6, 4, 3};
  const RqVae model(sizes, 2, 7, init);
  std::multiset<std::string> names, expected = {"codebooks.0 [7, 3]", "codebooks.1 [7, 3]"};
  for (const nn::Parameter& p : nn::parameters(model)) names.insert(p.name + " " + p.variable.shape().text());
  for (size_t i = 0; i < 4; ++i) {
    expected.insert(fmt::format("encoder.{}.weight [{}, {}]", i, sizes[i + 1], sizes[i]));
    expected.insert(fmt::format("encoder.{}.bias [{}]", i, sizes[i + 1]));
    expected.insert(fmt::format("decoder.{}.weight [{}, {}]", i, sizes[3 - i], sizes[4 - i]));
    expected.insert(fmt::format("decoder.{}.bias [{}]", i, sizes[3 - i]));
  }
  EXPECT_EQ(names, expected);
}

TEST(RqVae, OnClusteredRowsNearlyEveryEntryIsUsedAndMostVarianceExplained) {
  const tiny::OneThread one;
  const Tensor x = clouds(5000, 32, 100, 0.3, 1);
  const RqVaeFit fit = fit_rqvae(x, small_settings(), 1, {});
  for (int64_t m = 0; m < 2; ++m) EXPECT_GE(double(used(fit.codes, m)), 0.99 * 32) << "codebook " << m;
  EXPECT_LT(fit.reconstruction, 0.6 * fit.variance);
  EXPECT_EQ(fit.steps, 300);
  double variance = 0;
  for (const float value : x.values<float>()) variance += double(value) * double(value) / 5000;
  EXPECT_NEAR(fit.variance, variance, 1e-5 * variance);
}

TEST(RqVae, KMeansInitialisationLeavesNoEntryDead) {
  const tiny::OneThread one;
  const Tensor x = clouds(2000, 16, 40, 0.3, 2);
  Settings::RqVae settings = small_settings();
  settings.min_steps = 1, settings.batch = 1 << 20, settings.rate = settings.first_rate = 1e-12;
  settings.redraw_steps = 0;  // as initialised
  const RqVaeFit fit = fit_rqvae(x, settings, 1, {});
  for (int64_t m = 0; m < 2; ++m) EXPECT_EQ(used(fit.codes, m), 32) << "codebook " << m;

  settings.kmeans_init = false;
  const RqVaeFit drawn = fit_rqvae(x, settings, 1, {});
  EXPECT_LT(used(drawn.codes, 0), 32) << "the test could not fail";
}

TEST(RqVae, RedrawingBringsBackWhatARandomStartLeavesDead) {
  const tiny::OneThread one;
  const Tensor x = clouds(2000, 16, 40, 0.3, 3);
  Settings::RqVae settings = small_settings();
  settings.kmeans_init = false;
  const RqVaeFit with = fit_rqvae(x, settings, 1, {});
  settings.redraw_steps = 0;
  const RqVaeFit without = fit_rqvae(x, settings, 1, {});
  EXPECT_GT(with.redrawn, 0);
  EXPECT_EQ(without.redrawn, 0);
  EXPECT_GE(used(with.codes, 0), 31);
  EXPECT_LT(used(without.codes, 0), used(with.codes, 0));
  EXPECT_LT(with.reconstruction, without.reconstruction);
}

TEST(Redraw, AnEntryPlacedFarAwayReturnsToTheWorstReconstructedRow) {
  nn::Initializer init(1);
  const nn::ResidualQuantiser quantiser(2, 3, 2, init);
  Tensor& first = const_cast<Tensor&>(quantiser.codebooks[0].value());
  const std::vector<float> entries{0, 0, 1, 1, 1000, 1000};
  std::copy(entries.begin(), entries.end(), first.data<float>());
  const Variable z(Tensor::of<float>({4, 2}, {0, 0.1f, 1, 1, 3, 3, 0.1f, 0}));
  Redraw redraw(quantiser, 3);
  int64_t redrawn = 0;
  for (int step = 1; step <= 3; ++step) {
    const nn::Quantised batch = quantiser.forward(z, 0.25);
    redrawn = redraw.apply(quantiser, batch);
    EXPECT_EQ(first.data<float>()[4], step < 3 ? 1000.0f : 3.0f) << "step " << step;
  }
  EXPECT_GE(redrawn, 1);
  EXPECT_EQ(first.data<float>()[5], 3.0f);
  EXPECT_EQ(first.data<float>()[0], 0.0f) << "entries in use stay";
  EXPECT_EQ(quantiser.forward(z, 0.25).codes[0].data<int32_t>()[2], 2) << "the row has the entry now";
}

TEST(Redraw, SeveralThatAreDueTakeDifferentRowsAndZeroMeansNever) {
  nn::Initializer init(1);
  const nn::ResidualQuantiser quantiser(1, 4, 1, init);
  float* table = const_cast<float*>(quantiser.codebooks[0].data<float>());
  const Variable z(Tensor::of<float>({3, 1}, {0, 2, 5}));
  for (const int64_t limit : {0, 1}) {
    for (int64_t j = 0; j < 4; ++j) table[j] = j == 0 ? 0 : 100 + float(j);
    Redraw redraw(quantiser, limit);
    EXPECT_EQ(redraw.apply(quantiser, quantiser.forward(z, 0.25)), limit == 0 ? 0 : 3);
    if (limit == 0) {
      EXPECT_EQ(table[1], 101);
    } else {
      EXPECT_EQ(std::set<float>(table + 1, table + 4), (std::set<float>{0, 2, 5}));
    }
  }
}

TEST(RqVae, FewerRowsThanEntriesAreHandled) {
  const tiny::OneThread one;
  const Tensor x = clouds(5, 8, 5, 0.1, 4);
  Settings::RqVae settings = small_settings();
  settings.min_steps = 100;
  const RqVaeFit fit = fit_rqvae(x, settings, 1, {});
  EXPECT_EQ(fit.codes.shape(), (Shape{5, 2}));
  for (const int32_t code : fit.codes.values<int32_t>()) {
    EXPECT_GE(code, 0);
    EXPECT_LT(code, 32);
  }
  EXPECT_EQ(used(fit.codes, 0), 5) << "each row an entry of its own";
  EXPECT_TRUE(std::isfinite(fit.reconstruction));
  const RqVaeFit single = fit_rqvae(x.range(0, 1), settings, 1, {});
  EXPECT_EQ(single.codes.shape(), (Shape{1, 2}));
}

TEST(RqVae, ABatchMayBeLargerThanAWindowOfTheRows) {
  Settings::RqVae settings = small_settings();
  settings.entries = 4, settings.latent = 2, settings.hidden = {2}, settings.kmeans_init = false;
  settings.epochs = 1, settings.warmup_epochs = 0, settings.min_steps = 2, settings.batch = 150000;
  const Tensor x = clouds(200000, 2, 4, 0.1, 5);
  EXPECT_EQ(fit_rqvae(x, settings, 1, {}).codes.rows(), 200000);
}

TEST(RqVae, TheSameSeedGivesTheSameBits) {
  const tiny::OneThread one;
  const Tensor x = clouds(600, 8, 20, 0.3, 5);
  Settings::RqVae settings = small_settings();
  settings.min_steps = 40;
  const RqVaeFit a = fit_rqvae(x, settings, 1, {}), b = fit_rqvae(x, settings, 1, {}),
                 c = fit_rqvae(x, settings, 2, {});
  EXPECT_TRUE(std::ranges::equal(a.codes.values<int32_t>(), b.codes.values<int32_t>()));
  EXPECT_EQ(a.reconstruction, b.reconstruction);
  EXPECT_NE(a.reconstruction, c.reconstruction);
}

TEST(RqVae, ARowThatIsNotFiniteEndsInOneError) {
  const Tensor x = clouds(50, 8, 5, 0.3, 6);
  x.data<float>()[17] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(message_of([&] { fit_rqvae(x, small_settings(), 1, {}); }), "");
  EXPECT_EQ(message_of([&] {
              fit_rqvae(Tensor(Shape{0, 8}, DType::f32), small_settings(), 1, {});
            }),
            "rqvae: no rows to train on");
}

}  // namespace
}  // namespace ace
