#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "nn/attention.h"

namespace nn {
namespace {

using Texts = std::vector<std::vector<int32_t>>;

TEST(Sequences, BeginAtTheirOffsetsAndCountPositionsAnew) {
  const Sequences s = Sequences::of_lengths(std::vector<int64_t>{3, 1, 2});
  const std::vector<int32_t> offsets = {0, 3, 4, 6}, positions = {0, 1, 2, 0, 0, 1};
  EXPECT_TRUE(std::equal(offsets.begin(), offsets.end(), s.offsets.data<int32_t>()));
  EXPECT_TRUE(std::equal(positions.begin(), positions.end(), s.positions.data<int32_t>()));
  EXPECT_EQ(s.count(), 3);
  EXPECT_EQ(s.rows(), 6);
}

TEST(Positions, FollowTheirFormula) {
  const Tensor at = Tensor::of<int32_t>(Shape{3}, {0, 5, 61});
  for (const int64_t width : {1, 6, 7}) {
    const Variable table = sinusoidal_positions(at, width, DType::f64);
    ASSERT_EQ(table.shape(), (Shape{3, width}));
    for (int64_t r = 0; r < 3; ++r) {
      const double t = at.data<int32_t>()[r];
      for (int64_t c = 0; c < width; ++c) {
        const double angle = t / std::pow(10000.0, double(c - c % 2) / double(width));
        EXPECT_NEAR(table.data<double>()[r * width + c], c % 2 ? std::cos(angle) : std::sin(angle), 1e-13);
      }
    }
    EXPECT_FALSE(table.requires_grad());
  }
}

TEST(Encoder, GivesEachTextOfAPackedBatchWhatItGivesTheTextAlone) {
  Initializer init(4, DType::f64);
  const Encoder encoder(20, 12, 3, 24, 3, init);
  const Texts texts = {{1, 2, 3, 4, 5, 6, 7}, {8}, {9, 9, 9}, {19, 1, 18, 2, 17, 3, 16, 4, 15, 5, 14}};
  const autograd::NoGrad inference;
  Pass pass;
  const TextBatch batch = TextBatch::pack(texts);
  const auto together = encoder.forward(batch, pass);
  ASSERT_EQ(together.size(), 3u);
  for (size_t b = 0; b < texts.size(); ++b) {
    const auto alone = encoder.forward(TextBatch::pack(std::span(&texts[b], 1)), pass);
    for (size_t l = 0; l < 3; ++l) {
      const double* rows = together[l].data<double>() + batch.sequences.offsets.data<int32_t>()[b] * 12;
      for (int64_t i = 0; i < alone[l].elements(); ++i) EXPECT_NEAR(alone[l].data<double>()[i], rows[i], 1e-12);
    }
  }
}

TEST(Encoder, GivesTheSameBitsInSeveralThreadsAtOnce) {
  Initializer init(4);
  const Encoder encoder(20, 32, 4, 64, 2, init);
  const TextBatch batch = TextBatch::pack(Texts{{1, 2, 3, 4, 5}, {6, 7}, {8, 9, 10, 11, 12, 13, 14}});
  const auto run = [&] {
    const autograd::NoGrad inference;
    Pass pass;
    return encoder.forward(batch, pass).back().value();
  };
  const Tensor expected = run();
  std::vector<int> equal(4, 0);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < equal.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        const Tensor found = run();
        equal[t] += std::equal(found.data<float>(), found.data<float>() + found.elements(), expected.data<float>());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 20));
}

}  // namespace
}  // namespace nn
