#include "nn/quantiser.h"

#include <gtest/gtest.h>

#include <limits>

#include "tensor/random.h"
#include "tests/files.h"

namespace nn {
namespace {

Tensor normal(Shape shape, uint64_t seed) {
  tensor::Random random(seed);
  Tensor x(shape, DType::f64);
  for (double& v : x.values<double>()) v = random.normal();
  return x;
}

constexpr int64_t batch = 9, width = 4, entries = 5;
constexpr size_t codebooks = 3;

struct Example {
  Initializer init{1, DType::f64};
  ResidualQuantiser quantiser{codebooks, entries, width, init};
  Variable z{normal(Shape{batch, width}, 7), true};
  const double* entry(size_t m, int64_t j) const { return quantiser.codebooks[m].data<double>() + j * width; }
};

/// Index of the nearest entry of codebook m, by a plain loop.
int32_t search(const Example& e, size_t m, const std::vector<double>& x) {
  int32_t best = -1;
  double least = std::numeric_limits<double>::infinity();
  for (int32_t j = 0; j < entries; ++j) {
    double distance = 0;
    for (size_t c = 0; c < width; ++c) distance += (x[c] - e.entry(m, j)[c]) * (x[c] - e.entry(m, j)[c]);
    if (distance < least) least = distance, best = j;
  }
  return best;
}

TEST(Nearest, TakesTheSmallerIndexOfEqualDistances) {
  const Tensor x = Tensor::of<double>(Shape{2, 1}, {0.0, 3.0});
  const Tensor codes = Tensor::of<double>(Shape{4, 1}, {1.0, -1.0, 1.0, 5.0});
  const Tensor index = nearest(x, codes);
  EXPECT_EQ(index.data<int32_t>()[0], 0);
  EXPECT_EQ(index.data<int32_t>()[1], 0);
}

TEST(Nearest, RefusesNumbersThatAreNotFinite) {
  const Tensor x = Tensor::of<double>(Shape{1, 1}, {std::numeric_limits<double>::quiet_NaN()});
  EXPECT_EQ(message_of([&] {
              nearest(x, Tensor::of<double>(Shape{1, 1}, {1.0}));
            }),
            "nearest: a row of x [1, 1] is not finite");
}

TEST(Quantiser, EachCodebookTakesTheNearestEntryToWhatTheOnesBeforeLeft) {
  const Example e;
  const Quantised q = e.quantiser.forward(e.z, 0.25);
  ASSERT_EQ(q.codes.size(), codebooks);
  ASSERT_EQ(q.residuals.size(), codebooks);
  for (int64_t b = 0; b < batch; ++b) {
    std::vector<double> left(e.z.data<double>() + b * width, e.z.data<double>() + (b + 1) * width);
    for (size_t m = 0; m < codebooks; ++m) {
      const int32_t code = search(e, m, left);
      EXPECT_EQ(q.codes[m].data<int32_t>()[b], code);
      for (size_t c = 0; c < width; ++c) {
        EXPECT_NEAR(q.residuals[m].data<double>()[size_t(b * width) + c], left[c], 1e-14);
        left[c] -= e.entry(m, code)[c];
      }
    }
    for (size_t c = 0; c < width; ++c) {  // z = Q(z) + what is left in the end
      const size_t i = size_t(b * width) + c;
      EXPECT_NEAR(q.sum.data<double>()[i] + left[c], e.z.data<double>()[i], 1e-14);
      EXPECT_NEAR(q.straight_through.data<double>()[i], q.sum.data<double>()[i], 1e-14);
    }
  }
}

TEST(Quantiser, PassesTheGradientStraightThroughAndNoneToTheCodebooks) {
  const Example e;
  const Quantised q = e.quantiser.forward(e.z, 0.25);
  const Tensor dy = normal(Shape{batch, width}, 8);
  q.straight_through.backward(dy);
  for (int64_t i = 0; i < dy.elements(); ++i) EXPECT_EQ(e.z.gradient().data<double>()[i], dy.data<double>()[i]);
  for (const Variable& codebook : e.quantiser.codebooks) EXPECT_FALSE(codebook.gradient().defined());
}

TEST(Quantiser, CommitmentPullsEntriesAndLatentsTowardsEachOther) {
  const Example e;
  const double beta = 0.25;
  const Quantised q = e.quantiser.forward(e.z, beta);
  std::vector<std::vector<double>> to_entries(codebooks, std::vector<double>(entries * width, 0));
  std::vector<double> to_latents(batch * width, 0);
  double loss = 0;
  for (size_t m = 0; m < codebooks; ++m) {
    for (int64_t b = 0; b < batch; ++b) {
      const int32_t code = q.codes[m].data<int32_t>()[b];
      for (int64_t c = 0; c < width; ++c) {
        const double left = q.residuals[m].data<double>()[b * width + c] - e.entry(m, code)[c];
        loss += (1 + beta) * left * left / batch;
        to_entries[m][size_t(code * width + c)] -= 2 * left / batch;
        to_latents[size_t(b * width + c)] += beta * 2 * left / batch;  // every r_m is z minus constants
      }
    }
  }
  q.commitment.backward();
  EXPECT_NEAR(q.commitment.value().item(), loss, 1e-13);
  for (size_t m = 0; m < codebooks; ++m) {
    for (size_t i = 0; i < entries * width; ++i) {
      EXPECT_NEAR(e.quantiser.codebooks[m].gradient().data<double>()[i], to_entries[m][i], 1e-14);
    }
  }
  for (size_t i = 0; i < to_latents.size(); ++i) EXPECT_NEAR(e.z.gradient().data<double>()[i], to_latents[i], 1e-14);
}

}  // namespace
}  // namespace nn
